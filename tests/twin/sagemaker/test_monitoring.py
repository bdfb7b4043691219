"""Model Monitor: schedules start real jobs on their windows, with the contract that containers are written against."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.sagemaker.exceptions import SagemakerClientError

from tests.twin.sagemaker.conftest import IMAGE, Account, until
from twin.sagemaker.job_definitions import offset
from twin.sagemaker.merge import merge, read_labels
from twin.sagemaker.monitoring import START_DELAY, interval

HOURLY = "cron(0 * ? * * *)"
CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://data/capture",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
}
ENDED = {"Completed", "CompletedWithViolations", "Failed", "Stopped"}


def record(event: str, inference: str = "") -> str:
    """A line of a capture file."""
    metadata = {"eventId": event} | ({"inferenceId": inference} if inference else {})
    return json.dumps({"captureData": {"endpointInput": {"data": event}}, "eventMetadata": metadata, "eventVersion": "0"})


def truth(identifier: str, label: str) -> str:
    """A line of a ground-truth file."""
    return json.dumps({"groundTruthData": {"data": label, "encoding": "CSV"}, "eventMetadata": {"eventId": identifier}})


class Monitored:
    """An account with an endpoint `e` that captures, and the hour that ended last."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.sagemaker = account.sagemaker
        account.model("one", "one")
        variant = {"VariantName": "AllTraffic", "ModelName": "one", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        self.sagemaker.create_endpoint_config(EndpointConfigName="one", ProductionVariants=[variant], DataCaptureConfig=CAPTURE)
        account.endpoint("one")
        now = account.cloud.clock.now()
        self.hour = now.replace(minute=0, second=0, microsecond=0)
        """The full hour before now; the next execution is scheduled an hour later."""

    @property
    def next(self) -> datetime:
        return self.hour + timedelta(hours=1)

    def put(self, folder: str, moment: datetime, lines: list[str], name: str = "a") -> None:
        self.account.s3.put_object(
            Bucket="data", Key=f"{folder}/{moment:%Y/%m/%d/%H}/{name}.jsonl", Body="".join(f"{line}\n" for line in lines)
        )

    def captured(self, moment: datetime, lines: list[str], name: str = "a") -> None:
        self.put("capture/e/AllTraffic", moment, lines, name)

    def definition(self, kind: str = "DataQuality", name: str = "d", **changes: Any) -> dict[str, Any]:
        """The request of a definition that runs the image's `watch`."""
        given = {"EndpointInput": {"EndpointName": "e", "LocalPath": "/opt/ml/processing/input/endpoint"}}
        if kind == "ModelQuality":
            given["GroundTruthS3Input"] = {"S3Uri": "s3://data/truth"}
        output = {"S3Uri": "s3://data/monitoring", "LocalPath": "/opt/ml/processing/output"}
        return {
            "JobDefinitionName": name,
            f"{kind}AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python", "-m", "tiny", "watch"]},
            f"{kind}JobInput": given,
            f"{kind}JobOutputConfig": {"MonitoringOutputs": [{"S3Output": output}]},
            "JobResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}},
            "RoleArn": self.account.role,
        } | changes

    def define(self, kind: str = "DataQuality", name: str = "d", **changes: Any) -> None:
        create = self.sagemaker.create_data_quality_job_definition
        if kind == "ModelQuality":
            create = self.sagemaker.create_model_quality_job_definition
        create(**self.definition(kind, name, **changes))

    def schedule(self, kind: str = "DataQuality", name: str = "d", expression: str = HOURLY) -> None:
        timing = {"ScheduleExpression": expression}
        config = {"ScheduleConfig": timing, "MonitoringJobDefinitionName": name, "MonitoringType": kind}
        self.sagemaker.create_monitoring_schedule(MonitoringScheduleName="s", MonitoringScheduleConfig=config)

    def go_on(self, moment: datetime) -> None:
        """Move the clock to a moment of twin time."""
        clock = self.account.cloud.clock
        clock.advance((moment - clock.now()).total_seconds())

    def executions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sagemaker.list_monitoring_executions(MonitoringScheduleName="s")["MonitoringExecutionSummaries"]
        return found

    def ended(self, count: int = 1) -> list[dict[str, Any]]:
        """The first `count` executions, when they have ended; the newest first."""
        found: list[dict[str, Any]] = until(
            self.executions, lambda found: len(found) == count and all(each["MonitoringExecutionStatus"] in ENDED for each in found)
        )
        return found

    def seen(self, moment: datetime) -> dict[str, Any]:
        """What the container of the execution scheduled at a moment saw."""
        key = f"monitoring/e/s/{moment:%Y/%m/%d/%H}/seen.json"
        found: dict[str, Any] = json.loads(self.account.s3.get_object(Bucket="data", Key=key)["Body"].read())
        return found


