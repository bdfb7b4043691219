"""Helpers for tests of the functions against an account in the process."""

from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from contracts.ledger import DECISION, Decision
from lambdas import runtime

REGION = "us-east-1"
ACCOUNT = "123456789012"
LEDGER = "ledger"
GROUP = "flowers-dev"
SHA256 = "ab" * 32

METADATA = {
    "DatasetVersion": "0123456789abcdef",
    "Run": "flowers-0123456789abcdef",
    "GitCommit": "unknown",
    "Image": "image",
    "Seed": "20",
    "Libraries": "scikit-learn=1.9",
    "ArtifactSha256": SHA256,
    "Metric": "roc_auc",
    "Score": "0.95",
}


def make_client(service: str) -> Any:
    """An AWS client of the account, which the functions use too: making one costs more than a whole test."""
    return runtime.client(service)


def decisions() -> list[Decision]:
    """The ledger's decisions, in time order."""
    found = make_client("dynamodb").query(
        TableName=LEDGER, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": DECISION}}
    )["Items"]
    deserialize = TypeDeserializer().deserialize
    return [Decision.model_validate({name: deserialize(value) for name, value in item.items()}) for item in found]


def register(approval: str, metadata: dict[str, str] | None = None, evaluation_uri: str | None = None) -> str:
    """A complete model package in the project's group. Gives its ARN."""
    sagemaker = make_client("sagemaker")
    if not sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    metrics = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": evaluation_uri}}} if evaluation_uri else {}
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus=approval,
        InferenceSpecification={
            "Containers": [{"Image": "image", "ModelDataUrl": "s3://artifacts-bucket/runs/r/model/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        CustomerMetadataProperties=METADATA if metadata is None else metadata,
        ModelMetrics=metrics,
    )["ModelPackageArn"]
    return arn


def serve(arn: str) -> None:
    """An endpoint that serves a model package, whatever it served before."""
    sagemaker = make_client("sagemaker")
    name = f"model-{arn.rsplit('/', 1)[1]}"
    sagemaker.create_model(ModelName=name, Containers=[{"ModelPackageName": arn}], ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/model")
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[{"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}],
    )
    if sagemaker.list_endpoints()["Endpoints"]:
        sagemaker.delete_endpoint(EndpointName=GROUP)
    sagemaker.create_endpoint(EndpointName=GROUP, EndpointConfigName=name)
