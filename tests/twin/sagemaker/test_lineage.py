"""Lineage entities: artifacts of what processing jobs read and write, and what is associated with what."""

import pytest
from botocore.exceptions import ClientError

from tests.twin.sagemaker.conftest import Account


def test_an_artifact_is_of_a_uri_and_can_be_derived_from_another(account: Account) -> None:
    sagemaker = account.sagemaker
    for name in ("first", "second"):
        sagemaker.create_processing_job(ProcessingJobName=name, **account.processing_job())
    found = [sagemaker.list_artifacts(SourceUri=f"s3://data/{folder}/")["ArtifactSummaries"] for folder in ("in", "out", "elsewhere")]
    assert [len(each) for each in found] == [1, 1, 0]
    ends = {"SourceArn": found[0][0]["ArtifactArn"], "DestinationArn": found[1][0]["ArtifactArn"]}
    assert sagemaker.list_associations(**ends)["AssociationSummaries"] == []
    for _ in range(2):
        sagemaker.add_association(**ends, AssociationType="DerivedFrom")
    (association,) = sagemaker.list_associations(**ends)["AssociationSummaries"]
    assert association["AssociationType"] == "DerivedFrom"
    assert sagemaker.list_associations(**ends, AssociationType="Produced")["AssociationSummaries"] == []


def test_what_the_twin_does_not_know_of_lineage_is_refused(account: Account) -> None:
    sagemaker = account.sagemaker
    unknown = f"arn:aws:sagemaker:us-east-1:{account.cloud.account}:artifact/{'0' * 32}"
    with pytest.raises(ClientError, match="wants a SourceUri"):
        sagemaker.list_artifacts()
    with pytest.raises(ClientError, match="wants both ends"):
        sagemaker.list_associations(SourceArn=unknown)
    with pytest.raises(ClientError, match="Could not find the lineage entity"):
        sagemaker.add_association(SourceArn=unknown, DestinationArn=unknown)
