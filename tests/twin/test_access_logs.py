"""Requests to a logged bucket are lines in its target bucket, if that lets S3 deliver them."""

import json
import time

import pytest
import urllib3
from botocore.exceptions import ClientError

from tests.twin.functions.helpers import make_role
from twin.server import TwinServer


def deliveries(twin: TwinServer, condition: str) -> list[str]:
    """The lines in the target after some requests; `condition`: the bucket for which its policy lets S3 deliver."""
    s3 = twin.cloud.client("s3")
    for name in ("data", "logs"):
        s3.create_bucket(Bucket=name)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::logs/*",
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{condition}"}},
    }
    s3.put_bucket_policy(Bucket="logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3.put_bucket_logging(Bucket="data", BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": "data/"}})
    s3.put_object(Bucket="data", Key="a b/c.csv", Body=b"x")
    role = make_role(twin, "r", "lambda.amazonaws.com")
    stranger = twin.cloud.client("s3", twin.cloud.assume(role, "lambda.amazonaws.com", "s"))
    with pytest.raises(ClientError):
        stranger.get_object(Bucket="data", Key="a b/c.csv")
    assert urllib3.request("GET", f"{twin.cloud.url}/data/a%20b/c.csv", retries=False).status == 403
    twin.part("access_logs").deliver()
    listed = s3.list_objects_v2(Bucket="logs").get("Contents", [])
    assert all(item["Key"].startswith("data/2") for item in listed)
    lines = [line for item in listed for line in s3.get_object(Bucket="logs", Key=item["Key"])["Body"].read().decode().splitlines()]
    return [line for line in lines if ".OBJECT " in line]


def test_every_request_is_a_line_refused_ones_too(twin: TwinServer) -> None:
    put, got, anonymous = deliveries(twin, "data")
    assert "REST.PUT.OBJECT a b/c.csv" in put
    assert " 200 " in put
    assert "assumed-role/r/s" in got
    assert " 403 " in got
    assert "127.0.0.1 - " in anonymous
    assert " 403 " in anonymous


def test_a_target_that_does_not_let_s3_in_gets_nothing(twin: TwinServer) -> None:
    assert deliveries(twin, "other") == []
    assert "Contents" not in twin.cloud.client("s3").list_objects_v2(Bucket="logs")


@pytest.mark.parametrize("speed", [0.0])
def test_lines_are_delivered_by_the_hour(twin: TwinServer) -> None:
    assert len(deliveries(twin, "data")) == 3
    s3 = twin.cloud.client("s3")
    s3.list_objects_v2(Bucket="data")
    twin.cloud.clock.advance(3601)
    deadline = time.monotonic() + 10
    while len(s3.list_objects_v2(Bucket="logs")["Contents"]) < 2:
        assert time.monotonic() < deadline, "nothing was delivered"
        time.sleep(0.05)
