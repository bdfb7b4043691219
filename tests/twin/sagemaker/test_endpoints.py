"""Endpoints are processes that answer; updates shift real traffic, and no request is lost on the way."""

import json
import os
import signal
import threading
import time
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.sagemaker.conftest import IMAGE, Account, until


def guarded(kind: str = "CANARY", wait: int = 60, termination: int = 60, alarms: tuple[str, ...] = ()) -> dict[str, Any]:
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": wait}
    if kind == "CANARY":
        routing["CanarySize"] = {"Type": "CAPACITY_PERCENT", "Value": 50}
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": termination, "MaximumExecutionTimeoutInSeconds": 3600}
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}
    return {"BlueGreenUpdatePolicy": policy} | rollback


def alarm(account: Account, name: str = "5xx") -> None:
    account.cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": "AllTraffic"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )


class Client(threading.Thread):
    """Asks all the time, and counts what comes back."""

    def __init__(self, account: Account) -> None:
        super().__init__(daemon=True)
        self._account = account
        self._over = threading.Event()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self.answers[self._account.ask()["says"]] += 1
            except ClientError as error:
                self.failures.append(str(error))

    def __enter__(self) -> "Client":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def test_an_endpoint_answers_and_is_measured(account: Account) -> None:
    account.endpoint(account.config("one", "one", GREETING="hi"))
    answer = account.runtime.invoke_endpoint(
        EndpointName="e", Body=b"\xff\x00", ContentType="application/octet-stream", Accept="text/x", InferenceId="i"
    )
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    said = json.loads(answer["Body"].read())
    assert (said["says"], said["bytes"], said["accept"]) == ("one", 2, "text/x")
    described = account.sagemaker.describe_endpoint(EndpointName="e")
    assert described["ProductionVariants"][0]["DesiredInstanceCount"] == 1
    store = account.twin.part("metrics").store
    sums = {key[1]: sum(value for _, value in store.points(key, 0, 1e11, 60, "Sum")) for key in store.series() if key[0] == "AWS/SageMaker"}
    assert (sums["Invocations"], sums["Invocation5XXErrors"], sums["Invocation4XXErrors"]) == (1, 0, 0)
    assert 0 < sums["ModelLatency"] < 5e6
    assert [event["EndpointStatus"] for event in account.events.details("SageMaker Endpoint State Change")] == ["CREATING", "IN_SERVICE"]
    account.sagemaker.delete_endpoint(EndpointName="e")
    until(lambda: account.sagemaker.list_endpoints()["Endpoints"], lambda found: not found)
    with pytest.raises(ClientError, match="Endpoint e of account 123456789012 not found"):
        account.ask()


def test_what_the_model_refuses_is_a_model_error(account: Account) -> None:
    account.endpoint(account.config("one", "one"))
    store = account.twin.part("metrics").store
    for body, status, said, metric in (
        (b"400", 400, "field x is missing", "Invocation4XXErrors"),
        (b"500", 500, "broken inside", "Invocation5XXErrors"),
    ):
        with pytest.raises(ClientError) as caught:
            account.ask(body)
        response: Any = caught.value.response
        assert response["Error"]["Code"] == "ModelError"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (status, said)
        assert [sum(value for _, value in store.points(key, 0, 1e11, 60, "Sum")) for key in store.series() if key[1] == metric] == [1]


def test_a_container_that_never_gets_healthy_fails_the_endpoint(account: Account) -> None:
    account.model("m", "one", EXIT="1")
    variant = {"VariantName": "AllTraffic", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    account.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    account.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    described = account.settled()
    assert described["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]
    with pytest.raises(ClientError, match="can only be deleted"):
        account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="c")
    account.sagemaker.delete_endpoint(EndpointName="e")
    until(lambda: account.sagemaker.list_endpoints()["Endpoints"], lambda found: not found)


@pytest.mark.parametrize("speed", [60.0])
def test_a_canary_shifts_without_a_failed_request(account: Account) -> None:
    account.endpoint(account.config("one", "one", count=2))
    alarm(account)
    account.config("two", "two", count=2)
    with Client(account) as client:
        account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two", DeploymentConfig=guarded(alarms=("5xx",)))
        pending = until(
            lambda: account.sagemaker.describe_endpoint(EndpointName="e").get("PendingDeploymentSummary", {}),
            lambda found: found.get("ProductionVariants", [{}])[0].get("VariantStatus", [{}])[0].get("Status") == "Baking",
        )
        assert pending["EndpointConfigName"] == "two"
        sagemaker = account.twin.part("sagemaker")
        assert (sagemaker.is_busy, sagemaker.endpoints.is_baking) == (True, True)
        with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
            account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="one")
        described = account.settled()
        time.sleep(0.1)
    assert (sagemaker.is_busy, sagemaker.endpoints.is_baking) == (False, False)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "two")
    assert client.failures == []
    assert client.answers["one"] > 0
    assert client.answers["two"] > 0
    assert account.ask()["says"] == "two"


