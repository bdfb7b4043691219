"""The loop under faults: each event twice, out of order, late or lost, among captures and labels that are a mess. It ends as ever.

The tests of this module build on each other, as the hours of an app do. The alarm on drift is set by hand, and no window is looked at
(the schedule for that is deleted), so that nothing but the faults disturbs the loop.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cli.api import PredictionApi
from cli.release import endpoint_state
from cli.rest import what_moves
from cli.train import RUNNING
from cli.upload import wait_for_decision
from contracts import layout
from contracts.collection import Collection
from contracts.errors import DataError
from contracts.events import DetailType
from contracts.ledger import Decision, Outcome, Retraining, What
from tests.scenarios.conftest import SPEED
from tests.scenarios.loop import CONFIG, Loop, synthesised, table, write_project
from twin.events.faults import Event, Faults
from twin.server import TwinServer

pytestmark = pytest.mark.timeout(280)

# The jobs' limits are far away, because the clock is moved on while they run. No gate, because chance decides which of two models from the
# same rows is better, and this is not about that.
SHAKEN = CONFIG.replace("training: {candidates: 1, folds: 2, gate: {minimum: 0.75, tolerance: 0.2}}", "") + (
    """
training: {candidates: 1, folds: 2, gate: {mode: disabled}, max_runtime_seconds: 432000}
serving: {instance_count: 1, rollout: {type: all_at_once, termination_wait_seconds: 0}}
monitoring: {window_hours: 1, max_runtime_seconds: 432000}
retraining: {trigger: alarms, cooldown_windows: 1}
"""
)
HOUR = timedelta(hours=1)
ROWS = 200
OTHER = {"yes": "no", "no": "yes"}
Row = tuple[float, float, str]
TORN = b'not a record\n{"captureData": {}}\n\xff\n'
TORN_LINES = 2 * len(TORN.splitlines())
"""Of an hour: as many among the captures as among the labels."""
TURN = Counter(
    {
        What.DATASET_REFUSED: 1,
        What.RETRAINING_STARTED: 1,
        What.TRAINING_STARTED: 1,
        What.MODEL_APPROVED: 1,
        What.DEPLOYMENT_STARTED: 1,
        What.DEPLOYMENT_FINISHED: 1,
    }
)


EVENTS = {str(each) for each in DetailType if each not in {DetailType.TICK, DetailType.TRANSFORM_JOB}}  # nobody here predicts batches


def everything(_event: Event) -> bool:
    """Picks every event."""
    return True


FAULTS: dict[str, Callable[[Faults], None]] = {
    "twice": lambda faults: faults.duplicate(everything),
    "out of order": lambda faults: faults.reorder(everything, window=3),
    "late": lambda faults: faults.delay(everything, 1800),
    "lost": lambda faults: faults.drop(everything),
}


class Shaken(Loop):
    """The app with a live model, its hours of traffic, and an alarm that is set by hand."""

    told: dict[Row, str]  # the last label told of each row since the last retraining
    torn: int  # lines of captures and labels, since then, that cannot be read

    @property
    def faults(self) -> Faults:
        """The faults of the bus."""
        faults: Faults = self.twin.part("events").faults
        return faults

    def hour_of_traffic(self, seed: int) -> None:
        """An hour with predictions, files that cannot be read among the captures and the labels, wrong labels, and then the right ones.

        The wrong ones come as a file, and so does the right one of the last row, which comes in no other way.
        """
        clock = self.twin.cloud.clock
        hour = _hour(clock.now()) + HOUR
        clock.advance((hour - clock.now()).total_seconds() + 60)
        cells = [line.split(",") for line in table(ROWS, seed).splitlines()[1:]]
        rows = [{"height": float(height), "wind": float(wind), "moon": moon} for height, wind, moon, _ in cells]
        labels = [label for *_, label in cells]
        answer = self.api().post(json.dumps({"instances": rows}).encode())
        assert answer.status == 200
        names = [row["inference_id"] for row in answer.document()["predictions"]]
        self._tear(hour)
        pairs = list(zip(names, labels, strict=True))
        told = [(name, OTHER[label]) for name, label in pairs[:-1]] + pairs[-1:]
        lines = "".join(f"{name},{label}\n" for name, label in told)
        key = f"{layout.FEEDBACK}{seed}.csv"
        self.app.s3.put_object(Bucket=self.app.data_bucket, Key=key, Body=f"inference_id,label\n{lines}".encode())
        clock.advance(60)
        document = {"labels": [{"inference_id": name, "label": label} for name, label in pairs[:-1]]}
        assert PredictionApi(self.app.account, self.app.feedback_url).post(json.dumps(document).encode()).status == 202
        self.told |= {(float(height), float(wind), moon): label for height, wind, moon, label in cells}
        clock.advance((hour + HOUR - clock.now()).total_seconds() + 11 * 60)
        prefix = layout.GROUND_TRUTH + layout.hour_prefix(hour)
        files = {"Bucket": self.app.data_bucket, "Prefix": prefix}
        self.until("torn labels, the file's and the API's", lambda: self.app.s3.list_objects_v2(**files)["KeyCount"] == 3 or None, 60)

    def _tear(self, hour: datetime) -> None:
        capture = layout.CAPTURE + layout.capture_prefix(self.app.prefix, layout.VARIANT, hour)
        self.app.s3.put_object(Bucket=self.app.artifacts_bucket, Key=f"{capture}59-59-000-torn.jsonl", Body=TORN)
        self.app.s3.put_object(Bucket=self.app.data_bucket, Key=layout.ground_truth_key(hour, 0, "torn"), Body=TORN)
        self.torn += TORN_LINES

    def ring(self) -> None:
        """The alarm on drift goes to OK, and then to ALARM, where it stays: without a metric nothing moves it."""
        for state in ("OK", "ALARM"):
            self.app.cloudwatch.set_alarm_state(AlarmName=f"{self.app.prefix}-drift", StateValue=state, StateReason="set by a test")

    def copy_version(self, number: int) -> None:
        """Register a version again, rejected, under a number of its own."""
        source = self.app.sagemaker.describe_model_package(ModelPackageName=self.app.version(number).arn)
        same = ("InferenceSpecification", "CustomerMetadataProperties", "ModelMetrics")
        self.app.sagemaker.create_model_package(
            ModelPackageGroupName=self.app.prefix, ModelApprovalStatus="Rejected", **{name: source[name] for name in same}
        )

    def endpoint_is(self, status: str) -> None:
        """Wait for a status of the endpoint."""

        def look() -> bool | None:
            endpoint = self.app.endpoint()
            return True if endpoint and endpoint.status == status else None

        self.until(f"the endpoint to be {status}", look, 60)

    def turned(self) -> Retraining:
        """Wait until one more retraining has ended and nothing moves; whenever nothing goes on by itself, time passes to the next tick."""
        count = len(self.app.ledger.retrainings()) + 1
        was_idle = False

        def look() -> Retraining | None:
            nonlocal was_idle
            ended = [each for each in self.app.ledger.retrainings().values() if each.ended]
            if len(ended) == count and not what_moves(self.app):
                return max(ended, key=lambda each: each.asked)
            is_idle = not self._works()
            if was_idle and is_idle:
                self.tick()
            was_idle = is_idle and not was_idle
            return None

        return self.until(f"retraining {count} to end", look)

    def _works(self) -> bool:
        """A job, a run or a deployment goes on, and will end without anybody's help."""
        jobs = self.app.sagemaker.list_processing_jobs(StatusEquals="InProgress")["ProcessingJobSummaries"]
        endpoint = self.app.endpoint()
        is_deploying = endpoint is not None and endpoint.status != "InService"
        return bool(jobs) or is_deploying or any(run.status in RUNNING for run in self.app.executions())

    def decided(self, before: list[Decision]) -> list[Decision]:
        """The decisions but for those of before, and but for reasons not to train: there is one for every reason that a look finds.

        They are in the order of their events, so a late one does not come last.
        """
        return [each for each in self.app.decisions() if each not in before and each.what is not What.RETRAINING_SKIPPED]

    def collection(self, name: str) -> Collection:
        """What a retraining's collect job found."""
        key = layout.collection_prefix(name) + layout.COLLECTION
        return Collection.from_json(self.app.read(self.app.data_bucket, key))

    def collected(self, name: str) -> dict[Row, str]:
        """The rows that a retraining collected, with their labels."""
        text = self.app.read(self.app.data_bucket, layout.collection_prefix(name) + layout.LABELLED).decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        found = {(float(row["height"]), float(row["wind"]), row["moon"]): row["swims"] for row in rows}
        assert len(found) == len(rows)
        return found


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _subjects(decisions: list[Decision], what: What) -> list[int]:
    """The versions that decisions of a kind are about, in order."""
    return [int(each.subject.rpartition("/")[2]) for each in decisions if each.what is what]


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shaken]:
    """The app before its first model."""
    project = write_project(tmp_path_factory.mktemp("shaken"), SHAKEN)
    assembly = synthesised(project)
    with TwinServer(tmp_path_factory.mktemp("twin"), Path(assembly), speed=SPEED) as twin:
        loop = Shaken.deploy(twin, project, assembly)
        assert isinstance(loop, Shaken)
        loop.told, loop.torn = {}, 0
        loop.app.account.client("scheduler").delete_schedule(Name=f"{loop.app.prefix}-window")
        yield loop


