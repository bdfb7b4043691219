"""Windows of live traffic are looked at by schedule: verdicts, metrics and alarms, on what was captured and on labels that come late."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.api import PredictionApi
from cli.main import application
from contracts import layout
from contracts.errors import StateError
from contracts.events import DetailType
from contracts.monitoring import DRIFT_ALARM, NAMESPACE, QUALITY_ALARM, ROWS, DriftVerdict, MonitoringVerdict, QualityVerdict
from stacks.constructs.refusals import FEWEST_REQUESTS
from tests.scenarios.loop import AT_ONCE, CONFIG, Loop, synthesised, table, write_project
from tests.twin.functions.helpers import queue_policy
from twin.server import TwinServer

pytestmark = pytest.mark.timeout(280)

# Labels of a window come during the next one; nothing is trained again, because these scenarios end with the alarm.
WATCHED = CONFIG + AT_ONCE + "monitoring: {window_hours: 1, label_delay_hours: 1}\nretraining: {mode: disabled}\n"
HOUR = timedelta(hours=1)
ROWS_OF_A_WINDOW = 240
SPEED = 20.0  # slow enough that what is sent after a verdict is still within the hour, also on a busy machine


class Watched(Loop):
    """The app with a live model, its windows one by one."""

    start: datetime

    def advance_to(self, moment: datetime) -> None:
        """Move the clock on to a moment, if it is still ahead."""
        ahead = (moment - self.twin.cloud.clock.now()).total_seconds()
        if ahead > 0:
            self.twin.cloud.clock.advance(ahead)

    def next_window(self) -> datetime:
        """Go to the beginning of the next full hour; that hour."""
        hour = self.twin.cloud.clock.now().replace(minute=0, second=0, microsecond=0) + HOUR
        self.advance_to(hour + timedelta(minutes=1))
        return hour

    def ask(self, count: int, shift: float = 0.0) -> dict[str, str]:
        """Send rows; the predictions by inference id."""
        generator = random.Random(count)
        rows = [
            {"height": generator.gauss(shift, 1), "wind": generator.gauss(0, 1), "moon": generator.choice(["new", "half", "full"])}
            for _ in range(count)
        ]
        answer = self.api().post(json.dumps({"instances": rows}).encode())
        assert answer.status == 200
        return {row["inference_id"]: row["prediction"] for row in answer.document()["predictions"]}

    def tell(self, labels: dict[str, str]) -> None:
        """Send labels."""
        api = PredictionApi(self.app.account, self.app.feedback_url)
        told = {"labels": [{"inference_id": name, "label": label} for name, label in labels.items()]}
        assert api.post(json.dumps(told).encode()).status == 202

    def verdict(self, start: datetime) -> MonitoringVerdict:
        """Of the window that began then, as soon as the schedule has had it looked at."""
        self.advance_to(start + HOUR + timedelta(minutes=11))
        key = layout.monitoring_prefix(start + HOUR) + layout.VERDICT

        def look() -> MonitoringVerdict | None:
            found = self.app.s3.list_objects_v2(Bucket=self.app.artifacts_bucket, Prefix=key).get("Contents", ())
            if not found:
                return None
            return MonitoringVerdict.model_validate_json(self.app.s3.get_object(Bucket=self.app.artifacts_bucket, Key=key)["Body"].read())

        return self.until(f"the verdict on {start}", look)

    def lose_the_tick(self, start: datetime) -> None:
        """Pass the tick of the window that began then, with its schedule asleep."""
        for moment, state in ((start, "DISABLED"), (start + HOUR + timedelta(minutes=11), "ENABLED")):
            self.advance_to(moment)
            scheduler, name = self.app.account.client("scheduler"), f"{self.app.prefix}-window"
            known = scheduler.get_schedule(Name=name)
            kept = {key: known[key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target")}
            scheduler.update_schedule(Name=name, State=state, **kept)

    def measured(self, metric: str, end: datetime) -> list[float]:
        """A metric's values at the end of a window."""
        points = self.app.account.client("cloudwatch").get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=metric,
            Dimensions=[{"Name": "Endpoint", "Value": self.app.prefix}],
            StartTime=end,
            EndTime=end + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum", "SampleCount"],
        )["Datapoints"]
        return [point["Maximum"] for point in points]

    def alarm(self, name: str) -> str:
        """An alarm's state."""
        (alarm,) = self.app.account.client("cloudwatch").describe_alarms(AlarmNames=[f"{self.app.prefix}-{name}"])["MetricAlarms"]
        state: str = alarm["StateValue"]
        return state

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke start_monitoring."""
        reply = self.app.account.client("lambda").invoke(
            FunctionName=f"{self.app.prefix}-start-monitoring", Payload=json.dumps(event).encode()
        )
        result: dict[str, Any] = json.loads(reply["Payload"].read())
        return result

    def run_tide(self, *arguments: str) -> Result:
        """A command, on this app."""
        place = ["--config", str(self.app.project.config_path), "--dir", str(self.twin.cloud.folder), "--json"]
        return CliRunner().invoke(application, [*arguments, *place])

    def tide(self, *arguments: str) -> dict[str, Any]:
        """What a command answers to machines."""
        done = self.run_tide(*arguments)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def jobs(self) -> list[str]:
        """The monitoring jobs' names."""
        found = self.app.sagemaker.list_processing_jobs(NameContains=f"{self.app.prefix}-monitor-")["ProcessingJobSummaries"]
        return [job["ProcessingJobName"] for job in found]