@pytest.mark.parametrize("speed", [60.0])
def test_an_alarm_while_baking_brings_the_old_fleet_back(account: Account) -> None:
    account.endpoint(account.config("one", "one", count=2))
    alarm(account)
    account.config("two", "two", count=2, ANSWER="500")
    with Client(account) as client:
        account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two", DeploymentConfig=guarded(wait=600, alarms=("5xx",)))
        described = account.settled()
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "one")
    assert client.failures
    assert all("broken inside" in failure for failure in client.failures)
    statuses = [event["EndpointStatus"] for event in account.events.details("SageMaker Endpoint State Change")]
    assert statuses == ["CREATING", "IN_SERVICE", "UPDATING", "ROLLING_BACK", "IN_SERVICE"]
    assert {account.ask()["says"] for _ in range(10)} == {"one"}


@pytest.mark.parametrize("speed", [60.0])
def test_a_killed_canary_is_rolled_back_by_its_alarm(account: Account) -> None:
    account.endpoint(account.config("one", "one", count=2))
    alarm(account)
    account.config("two", "two", count=2)
    account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two", DeploymentConfig=guarded(wait=1800, alarms=("5xx",)))
    answer = until(account.ask, lambda said: said["says"] == "two")
    os.kill(answer["pid"], signal.SIGKILL)
    with Client(account) as client:
        described = account.settled()
        after = len(client.failures)
        time.sleep(0.2)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "one")
    assert 0 < after == len(client.failures)


@pytest.mark.parametrize("speed", [60.0])
def test_a_rollback_lets_requests_in_flight_finish(account: Account) -> None:
    account.endpoint(account.config("one", "one"))
    account.config("two", "two")
    answers: list[Any] = []
    account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two", DeploymentConfig=guarded("ALL_AT_ONCE", termination=0))
    asking = [threading.Thread(target=lambda: answers.append(account.ask(b"slow")["says"])) for _ in range(4)]
    for thread in asking:
        thread.start()
    assert account.settled()["EndpointConfigName"] == "two"
    for thread in asking:
        thread.join()
    assert len(answers) == 4


@pytest.mark.parametrize("speed", [600.0])
def test_a_dead_instance_is_replaced(account: Account) -> None:
    account.endpoint(account.config("one", "one"))
    pid = account.ask()["pid"]
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ClientError, match="could not be reached"):
        account.ask()

    def answered() -> int:
        try:
            return int(account.ask()["pid"])
        except ClientError:
            return 0

    assert until(answered, bool) != pid


def test_an_update_that_cannot_work_is_refused(account: Account) -> None:
    account.endpoint(account.config("one", "one"))
    alarm(account)
    account.config("two", "two")
    blind = account.new_role("blind", ["s3:*"])
    account.sagemaker.create_model(ModelName="b", PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=blind)
    variant = {"VariantName": "AllTraffic", "ModelName": "b", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    account.sagemaker.create_endpoint_config(EndpointConfigName="b", ProductionVariants=[variant])
    for config, deployment, named in (
        ("two", guarded("ALL_AT_ONCE", alarms=("nowhere",)), "nowhere"),
        ("two", guarded("CANARY"), "at most 50%"),
        ("b", guarded("ALL_AT_ONCE", alarms=("5xx",)), "could not be read with the model's execution role"),
    ):
        with pytest.raises(ClientError, match=named):
            account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName=config, DeploymentConfig=deployment)
        assert account.sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"] == "InService"


