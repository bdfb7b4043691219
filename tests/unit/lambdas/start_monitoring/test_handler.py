"""start_monitoring against an account: what is live decides whether there is anything to watch."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from contracts import layout
from lambdas.start_monitoring import handler
from lambdas.start_monitoring.adapters import Jobs, LiveModel, Nothing
from tests.unit.lambdas.account import GROUP, METADATA, make_client, register, serve

Client = Callable[[str], Any]
Golden = Callable[[str], dict[str, Any]]

DAY = timedelta(days=1)  # a window
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
        "made_good": [],
    }
    assert again == first
    assert _jobs() == [first["job"]]
    job = make_client("sagemaker").describe_processing_job(ProcessingJobName=first["job"])
    assert f"/runs/{METADATA['Run']}/evaluation" in job["ProcessingInputs"][0]["S3Input"]["S3Uri"]


@pytest.fixture
def jobs(account: Client, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Processing jobs by name, with their status; as on AWS, and not with moto, a name is used once."""
    found: dict[str, str] = {}
    client = make_client("sagemaker")

    def create(**request: Any) -> None:
        if request["ProcessingJobName"] in found:
            raise client.exceptions.ResourceInUse({"Error": {"Code": "ResourceInUse", "Message": "is there"}}, "CreateProcessingJob")
        found[request["ProcessingJobName"]] = "InProgress"

    monkeypatch.setattr(client, "create_processing_job", create)
    monkeypatch.setattr(client, "describe_processing_job", lambda ProcessingJobName: {"ProcessingJobStatus": found[ProcessingJobName]})  # noqa: N803 - AWS's name
    return found


def test_a_window_without_a_verdict_is_looked_at_by_a_later_tick(jobs: dict[str, str], event: Any, context: Any) -> None:
    serve(register("Approved"))
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + 4 * DAY  # of the window that ended last, all of them live
    names = [f"{GROUP}-monitor-{end - back * DAY:%Y%m%d%H%M}" for back in range(5)]
    ends = [(end - back * DAY).isoformat() for back in range(5)]
    key = layout.monitoring_prefix(end - DAY) + layout.VERDICT
    make_client("s3").put_object(Bucket="artifacts-bucket", Key=key, Body=b"{}")

    def tick(moment: datetime) -> dict[str, Any]:
        reply: dict[str, Any] = handler.handle(event("tick") | {"time": moment.isoformat()}, context)
        return reply

    assert tick(end)["made_good"] == ends[2:4]  # one has a verdict, one is too long ago
    assert list(jobs) == [names[0], *names[2:4]]
    jobs[names[0]] = "Failed"
    jobs[names[2]] = "Completed"
    for made_good in (ends[:1], []):
        assert tick(end + DAY)["made_good"] == made_good
        assert list(jobs)[4:] == [f"{names[0]}-1"]


def test_windows_before_the_live_model_are_not_looked_at_again(account: Client, event: Any, context: Any) -> None:
    serve(register("Approved"))
    now = datetime.now(UTC)
    assert handler.handle(event("tick") | {"time": now.isoformat()}, context)["made_good"] == []
    assert len(_jobs()) == 1


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
        LiveModel(client, GROUP).read()