@pytest.fixture
def speed() -> float:
    """The clock stands still, and the tests move it."""
    return 0.0


@pytest.fixture
def monitored(account: Account) -> Monitored:
    return Monitored(account)


def test_a_window_is_analysed_by_the_container_contract(monitored: Monitored) -> None:
    for place in ("statistics", "constraints"):
        monitored.account.s3.put_object(Bucket="data", Key=f"base/{place}.json", Body=place.encode())
    monitored.captured(monitored.hour, [record("now")])
    monitored.captured(monitored.hour - timedelta(hours=1), [record("too old")])
    application = monitored.definition()["DataQualityAppSpecification"] | {"Environment": {"OWN": "mine", "start_time": "never"}}
    baseline = {f"{name}Resource": {"S3Uri": f"s3://data/base/{name.lower()}.json"} for name in ("Statistics", "Constraints")}
    monitored.define(DataQualityAppSpecification=application, DataQualityBaselineConfig=baseline)
    monitored.schedule()
    monitored.go_on(monitored.next + START_DELAY - timedelta(seconds=5))
    assert monitored.executions() == []
    monitored.go_on(monitored.next + START_DELAY)
    (execution,) = monitored.ended()
    assert (execution["MonitoringExecutionStatus"], execution["MonitoringType"]) == ("Completed", "DataQuality")
    assert execution["ScheduledTime"] == monitored.next

    seen = monitored.seen(monitored.next)
    root = seen["environment"]["output_path"].removesuffix("/processing/output")
    assert seen["environment"] == {
        "start_time": f"{monitored.hour:%Y-%m-%dT%H:%M:%SZ}",
        "end_time": f"{monitored.next:%Y-%m-%dT%H:%M:%SZ}",
        "dataset_source": f"{root}/processing/input/endpoint",
        "dataset_format": '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}',
        "baseline_statistics": f"{root}/processing/baseline/stats/statistics.json",
        "baseline_constraints": f"{root}/processing/baseline/constraints/constraints.json",
        "output_path": f"{root}/processing/output",
        "sagemaker_endpoint_name": "e",
        "sagemaker_monitoring_schedule_name": "s",
        "problem_type": None,
        "inference_attribute": None,
        "OWN": "mine",
    }
    place = f"processing/input/endpoint/e/AllTraffic/{monitored.hour:%Y/%m/%d/%H}/a.jsonl"
    assert seen["files"] == {
        "processing/baseline/constraints/constraints.json": "constraints",
        "processing/baseline/stats/statistics.json": "statistics",
        place: record("now") + "\n",
    }
    job = monitored.sagemaker.describe_processing_job(ProcessingJobName=execution["ProcessingJobArn"].rpartition("/")[2])
    assert job["MonitoringScheduleArn"].endswith(":monitoring-schedule/s")
    described = monitored.sagemaker.describe_monitoring_schedule(MonitoringScheduleName="s")
    assert described["LastMonitoringExecutionSummary"]["ProcessingJobArn"] == execution["ProcessingJobArn"]


def _measured(account: Account, namespace: str) -> list[float]:
    now = account.cloud.clock.now()
    found = account.cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName="drift",
        Dimensions=[{"Name": "Endpoint", "Value": "e"}],
        StartTime=now - timedelta(hours=3),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return [point["Maximum"] for point in found]


def test_its_metrics_are_published_and_violations_told(monitored: Monitored) -> None:
    monitored.captured(monitored.hour, [record("now")])
    says = {"SAYS": "CompletedWithViolations: Job completed successfully with 3 violations."}
    monitored.define(DataQualityAppSpecification=monitored.definition()["DataQualityAppSpecification"] | {"Environment": says})
    monitored.schedule()
    monitored.go_on(monitored.next + START_DELAY)
    assert monitored.ended()[0]["MonitoringExecutionStatus"] == "CompletedWithViolations"
    assert _measured(monitored.account, "aws/sagemaker/Endpoints/data-metrics") == [1.0]
    assert _measured(monitored.account, "aws/sagemaker/Endpoints/model-metrics") == []


def test_metrics_need_the_roles_permission(monitored: Monitored) -> None:
    monitored.captured(monitored.hour, [record("now")])
    monitored.define(RoleArn=monitored.account.new_role("quiet", ["s3:*", "kms:*", "logs:*", "ecr:*"]))
    monitored.schedule()
    monitored.go_on(monitored.next + START_DELAY)
    (execution,) = monitored.ended()
    assert execution["MonitoringExecutionStatus"] == "Failed"
    assert "cloudwatch:PutMetricData" in execution["FailureReason"]


