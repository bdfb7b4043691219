"""Requests beyond the limits of AWS's own models, which SDKs send and only the service refuses."""

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model

from twin.constraints import ASCII, SERVICES, compiled, message, violations
from twin.server import TwinServer

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/g/1"
NAMES = {"monitoring": "cloudwatch"}


def wrong(service: str, operation: str, **request: Any) -> list[str]:
    shape = get_service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return list(violations(shape, request))


@pytest.mark.parametrize("service", [*sorted(SERVICES), "sagemaker-runtime"])
def test_every_pattern_of_the_models_is_understood(service: str) -> None:
    model = get_service_model(NAMES.get(service, service))
    patterns = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names}
    for pattern in patterns - {None}:
        for text in ("plain", "Two words: 1_000/2", "a@b"):
            assert bool(compiled(pattern, ASCII).fullmatch(text)) is bool(compiled(pattern).fullmatch(text))


@pytest.mark.parametrize(
    ("value", "ok"),
    [
        ("numpy=2.4.0 scikit-learn=1.9.1", True),
        ("Größe: 1/2 @home", True),
        ("numpy==2.4.0, pandas", False),  # a comma
        ('{"numpy": "2.4.0"}', False),
        ("two\nlines", False),
        ("x" * 256, True),
        ("x" * 257, False),
        ("", False),
    ],
)
def test_customer_metadata_takes_only_some_characters(value: str, ok: bool) -> None:
    assert (wrong("sagemaker", "CreateModelPackage", CustomerMetadataProperties={"Libraries": value}) == []) is ok


def test_the_place_and_the_limit_are_named() -> None:
    parameters = [{"Name": "Run", "Value": "r"}, {"Name": "Uri", "Value": "x" * 1025}]
    found = wrong("sagemaker", "StartPipelineExecution", PipelineName="p", PipelineParameters=parameters, ClientRequestToken="short")
    assert len(found) == 2
    assert re.search(r"at 'pipelineParameters\.2\.member\.value' failed .*length less than or equal to 1024", found[0])
    assert (
        found[1]
        == "Value 'short' at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal to 32"
    )
    assert message(found).startswith("2 validation errors detected: Value 'xxx")


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("sagemaker", "UpdateModelPackage", {"ModelPackageArn": PACKAGE, "ApprovalDescription": "a\nb"}),
        ("sagemaker", "CreateModel", {"ModelName": "under_score"}),
        ("sagemaker", "CreateTrainingJob", {"HyperParameters": {"gate": "x" * 2501}}),
        ("sagemaker", "UpdateEndpoint", {"DeploymentConfig": {"BlueGreenUpdatePolicy": {"MaximumExecutionTimeoutInSeconds": 500}}}),
        ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e", "InferenceId": "i" * 65}),
        ("lambda", "CreateFunction", {"MemorySize": 64}),
        ("lambda", "CreateFunction", {"TracingConfig": {"Mode": "Sometimes"}}),
        ("events", "PutRule", {"Name": "x" * 65}),
        ("scheduler", "CreateSchedule", {"Target": {"RetryPolicy": {"MaximumRetryAttempts": 186}}}),
        ("cloudwatch", "PutMetricAlarm", {"AlarmName": "x" * 256}),
        ("iam", "CreateRole", {"Description": "a – b"}),  # noqa: RUF001 - the dash is what IAM refuses
        ("cloudformation", "UpdateStack", {"StackName": "s", "ClientRequestToken": "-starts-with-a-dash"}),
    ],
)
def test_limits_that_the_project_could_run_into(service: str, operation: str, request_: dict[str, Any]) -> None:
    assert len(wrong(service, operation, **request_)) == 1


def test_a_client_sees_awss_error(twin: TwinServer) -> None:
    sagemaker = twin.cloud.client("sagemaker")
    with pytest.raises(ClientError, match="1 validation error detected: Value 'a b' at 'modelPackageGroupName'") as caught:
        sagemaker.create_model_package_group(ModelPackageGroupName="a b")
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(ClientError, match="'endpointName'") as caught:
        twin.cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName="no_underscores", Body=b"x")
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="'description'") as caught:
        twin.cloud.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}", Description="x" * 1001)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
