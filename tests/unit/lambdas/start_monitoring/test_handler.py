"""start_monitoring against an account: what is live decides whether there is anything to watch."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from lambdas.start_monitoring import handler
from lambdas.start_monitoring.adapters import Jobs, LiveModel, Nothing
from tests.unit.lambdas.account import GROUP, METADATA, make_client, register, serve

Client = Callable[[str], Any]
Golden = Callable[[str], dict[str, Any]]

VARIABLES = {
    "IMAGE_URI": "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1",
    "JOB_ROLE_ARN": "arn:aws:iam::123456789012:role/monitor",
    "KEY_ARN": "arn:aws:kms:us-east-1:123456789012:key/1",
}


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def _jobs() -> list[str]:
    return [job["ProcessingJobName"] for job in make_client("sagemaker").list_processing_jobs()["ProcessingJobSummaries"]]


def test_the_same_window_is_looked_at_once(account: Client, golden: Golden, context: Any) -> None:
    serve(register("Approved"))
    tick = golden("tick")  # of 2026-01-05 at 09:30, and a window is a day
    first, again = handler.handle(tick, context), handler.handle(tick | {"id": "another", "time": "2026-01-05T23:59:59Z"}, context)
    assert first == {
        "job": "flowers-dev-monitor-202601050000",
        "verdict": "s3://artifacts-bucket/monitoring/2026/01/05/00/",
        "started": True,
    }
    assert again == first
    assert _jobs() == [first["job"]]
    job = make_client("sagemaker").describe_processing_job(ProcessingJobName=first["job"])
    assert f"/runs/{METADATA['Run']}/evaluation" in job["ProcessingInputs"][0]["S3Input"]["S3Uri"]


def test_without_an_endpoint_there_is_nothing_to_watch(account: Client, golden: Golden, context: Any) -> None:
    assert handler.handle(golden("tick"), context) == {"why": "there is no endpoint flowers-dev yet"}
    assert _jobs() == []


def test_a_model_made_elsewhere_has_no_baseline(account: Client, golden: Golden, context: Any) -> None:
    serve(register("Approved", metadata={"Run": "by hand"}))
    assert "was not made by this project's pipeline" in handler.handle(golden("tick"), context)["why"]
    assert _jobs() == []


def test_a_job_that_is_there_already_is_not_started_again(account: Client) -> None:
    client = make_client("sagemaker")
    request = {
        "ProcessingJobName": "flowers-dev-monitor-202601050000",
        "RoleArn": VARIABLES["JOB_ROLE_ARN"],
        "AppSpecification": {"ImageUri": VARIABLES["IMAGE_URI"]},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}},
    }
    with Stubber(client) as sagemaker:
        sagemaker.add_client_error("create_processing_job", "ResourceInUse")
        assert Jobs(client).start(request) is False
        sagemaker.add_client_error("create_processing_job", "ResourceLimitExceeded")
        with pytest.raises(client.exceptions.ResourceLimitExceeded):
            Jobs(client).start(request)


def test_a_model_that_left_the_registry_has_no_baseline(account: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(register("Approved"))
    client = make_client("sagemaker")

    def gone(**_: str) -> None:
        raise ClientError({"Error": {"Code": "ValidationException", "Message": "does not exist"}}, "DescribeModelPackage")

    monkeypatch.setattr(client, "describe_model_package", gone)
    with pytest.raises(Nothing, match="no longer in the registry"):
        LiveModel(client, GROUP).run()