def test_captures_need_the_roles_permission(monitored: Monitored) -> None:
    monitored.captured(monitored.hour, [record("now")])
    monitored.define(RoleArn=monitored.account.new_role("blind", ["cloudwatch:PutMetricData"]))
    monitored.schedule()
    monitored.go_on(monitored.next + START_DELAY)
    (execution,) = monitored.ended()
    assert execution["MonitoringExecutionStatus"] == "Failed"
    assert "s3:ListBucket" in execution["FailureReason"]


def test_labels_are_merged_before_a_models_quality_is_judged(monitored: Monitored) -> None:
    early = monitored.hour - timedelta(hours=1)
    monitored.captured(early, [record("e1", "a"), record("e2", "b"), "not json", record("e3")])
    monitored.captured(monitored.hour, [record("e4", "c")])
    monitored.put("truth", early, [truth("a", "no"), truth("e3", "yes")])
    monitored.put("truth", monitored.hour, [truth("a", "yes"), truth("c", "yes")])
    given = monitored.definition("ModelQuality")["ModelQualityJobInput"]
    given["EndpointInput"] |= {"StartTimeOffset": "-PT2H", "EndTimeOffset": "-PT1H", "InferenceAttribute": "prediction"}
    application = monitored.definition("ModelQuality")["ModelQualityAppSpecification"] | {"ProblemType": "BinaryClassification"}
    monitored.define("ModelQuality", ModelQualityJobInput=given, ModelQualityAppSpecification=application)
    monitored.schedule("ModelQuality")
    monitored.go_on(monitored.next + START_DELAY)
    assert monitored.ended()[0]["MonitoringExecutionStatus"] == "Completed"

    seen = monitored.seen(monitored.next)
    ((place, text),) = seen["files"].items()
    assert place == f"processing/input/endpoint/e/AllTraffic/{early:%Y/%m/%d/%H}/merged.jsonl"
    merged = [json.loads(line) for line in text.splitlines()]
    assert [(line["eventMetadata"]["eventId"], line["groundTruthData"]["data"]) for line in merged] == [("e1", "yes"), ("e3", "yes")]
    environment = seen["environment"]
    assert (environment["start_time"], environment["end_time"]) == (f"{early:%Y-%m-%dT%H:%M:%SZ}", f"{monitored.hour:%Y-%m-%dT%H:%M:%SZ}")
    assert (environment["problem_type"], environment["inference_attribute"]) == ("BinaryClassification", "prediction")
    assert _measured(monitored.account, "aws/sagemaker/Endpoints/model-metrics") == [1.0]


def test_nothing_to_look_at_is_a_failure_without_a_job(monitored: Monitored) -> None:
    monitored.captured(monitored.hour, [record("e1", "a")])
    monitored.define("ModelQuality")
    monitored.schedule("ModelQuality")
    monitored.go_on(monitored.next + START_DELAY)
    (execution,) = monitored.ended()
    assert (execution["MonitoringExecutionStatus"], execution["FailureReason"]) == ("Failed", "Job inputs had no data")
    assert "ProcessingJobArn" not in execution


def test_every_hour_is_made_up_for_but_not_those_of_a_stop(monitored: Monitored) -> None:
    monitored.define()
    monitored.schedule()
    monitored.go_on(monitored.next + timedelta(hours=2) + START_DELAY)
    hours = [each["ScheduledTime"] for each in monitored.ended(3)]
    assert hours == [monitored.next + timedelta(hours=n) for n in (2, 1, 0)]
    monitored.sagemaker.stop_monitoring_schedule(MonitoringScheduleName="s")
    monitored.go_on(monitored.next + timedelta(hours=4) + START_DELAY)
    looked = monitored.account.twin.part("sagemaker").schedules
    looked.tick()
    monitored.sagemaker.start_monitoring_schedule(MonitoringScheduleName="s")
    monitored.go_on(monitored.next + timedelta(hours=5) + START_DELAY)
    assert monitored.ended(4)[0]["ScheduledTime"] == monitored.next + timedelta(hours=5)