def test_an_endpoint_whose_configuration_is_gone_cannot_be_updated(account: Account) -> None:
    account.endpoint(account.config("one", "one"))
    account.config("two", "two")
    account.sagemaker.delete_endpoint_config(EndpointConfigName="one")
    with pytest.raises(ClientError, match=r'Could not find endpoint configuration ".*endpoint-config/one"'):
        account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two")
    assert account.ask()["says"] == "one"


@pytest.mark.parametrize("speed", [60.0])
def test_a_green_fleet_that_never_gets_healthy_changes_nothing(account: Account) -> None:
    account.endpoint(account.config("one", "one"))
    account.config("two", "two")
    account.s3.delete_object(Bucket="data", Key="two.tar.gz")
    account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two")
    described = account.settled()
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "one")
    assert "two.tar.gz" in described["FailureReason"]
    assert account.ask()["says"] == "one"


def test_weights_are_changed_and_kept(account: Account) -> None:
    account.endpoint(account.config("one", "one"))
    wanted = [{"VariantName": "AllTraffic", "DesiredWeight": 3.0, "DesiredInstanceCount": 2}]
    account.sagemaker.update_endpoint_weights_and_capacities(EndpointName="e", DesiredWeightsAndCapacities=wanted)
    account.config("two", "two")
    account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two", RetainAllVariantProperties=True)
    (variant,) = account.settled()["ProductionVariants"]
    assert (variant["CurrentWeight"], variant["DesiredInstanceCount"]) == (3.0, 2)


def serverless(account: Account, name: str, says: str, concurrency: int = 2, **changes: Any) -> str:
    """An endpoint configuration with a serverless variant of a model that says this."""
    account.model(f"m-{name}", says)
    size = {"MemorySizeInMB": 2048, "MaxConcurrency": concurrency}
    variant = {"VariantName": "AllTraffic", "ModelName": f"m-{name}", "ServerlessConfig": size} | changes.pop("variant", {})
    account.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **changes)
    return name


@pytest.mark.parametrize("speed", [60.0])
def test_a_serverless_variant_serves_and_is_replaced_at_once(account: Account) -> None:
    account.endpoint(serverless(account, "one", "one"))
    serverless(account, "two", "two")
    (shown,) = account.sagemaker.describe_endpoint(EndpointName="e")["ProductionVariants"]
    assert shown["CurrentServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 2}
    assert "CurrentInstanceCount" not in shown
    with pytest.raises(ClientError, match="does not shift the traffic of a serverless endpoint in steps"):
        account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two", DeploymentConfig=guarded())
    account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two", DeploymentConfig=guarded("ALL_AT_ONCE"))
    assert account.settled()["EndpointConfigName"] == "two"
    assert account.ask()["says"] == "two"
    with pytest.raises(ClientError, match=r"ValidationError.*takes 4194304"):
        account.ask(b"x" * (4 * 1024 * 1024 + 1))


def test_beyond_its_concurrency_a_serverless_variant_throttles(account: Account) -> None:
    account.endpoint(serverless(account, "one", "one", concurrency=2))
    account.runtime = account.cloud.client("sagemaker-runtime", retries=-1)  # a retry might come after the others have gone
    answers: list[str] = []

    def ask() -> None:
        try:
            answers.append(account.ask(b"slow")["says"])
        except ClientError as error:
            answers.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["ThrottlingException", "one", "one"]
    assert account.ask()["says"] == "one"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variant": {"InstanceType": "ml.m5.large"}}, "has a ServerlessConfig, so it has none of"),
        ({"variant": {"ServerlessConfig": {"MemorySizeInMB": 1500, "MaxConcurrency": 1}}}, "1500 is not one of 1024"),
        ({"variant": {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2, "ProvisionedConcurrency": 1}}}, "Provisioned"),
        (
            {
                "DataCaptureConfig": {
                    "InitialSamplingPercentage": 100,
                    "DestinationS3Uri": "s3://data/c",
                    "CaptureOptions": [{"CaptureMode": "Input"}],
                }
            },
            "not supported for serverless",
        ),
    ],
)
def test_what_serverless_endpoints_do_not_have_is_refused(account: Account, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        serverless(account, "one", "one", **changes)
