"""Both monitoring backends look at the same captured traffic, and say the same."""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.api import PredictionApi
from cli.main import application
from contracts import layout
from contracts.events import DetailType
from contracts.monitoring import (
    DRIFT_ALARM,
    NAMESPACE,
    QUALITY_ALARM,
    ROWS,
    CheckType,
    DriftVerdict,
    MonitoringVerdict,
    QualityVerdict,
    Violations,
)
from tests.scenarios.loop import AT_ONCE, CONFIG, Loop, synthesised, table, write_project
from twin.sagemaker.monitoring import START_DELAY
from twin.server import TwinServer

pytestmark = pytest.mark.timeout(280)

WATCH = "monitoring: {backend: model_monitor, window_hours: 1, alarm: {needed: 1, windows: 1}}\nretraining: {mode: disabled}\n"
MONITORED = CONFIG + AT_ONCE + WATCH
HOUR = timedelta(hours=1)
SINGLE, MANY = 105, 60
ENDED = {"Completed", "CompletedWithViolations", "Failed", "Stopped"}


class Monitored(Loop):
    """The app with Model Monitor."""

    def advance_to(self, moment: datetime) -> None:
        """Move the clock on to a moment."""
        ahead = (moment - self.twin.cloud.clock.now()).total_seconds()
        if ahead > 0:
            self.twin.cloud.clock.advance(ahead)

    def ask(self, count: int, seed: int) -> dict[str, str]:
        """One request with rows of a shifted height; the predictions by inference id."""
        generator = random.Random(seed)
        rows = [{"height": generator.gauss(3, 1), "wind": generator.gauss(0, 1), "moon": "full"} for _ in range(count)]
        answer = self.api().post(json.dumps({"instances": rows}).encode())
        assert answer.status == 200
        return {row["inference_id"]: row["prediction"] for row in answer.document()["predictions"]}

    def tell(self, labels: dict[str, str]) -> None:
        """Send labels."""
        told = {"labels": [{"inference_id": name, "label": label} for name, label in labels.items()]}
        assert PredictionApi(self.app.account, self.app.feedback_url).post(json.dumps(told).encode()).status == 202

    def executed(self, kind: str, end: datetime) -> str:
        """The execution of a schedule on the window that ended then, when it has ended: where its results are. Raises AssertionError."""
        schedule = f"{self.app.prefix}-{kind}-quality"

        def look() -> dict[str, Any] | None:
            listed = self.app.sagemaker.list_monitoring_executions(MonitoringScheduleName=schedule)["MonitoringExecutionSummaries"]
            found = [each for each in listed if each["ScheduledTime"] == end]
            return found[0] if found and found[0]["MonitoringExecutionStatus"] in ENDED else None

        execution = self.until(f"{schedule} at {end}", look, 60)
        assert execution["MonitoringExecutionStatus"] == "CompletedWithViolations", execution
        return f"{layout.MONITORING}{self.app.prefix}/{schedule}/{layout.hour_prefix(end)}"

    def by_hand(self, start: datetime, end: datetime) -> str:
        """What start_monitoring's own job says of a window: where its results are."""
        now = self.twin.cloud.clock.now()
        event = {
            "id": f"hand-{now.isoformat()}",
            "source": "tidewheel.cli",
            "detail-type": DetailType.TICK.value,
            "time": now.isoformat(),
            "region": "us-east-1",
            "account": "123456789012",
            "resources": [],
            "detail": {"start": start.isoformat(), "end": end.isoformat()},
        }
        name = f"{self.app.prefix}-start-monitoring"
        reply = json.loads(
            self.app.account.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())["Payload"].read()
        )

        def look() -> str | None:
            job = self.app.sagemaker.describe_processing_job(ProcessingJobName=reply["job"])
            return str(job["ProcessingJobStatus"]) if job["ProcessingJobStatus"] in ENDED else None

        assert self.until(reply["job"], look, 60) == "Completed"
        return str(reply["verdict"]).removeprefix(f"s3://{self.app.artifacts_bucket}/")

    def read(self, prefix: str) -> tuple[MonitoringVerdict, Violations]:
        """(verdict.json, constraint_violations.json) in a folder."""
        verdict, violations = (
            self.app.s3.get_object(Bucket=self.app.artifacts_bucket, Key=prefix + name)["Body"].read()
            for name in (layout.VERDICT, layout.VIOLATIONS)
        )
        return MonitoringVerdict.model_validate_json(verdict), Violations.model_validate_json(violations)

    def measured(self, metric: str, end: datetime) -> tuple[list[float], list[float]]:
        """(a metric's values at the end of a window, how many samples each is of)."""
        points = self.app.account.client("cloudwatch").get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=metric,
            Dimensions=[{"Name": "Endpoint", "Value": self.app.prefix}],
            StartTime=end,
            EndTime=end + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum", "SampleCount"],
        )["Datapoints"]
        return [point["Maximum"] for point in points], [point["SampleCount"] for point in points]

    def alarm(self, name: str) -> str:
        """An alarm's state."""
        (alarm,) = self.app.account.client("cloudwatch").describe_alarms(AlarmNames=[f"{self.app.prefix}-{name}"])["MetricAlarms"]
        return str(alarm["StateValue"])

    def definitions(self) -> list[str]:
        """The versions that the job definitions in use are of."""
        api = self.app.sagemaker
        listed = [*api.list_data_quality_job_definitions()["JobDefinitionSummaries"]]
        listed += api.list_model_quality_job_definitions()["JobDefinitionSummaries"]
        schedules = api.list_monitoring_schedules()["MonitoringScheduleSummaries"]
        assert {each["MonitoringJobDefinitionName"] for each in schedules} == {each["MonitoringJobDefinitionName"] for each in listed}
        return [each["MonitoringJobDefinitionName"].rpartition("-")[2] for each in listed]


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """The app with a live model."""
    project = write_project(tmp_path_factory.mktemp("monitored"), MONITORED)
    assembly = synthesised(project)
    with TwinServer(tmp_path_factory.mktemp("twin"), assembly, speed=60.0) as twin:
        loop = Loop.deploy(twin, project, assembly)
        monitored = Monitored(loop.twin, loop.app, loop.folder)
        monitored.accepted(table(300))
        monitored.live(1)
        yield monitored