def test_the_only_version_rejected_while_it_is_deployed_serves_and_is_held(loop: Shaken) -> None:
    FAULTS["twice"](loop.faults)
    loop.accepted(table(300))
    loop.version(1, "Approved")
    loop.endpoint_is("Creating")
    loop.reject(1)
    loop.until("the hold", loop.app.ledger.held)
    assert endpoint_state(loop.app).live == 1
    loop.approve(1)
    loop.live(1)
    loop.until("the hold to end", lambda: loop.app.ledger.held() is None or None)
    loop.faults.clear()
    assert loop.decisions() == [
        "dataset_accepted",
        "training_started",
        "model_approved",
        "deployment_started",
        "deployment_finished",
        "endpoint_held",
    ]


def test_an_alarm_and_an_approval_during_an_update_wait_for_its_end(loop: Shaken) -> None:
    before = loop.app.decisions()
    loop.hour_of_traffic(seed=1)
    for _ in range(2):
        loop.copy_version(1)
    loop.approve(2)
    loop.endpoint_is("Updating")
    loop.approve(3)
    loop.ring()
    loop.live(3)
    assert _subjects(loop.decided(before), What.DEPLOYMENT_STARTED) == [2, 3]
    assert _subjects(loop.decided(before), What.DEPLOYMENT_FINISHED) == [2, 3]

    # The alarm still rings, and version 3 has no labels of its own yet.
    def look() -> bool | None:
        loop.tick()
        return "retraining_skipped" in loop.decisions() or None

    loop.until("the guard to say why not", look, 60)
    assert loop.app.ledger.retrainings() == {}
    assert len(loop.app.executions()) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_turn_of_the_loop_ends_as_it_always_does(loop: Shaken, fault: str) -> None:
    turn = list(FAULTS).index(fault)
    before, version = loop.app.decisions(), loop.app.versions()[0].number + 1
    loop.faults.hit.clear()
    FAULTS[fault](loop.faults)
    loop.hour_of_traffic(seed=2 + turn)
    bad = loop.upload(table(turn + 1), "few.csv")
    loop.ring()
    ended = loop.turned()
    loop.faults.clear()
    assert ended.outcome is Outcome.BETTER, ended.explanation
    assert {event["detail-type"] for _, event in loop.faults.hit} >= EVENTS
    if fault == "lost":
        # S3 hands its events over for certain, so no tick looks for tables; should it fail all the same, the file is put again.
        bad = loop.upload(table(turn + 1), "few.csv")
    with pytest.raises(DataError, match="rows"):
        wait_for_decision(loop.app, bad, 60)
    loop.until("its refusal", lambda: any(each.what is What.DATASET_REFUSED for each in loop.decided(before)) or None)
    assert endpoint_state(loop.app).live == version
    assert Counter(each.what for each in loop.decided(before)) == TURN
    found = loop.collection(ended.name)
    assert (found.rows, found.unlabelled, found.unreadable) == (len(loop.told), 0, loop.torn)
    assert loop.collected(ended.name) == loop.told
    # The next collection begins after this one's newest row, so it reads this hour's files again.
    loop.told, loop.torn = {}, TORN_LINES
