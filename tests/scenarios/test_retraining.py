"""The loop trains by itself: an alarm, labels, a collection, a run; and what becomes of it when labels, events or jobs are missing.

The tests of this module build on each other, as the hours of an app do. The alarm on drift is made to ring by its metric.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from cli.api import PredictionApi
from cli.lineage import studio
from cli.main import application
from contracts.ledger import Decision, Outcome, Retraining
from contracts.monitoring import DRIFT_ALARM, NAMESPACE
from contracts.reproduction import Grade
from lambdas.ledger import Ledger
from tests.scenarios.conftest import SPEED
from tests.scenarios.loop import AT_ONCE, CONFIG, Loop, synthesised, table, write_project
from twin.server import TwinServer

pytestmark = pytest.mark.timeout(280)

# What the gate says is tested elsewhere: with few rows it is a matter of chance which model is better.
RETRAINED = (
    CONFIG.replace("gate: {", "gate: {mode: dry_run, ")
    + AT_ONCE
    + """
monitoring: {window_hours: 1, alarm: {needed: 1, windows: 1}}
retraining: {trigger: alarms, cooldown_windows: 1, minimum_labels: 100, failures_to_stop: 1}
"""
)
HOUR = timedelta(hours=1)


class Retrained(Loop):
    """The app with a live model, traffic with labels, and an alarm that can be made to ring."""

    def hour_of_traffic(self, rows: int, labelled: bool = True) -> None:
        """Predictions and their labels within an hour that then ends, with time for captures to land."""
        clock = self.twin.cloud.clock
        clock.advance((_hour(clock.now()) + HOUR - clock.now()).total_seconds() + 60)
        lines = table(rows, seed=int(clock.now().timestamp())).splitlines()[1:]
        cells = [line.split(",") for line in lines]
        sent = [{"height": float(height), "wind": float(wind), "moon": moon} for height, wind, moon, _ in cells]
        answer = self.api().post(json.dumps({"instances": sent}).encode())
        assert answer.status == 200
        names = [row["inference_id"] for row in answer.document()["predictions"]]
        if labelled:
            told = {"labels": [{"inference_id": name, "label": label} for name, (*_, label) in zip(names, cells, strict=True)]}
            api = PredictionApi(self.app.account, self.app.feedback_url)
            assert api.post(json.dumps(told).encode()).status == 202
        clock.advance((_hour(clock.now()) + HOUR - clock.now()).total_seconds() + 11 * 60)

    def ring(self) -> None:
        """The alarm on drift goes to ALARM, and stays there for an hour."""
        cloudwatch = self.app.account.client("cloudwatch")
        metric = {"MetricName": DRIFT_ALARM, "Dimensions": [{"Name": "Endpoint", "Value": self.app.prefix}], "Value": 1.0}
        cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[metric])
        self.twin.cloud.clock.advance(70)

    def alarm(self, name: str) -> str:
        """An alarm's state."""
        (alarm,) = self.app.account.client("cloudwatch").describe_alarms(AlarmNames=[f"{self.app.prefix}-{name}"])["MetricAlarms"]
        return str(alarm["StateValue"])

    def hourly_tick(self) -> None:
        """Move the clock on to the next tick of start_training."""
        clock = self.twin.cloud.clock
        clock.advance((_hour(clock.now() - timedelta(minutes=20)) + timedelta(minutes=80) - clock.now()).total_seconds() + 5)

    def found(self, what: str, words: str) -> Decision:
        """Wait for a decision of this kind whose reason has these words."""

        def look() -> Decision | None:
            return next((each for each in self.app.ledger.decisions() if each.what == what and words in each.why), None)

        return self.until(f"{what}: {words}", look, 60)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.app.dynamodb, self.app.output("data", "LedgerTableName"))

    def jobs(self, retraining: str, status: str) -> list[str]:
        """The collect jobs of a retraining that have a status."""
        name = f"{self.app.prefix}-collect-{retraining}"
        found = self.app.sagemaker.list_processing_jobs(NameContains=name, StatusEquals=status)["ProcessingJobSummaries"]
        return [job["ProcessingJobName"] for job in found]

    def settled(self, count: int) -> Retraining:
        """Wait until so many retrainings have ended and none goes on; the last one."""

        def look() -> Retraining | None:
            history = self.ledger.retrainings(datetime(2000, 1, 1, tzinfo=UTC))
            return history[-1] if len(history) >= count and self.ledger.open_retraining() is None else None

        return self.until(f"retraining {count} to end", look)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retrained]:
    """The app with version 1 live."""
    project = write_project(tmp_path_factory.mktemp("retrained"), RETRAINED)
    assembly = synthesised(project)
    with TwinServer(tmp_path_factory.mktemp("twin"), assembly, speed=SPEED) as twin:
        loop = Retrained.deploy(twin, project, assembly)
        assert isinstance(loop, Retrained)
        loop.accepted(table(300))
        loop.version(1, "Approved")
        loop.live(1)
        yield loop