def _tick(moment: datetime, **detail: str) -> dict[str, Any]:
    return {
        "id": f"tick-{moment.isoformat()}",
        "source": "tidewheel",
        "detail-type": DetailType.TICK.value,
        "time": moment.isoformat(),
        "region": "us-east-1",
        "account": "123456789012",
        "resources": [],
        "detail": detail,
    }


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The app before its first model."""
    project = write_project(tmp_path_factory.mktemp("watched"), WATCHED)
    assembly = synthesised(project)
    with TwinServer(tmp_path_factory.mktemp("twin"), assembly, speed=SPEED) as twin:
        loop = Loop.deploy(twin, project, assembly)
        yield Watched(loop.twin, loop.app, loop.folder)


def test_windows_from_steady_to_drifted(watched: Watched) -> None:
    # Before there is a model, nothing is watched, and the function says why.
    assert "there is no endpoint" in watched.invoke(_tick(datetime(2026, 1, 5, 9, 10, tzinfo=UTC)))["why"]
    assert watched.jobs() == []
    assert watched.tide("monitor") == {"ok": True, "verdicts": []}
    watched.accepted(table(600))
    watched.live(1)

    steady = watched.next_window()
    answers = watched.ask(ROWS_OF_A_WINDOW)
    key = layout.CAPTURE + layout.capture_prefix(watched.app.prefix, layout.VARIANT, steady) + "59-59-000-broken.jsonl"
    watched.app.s3.put_object(Bucket=watched.app.artifacts_bucket, Key=key, Body=b'not a record\n{"captureData": {}}\n\xff\n')
    watched.lose_the_tick(steady)

    first = steady + HOUR
    watched.tell(answers)  # the model was right every time
    shifted = watched.ask(ROWS_OF_A_WINDOW, shift=3.0)
    found = watched.verdict(first)
    assert (found.drift, found.features[0].name) == (DriftVerdict.DRIFT, "height")
    assert (found.quality.verdict, found.quality.labels) == (QualityVerdict.HELD, ROWS_OF_A_WINDOW)
    assert (found.quality.start, found.quality.end) == (steady, first)

    # The tick of the window before was lost; the next one has it looked at.
    found = watched.verdict(steady)
    assert (found.drift, found.drifted) == (DriftVerdict.NO_DRIFT, ())
    assert (found.counts.rows, found.counts.predictions, found.counts.unreadable_lines) == (ROWS_OF_A_WINDOW, ROWS_OF_A_WINDOW, 3)
    assert found.quality.verdict is QualityVerdict.NOT_ENOUGH_DATA
    assert (found.quality.start, found.quality.end) == (steady - HOUR, steady)
    assert watched.measured(DRIFT_ALARM, steady + HOUR) == [0.0]
    assert watched.measured(QUALITY_ALARM, steady + HOUR) == []
    assert watched.alarm("drift") != "ALARM"

    second = first + HOUR
    watched.tell({name: "no" if said == "yes" else "yes" for name, said in shifted.items()})
    watched.ask(ROWS_OF_A_WINDOW, shift=3.0)
    found = watched.verdict(second)
    assert (found.drift, found.quality.verdict) == (DriftVerdict.DRIFT, QualityVerdict.FELL)
    assert (found.counts.rows, found.quality.labels) == (ROWS_OF_A_WINDOW, ROWS_OF_A_WINDOW)
    watched.until("the drift alarm", lambda: True if watched.alarm("drift") == "ALARM" else None, 30)
    assert watched.measured(QUALITY_ALARM, second + HOUR) == [1.0]

    # The same tick again is the same job.
    before = watched.jobs()
    assert watched.invoke(_tick(second + HOUR + timedelta(minutes=10)))["started"] is False
    assert watched.jobs() == before

    scarce = second + HOUR
    watched.ask(20, shift=3.0)
    found = watched.verdict(scarce)
    assert (found.drift, found.counts.rows) == (DriftVerdict.NOT_ENOUGH_DATA, 20)
    assert watched.measured(ROWS, scarce + HOUR) == [20.0]
    assert watched.measured(DRIFT_ALARM, scarce + HOUR) == []


def test_everything_on_the_dashboard_is_measured(watched: Watched) -> None:
    cloudwatch = watched.app.account.client("cloudwatch")
    body = json.loads(cloudwatch.get_dashboard(DashboardName=watched.app.prefix)["DashboardBody"])
    lines = [line for widget in body["widgets"] for line in widget["properties"].get("metrics", [])]
    measured = set()
    for namespace, metric, *rest in lines:
        texts = [each for each in rest if isinstance(each, str)]
        dimensions = [{"Name": name, "Value": value} for name, value in zip(texts[::2], texts[1::2], strict=True)]
        if cloudwatch.list_metrics(Namespace=namespace, MetricName=metric, Dimensions=dimensions)["Metrics"]:
            measured.add((namespace, metric))
    assert {(namespace, metric) for namespace, metric, *_ in lines} == measured


def test_a_person_sees_the_last_verdict_and_has_any_window_looked_at(watched: Watched) -> None:
    (last,) = watched.tide("monitor")["verdicts"]
    assert last["verdict"]["counts"]["rows"] == 20
    assert "Not enough data" in Path(last["report"]).read_text()
    start = datetime.fromisoformat(last["verdict"]["window"]["start"]) - HOUR
    alarms, before = watched.alarm("drift"), watched.measured(DRIFT_ALARM, start + HOUR)
    (again,) = watched.tide("monitor", "--window", start.isoformat(), (start + HOUR).isoformat())["verdicts"]
    assert (again["verdict"]["drift"], again["verdict"]["quality"]["verdict"]) == ("drift", "fell")
    assert "/by-hand/" in again["uri"]
    # It moved no alarm, and the schedule's verdict is still the last one.
    assert (watched.alarm("drift"), watched.measured(DRIFT_ALARM, start + HOUR)) == (alarms, before)
    assert watched.tide("monitor")["verdicts"] == [last]


def test_a_job_that_fails_says_why_and_people_hear_of_it(watched: Watched) -> None:
    account = watched.app.account
    sns, sqs = account.client("sns"), account.client("sqs")
    queue = sqs.create_queue(QueueName="people")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = watched.app.output("control", "AlertsTopicArn")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": queue_policy(arn, topic)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    metadata = watched.app.version(1).metadata
    assert metadata is not None
    key = f"{layout.run_prefix(metadata.run)}{layout.EVALUATION_CHANNEL}/{layout.STATISTICS}"
    watched.app.s3.put_object(Bucket=watched.app.artifacts_bucket, Key=key, Body=b"{}")
    done = watched.run_tide("monitor", "--now")
    assert isinstance(done.exception, StateError)
    assert "statistics.json is not what it should be" in str(done.exception)

    def heard() -> str | None:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ())
        texts = [json.loads(message["Body"])["Message"] for message in found]
        return next((text for text in texts if "its window has no verdict" in text), None)

    assert "statistics.json is not what it should be" in watched.until("people to hear of it", heard, 30)


def test_requests_that_no_longer_fit_ring_an_alarm(watched: Watched) -> None:
    assert watched.alarm("refused") == "OK"
    renamed = json.dumps({"instances": [{"height": 0.3, "wind_speed": -0.2, "moon": "full"}]}).encode()
    assert {watched.api().post(renamed).status for _ in range(FEWEST_REQUESTS)} == {400}
    watched.until("the alarm on refused requests", lambda: watched.alarm("refused") == "ALARM" or None, 30)