def test_both_backends_say_the_same_of_the_same_traffic(monitored: Monitored) -> None:
    start = monitored.twin.cloud.clock.now().replace(minute=0, second=0, microsecond=0) + HOUR
    end = start + HOUR
    monitored.advance_to(start + timedelta(minutes=1))
    answers: dict[str, str] = {}
    for seed in range(SINGLE):
        answers |= monitored.ask(1, seed)
    monitored.ask(MANY, SINGLE)
    monitored.tell({name: "no" if said == "yes" else "yes" for name, said in answers.items()})
    assert monitored.twin.cloud.clock.now() < end
    monitored.advance_to(end + START_DELAY)

    of_data, violations_of_data = monitored.read(monitored.executed("data", end))
    of_model, violations_of_model = monitored.read(monitored.executed("model", end))
    of_job, violations_of_job = monitored.read(monitored.by_hand(start, end))
    assert violations_of_data.violations + violations_of_model.violations == violations_of_job.violations
    assert {found.constraint_check_type for found in violations_of_model.violations} == {CheckType.QUALITY}

    assert (of_data.drift, of_data.drifted, of_data.features) == (of_job.drift, of_job.drifted, of_job.features)
    assert (of_data.drift, of_data.features[0].name, of_data.counts.rows) == (DriftVerdict.DRIFT, "height", SINGLE + MANY)
    assert (of_model.quality.verdict, of_model.quality.labels) == (QualityVerdict.FELL, SINGLE)
    judged, also_judged = of_model.quality, of_job.quality
    assert (judged.start, judged.end, judged.verdict, judged.labels) == (also_judged.start, also_judged.end, also_judged.verdict, SINGLE)
    assert {each.metric: each.value for each in judged.metrics} == pytest.approx({each.metric: each.value for each in also_judged.metrics})
    assert of_model.drift is DriftVerdict.NOT_COMPARED

    place = ["--config", str(monitored.app.project.config_path), "--dir", str(monitored.twin.cloud.folder)]
    shown = CliRunner().invoke(application, ["monitor", *place])
    assert shown.exit_code == 0, shown.output
    assert "only labelled predictions" in shown.output
    assert f"quality: fell, by {SINGLE} labels" in shown.output

    # What the alarms see comes once, whoever runs the analyzer.
    assert monitored.measured(DRIFT_ALARM, end) == ([1.0], [1.0])
    assert monitored.measured(QUALITY_ALARM, end) == ([1.0], [1.0])
    assert monitored.measured(ROWS, end) == ([float(SINGLE + MANY)], [1.0])
    for name in ("drift", "quality"):
        monitored.until(f"the {name} alarm", partial(_in_alarm, monitored, name), 60)


def _in_alarm(monitored: Monitored, name: str) -> bool | None:
    return True if monitored.alarm(name) == "ALARM" else None


def test_the_schedules_follow_the_champion(monitored: Monitored) -> None:
    assert monitored.definitions() == ["1", "1"]
    monitored.accepted(table(320, seed=1), "second.csv")
    monitored.live(2)
    monitored.until("the definitions of version 1 to go", lambda: True if monitored.definitions() == ["2", "2"] else None, 60)
    monitored.reject(2)
    monitored.live(1)
    monitored.until("the definitions of version 1 to be back", lambda: True if monitored.definitions() == ["1", "1"] else None, 60)
