"""The registry keeps everything, numbers versions, and tells of every change."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.sagemaker.conftest import IMAGE, Account

KIND = "SageMaker Model Package State Change"


def package(**changes: Any) -> dict[str, Any]:
    source = {"ContentType": "application/json", "S3Uri": "s3://data/evaluation.json"}
    container = {"Image": IMAGE, "ModelDataUrl": "s3://data/m.tar.gz", "Environment": {"A": "b"}}
    return {
        "ModelPackageGroupName": "g",
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": source}},
        "DriftCheckBaselines": {"ModelDataQuality": {"Statistics": source}},
        "CustomerMetadataProperties": {"dataset": "d1", "seed": "7"},
        "MetadataProperties": {"CommitId": "abc"},
        "SkipModelValidation": "All",
        "SourceUri": "s3://data/source",
    } | changes


@pytest.fixture
def group(account: Account) -> Account:
    account.sagemaker.create_model_package_group(ModelPackageGroupName="g", ModelPackageGroupDescription="what")
    return account


def test_a_version_keeps_everything_and_is_told(group: Account) -> None:
    arn = group.sagemaker.create_model_package(**package())["ModelPackageArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:model-package/g/1"
    found = group.sagemaker.describe_model_package(ModelPackageName=arn)
    assert {key: found[key] for key in package()} == package()
    assert (found["ModelApprovalStatus"], found["ModelPackageStatus"]) == ("PendingManualApproval", "Completed")
    (detail,) = group.events.details(KIND)
    assert (detail["ModelPackageVersion"], detail["ModelPackageArn"], detail["ModelApprovalStatus"]) == (1, arn, "PendingManualApproval")
    assert detail["CreationTime"].endswith("Z")


def test_an_update_changes_only_what_it_names(group: Account) -> None:
    arn = group.sagemaker.create_model_package(**package())["ModelPackageArn"]
    group.sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"who": "policy"},
        CustomerMetadataPropertiesToRemove=["seed"],
    )
    group.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    found = group.sagemaker.describe_model_package(ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Rejected", "good")
    assert found["CustomerMetadataProperties"] == {"dataset": "d1", "who": "policy"}
    assert [each["ModelApprovalStatus"] for each in group.events.details(KIND)] == ["PendingManualApproval", "Approved", "Rejected"]
    with pytest.raises(ClientError, match="enum value set"):
        group.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Maybe")


def test_versions_are_numbered_without_gaps_or_twins(group: Account) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: group.sagemaker.create_model_package(**package()), range(24)))
    listed = group.sagemaker.list_model_packages(ModelPackageGroupName="g", MaxResults=100)["ModelPackageSummaryList"]
    assert sorted(each["ModelPackageVersion"] for each in listed) == list(range(1, 25))
    first = group.sagemaker.list_model_packages(ModelPackageGroupName="g", MaxResults=10, SortOrder="Descending")
    assert [each["ModelPackageVersion"] for each in first["ModelPackageSummaryList"]] == list(range(24, 14, -1))
    rest = group.sagemaker.list_model_packages(
        ModelPackageGroupName="g", MaxResults=20, SortOrder="Descending", NextToken=first["NextToken"]
    )
    assert len(rest["ModelPackageSummaryList"]) == 14


def test_a_deleted_version_does_not_come_back(group: Account) -> None:
    arn = group.sagemaker.create_model_package(**package())["ModelPackageArn"]
    with pytest.raises(ClientError, match="still holds"):
        group.sagemaker.delete_model_package_group(ModelPackageGroupName="g")
    group.sagemaker.delete_model_package(ModelPackageName=arn)
    assert group.sagemaker.create_model_package(**package())["ModelPackageArn"].endswith("/2")


def test_only_an_approved_version_becomes_a_model(group: Account) -> None:
    arn = group.sagemaker.create_model_package(**package())["ModelPackageArn"]
    model = {"ModelName": "m", "PrimaryContainer": {"ModelPackageName": arn}, "ExecutionRoleArn": group.role}
    with pytest.raises(ClientError, match="must be Approved"):
        group.sagemaker.create_model(**model)
    group.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    with pytest.raises(ClientError, match="Could not access model data"):
        group.sagemaker.create_model(**model)
    group.s3.put_object(Bucket="data", Key="m.tar.gz", Body=b"")
    group.sagemaker.create_model(**model)


def test_tags_belong_to_resources(group: Account) -> None:
    arn = group.sagemaker.create_model_package(**package())["ModelPackageArn"]
    group.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    assert group.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    with pytest.raises(ClientError, match="Could not find"):
        group.sagemaker.list_tags(ResourceArn=arn + "9")


def test_what_the_registry_does_not_know_is_refused(group: Account) -> None:
    with pytest.raises(ClientError, match="ValidationSpecification"):
        group.sagemaker.create_model_package(
            **package(
                ValidationSpecification={
                    "ValidationRole": group.role,
                    "ValidationProfiles": [
                        {
                            "ProfileName": "p",
                            "TransformJobDefinition": {
                                "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://d/x"}}},
                                "TransformOutput": {"S3OutputPath": "s3://d/y"},
                                "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
                            },
                        }
                    ],
                }
            )
        )