def test_a_schedule_is_moved_to_another_definition(monitored: Monitored) -> None:
    monitored.define()
    monitored.define(name="d2")
    monitored.schedule()
    with pytest.raises(ClientError, match="is used by the monitoring schedule s"):
        monitored.sagemaker.delete_data_quality_job_definition(JobDefinitionName="d")
    config = {"ScheduleConfig": {"ScheduleExpression": HOURLY}, "MonitoringJobDefinitionName": "d2", "MonitoringType": "DataQuality"}
    monitored.sagemaker.update_monitoring_schedule(MonitoringScheduleName="s", MonitoringScheduleConfig=config)
    monitored.sagemaker.delete_data_quality_job_definition(JobDefinitionName="d")
    (left,) = monitored.sagemaker.list_data_quality_job_definitions(EndpointName="e")["JobDefinitionSummaries"]
    assert left["MonitoringJobDefinitionName"] == "d2"
    (shown,) = monitored.sagemaker.list_monitoring_schedules(EndpointName="e")["MonitoringScheduleSummaries"]
    assert (shown["MonitoringJobDefinitionName"], shown["MonitoringScheduleStatus"]) == ("d2", "Scheduled")
    monitored.sagemaker.delete_monitoring_schedule(MonitoringScheduleName="s")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        monitored.sagemaker.describe_monitoring_schedule(MonitoringScheduleName="s")
    assert monitored.sagemaker.describe_data_quality_job_definition(JobDefinitionName="d2")["RoleArn"] == monitored.account.role


def test_a_definition_that_could_not_run_is_refused_by_name(monitored: Monitored) -> None:
    application = monitored.definition()["DataQualityAppSpecification"]
    given = {"EndpointName": "e", "LocalPath": "/opt/ml/x"}
    refused: list[tuple[dict[str, Any], str]] = [
        ({"DataQualityAppSpecification": application | {"RecordPreprocessorSourceUri": "s3://data/x.py"}}, "RecordPreprocessorSourceUri"),
        ({"DataQualityAppSpecification": application | {"ImageUri": "elsewhere:1"}}, "elsewhere:1"),
        ({"DataQualityBaselineConfig": {"BaseliningJobName": "b"}}, "BaseliningJobName"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/nobody"}, "Could not assume role"),
        ({"DataQualityJobInput": {"EndpointInput": given | {"EndpointName": "f"}}}, "Could not find endpoint"),
        ({"DataQualityJobInput": {"EndpointInput": given | {"LocalPath": "/elsewhere"}}}, "/elsewhere is not below"),
        ({"DataQualityJobInput": {"EndpointInput": given | {"S3InputMode": "Pipe"}}}, "S3InputMode Pipe"),
        ({"DataQualityJobInput": {"EndpointInput": given | {"StartTimeOffset": "PT1H"}}}, "PT1H"),
        ({"DataQualityJobInput": {"EndpointInput": given | {"FeaturesAttribute": "f"}}}, "FeaturesAttribute"),
    ]
    for changes, named in refused:
        with pytest.raises(ClientError, match=named):
            monitored.define(**changes)
    monitored.define()
    with pytest.raises(ClientError, match="already exists"):
        monitored.define()


def test_a_schedule_that_could_not_run_is_refused_by_name(monitored: Monitored) -> None:
    monitored.define()
    for changes, named in (
        ({"expression": "NOW"}, "NOW"),
        ({"expression": "cron(30 * ? * * *)"}, "no schedule of hours"),
        ({"name": "nobody"}, "nobody"),
        ({"kind": "ModelBias"}, "ModelBias"),
    ):
        with pytest.raises(ClientError, match=named):
            monitored.schedule(**changes)
    monitored.schedule()
    with pytest.raises(ClientError, match="already exists"):
        monitored.schedule()


@pytest.mark.parametrize(("expression", "hours"), [(HOURLY, 1), ("cron(0 6 ? * * *)", 24), ("cron(0 0/6 ? * * *)", 6)])
def test_how_often_an_expression_fires(expression: str, hours: int) -> None:
    assert interval(expression) == timedelta(hours=hours)


@pytest.mark.parametrize("expression", ["cron(0 17/12 ? * * *)", "cron(0 0/5 ? * * *)", "rate(1 hour)", "cron(0 24 ? * * *)", ""])
def test_what_is_no_schedule_of_hours(expression: str) -> None:
    with pytest.raises(SagemakerClientError):
        interval(expression)


def test_offsets() -> None:
    assert offset("-PT7H") == timedelta(hours=-7)
    assert offset("-P8DT1H30M") == timedelta(days=-8, hours=-1, minutes=-30)
    for text in ("PT7H", "-P", "-PT", "-P1W", "x"):
        with pytest.raises(SagemakerClientError):
            offset(text)


def test_only_labelled_records_come_through_a_merge() -> None:
    captured = [record("1", "a").encode(), record("2", "b").encode(), b"[]", b"{", record("b").encode()]
    labels = read_labels([truth("a", "x").encode(), b"{}", truth("b", "y").encode(), truth("a", "z").encode()])
    found = [json.loads(line) for line in merge(captured, labels)]
    assert [(line["eventMetadata"], line["groundTruthData"]["data"]) for line in found] == [
        ({"eventId": "1", "inferenceId": "a"}, "z"),
        ({"eventId": "2", "inferenceId": "b"}, "y"),
        ({"eventId": "b"}, "y"),
    ]