def test_an_alarm_without_labels_trains_nothing_and_is_told_to_people(loop: Retrained) -> None:
    loop.hour_of_traffic(150, labelled=False)
    loop.ring()
    loop.found("retraining_skipped", "labels came in fewer than 1 windows")
    loop.until("people to hear of it", lambda: loop.alarm("too-few-labels") == "ALARM" or None)
    assert loop.ledger.open_retraining() is None
    assert len(loop.app.executions()) == 1


def test_too_few_labels_train_nothing(loop: Retrained) -> None:
    loop.hour_of_traffic(40)
    loop.ring()
    ended = loop.settled(1)
    assert ended.outcome is Outcome.TOO_FEW_LABELS
    loop.found("retraining_skipped", ended.explanation)
    assert len(loop.app.executions()) == 1


def test_an_alarm_retrains_on_labelled_traffic(loop: Retrained) -> None:
    loop.hour_of_traffic(400)
    loop.ring()
    ended = loop.settled(2)
    (manifest,) = [each for each, _ in loop.app.manifests() if each.fresh]
    assert manifest.parents == (ended.parent,)
    assert manifest.fresh is not None
    assert (manifest.fresh.rows, manifest.fresh.start) == (440, ended.start)
    assert ended.start < manifest.fresh.end <= ended.end
    assert ended.outcome is Outcome.BETTER, ended.explanation
    loop.found("retraining_started", "drift since")
    loop.found("training_started", "the last 440 of them labelled traffic")
    loop.live(2)
    assert loop.app.versions()[0].dataset_version == manifest.version


def test_a_model_that_was_trained_on_traffic_is_made_again_bit_for_bit(loop: Retrained) -> None:
    place = ["--config", str(loop.app.project.config_path), "--dir", str(loop.twin.cloud.folder)]
    result = CliRunner().invoke(application, ["reproduce", "2", "--json", *place])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["grade"], found["archive_is_the_same"]) == (Grade.A, True), found


def test_sagemaker_is_told_which_dataset_version_came_of_which(loop: Retrained) -> None:
    manifests = [manifest for manifest, _ in loop.app.manifests()]
    (child,) = [manifest for manifest in manifests if manifest.parents]
    pair = (child.parents[0], child.version)
    told = [studio.tell(loop.app.sagemaker, loop.app.data_bucket, manifests) for _ in range(2)]
    assert [(each.added, each.there, each.unread) for each in told] == [((pair,), (), ()), ((), (pair,), ())]


def test_the_alarm_that_still_rings_starts_no_second_retraining(loop: Retrained) -> None:
    skipped = loop.decisions().count("retraining_skipped")
    loop.ring()
    for _ in range(2):
        loop.hourly_tick()
    loop.until("the guard to say why not", lambda: loop.decisions().count("retraining_skipped") > skipped or None, 60)
    assert loop.settled(2).name == loop.settled(1).name
    assert loop.decisions().count("retraining_started") == 2


def test_lost_events_are_made_good_by_a_tick(loop: Retrained) -> None:
    loop.hour_of_traffic(200)
    faults = loop.twin.part("events").faults
    faults.drop(lambda event: "Object Created" in event["detail-type"] or event["source"] in {"aws.sagemaker", "aws.cloudwatch"})
    loop.ring()
    loop.hourly_tick()
    name = loop.until("a retraining to begin", loop.ledger.open_retraining).name
    loop.until("its rows to be collected", lambda: loop.jobs(name, "Completed") or None)
    runs = len(loop.app.executions())
    loop.hourly_tick()
    loop.until("its run to be started", lambda: len(loop.app.executions()) > runs or None)
    loop.until("its run to end", lambda: loop.app.executions()[0].status not in {"Executing", "Stopping"} or None)
    faults.clear()
    loop.hourly_tick()
    ended = loop.settled(3)
    assert ended.outcome in {Outcome.BETTER, Outcome.LOST}
    started = [each for each in loop.app.ledger.decisions() if each.what == "training_started" and each.subject == ended.run]
    assert len(started) == 1
    loop.tick()
    loop.live(3)  # its approval and its deployment had no events either; labels of before it went live would count for nothing


def test_a_job_that_fails_ends_its_retraining_and_opens_the_breaker(loop: Retrained) -> None:
    loop.tick()
    loop.hour_of_traffic(150)
    loop.ring()
    name = loop.until("a retraining to begin", loop.ledger.open_retraining).name
    (job,) = loop.until("its job", lambda: loop.jobs(name, "InProgress") or None)
    loop.app.sagemaker.stop_processing_job(ProcessingJobName=job)
    ended = loop.settled(4)
    assert ended.outcome is Outcome.FAILED
    loop.found("training_failed", "the collect job is Stopped")
    loop.hour_of_traffic(150)
    loop.ring()
    loop.found("retraining_stopped", "the last 1 retrainings failed")
    loop.until("people to hear of it", lambda: loop.alarm("retraining-stopped") == "ALARM" or None)
