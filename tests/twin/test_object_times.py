"""S3's times are the twin's, and versions keep their order while its clock stands still."""

from datetime import timedelta

import pytest

from twin.server import TwinServer


@pytest.mark.parametrize("speed", [0.0])
def test_objects_are_made_on_the_twins_clock(twin: TwinServer) -> None:
    s3 = twin.cloud.client("s3")
    s3.create_bucket(Bucket="objects")
    s3.put_bucket_versioning(Bucket="objects", VersioningConfiguration={"Status": "Enabled"})
    twin.cloud.clock.advance(86_400)
    versions = [s3.put_object(Bucket="objects", Key="k", Body=b"%d" % number)["VersionId"] for number in range(3)]
    (listed,) = s3.list_objects_v2(Bucket="objects")["Contents"]
    assert abs(listed["LastModified"] - twin.cloud.clock.now()) < timedelta(seconds=2)
    assert s3.head_object(Bucket="objects", Key="k")["LastModified"] == listed["LastModified"].replace(microsecond=0)
    found = s3.list_object_versions(Bucket="objects")["Versions"]
    assert [each["VersionId"] for each in found] == versions[::-1]
    assert [each["IsLatest"] for each in found] == [True, False, False]
