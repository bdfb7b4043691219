"""A window after the other. Each is an hour of the twin's clock, which is moved on instead of waited for.

    the hour      rows go out spread over what is left of the hour, and the labels that are due by then
    + 10 minutes  the schedule starts monitoring; its verdict is waited for
    + a little    the alarms see the metrics; start_training is called as its own tick would call it, so that it has surely looked
    then          until the loop is at rest: a retraining, an approval, a canary; while traffic bakes, the clock is moved on

The windows follow each other without a gap as long as all that fits into an hour, which at the twin's speed is minutes of real work.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cli.functions import by_hand, invoke
from cli.hours import HOUR, LOOK_EVERY, full_hour, verdict_on
from cli.observe import App
from cli.replay.client import Client, answered_rows, batches
from cli.replay.plan import Plan
from cli.rest import what_moves
from cli.score import Tally, tally
from cli.twin_clock import TwinClock
from cli.waiting import wait_for
from contracts.evaluation import Metric
from contracts.events import DetailType
from contracts.ledger import Decision
from contracts.monitoring import DriftVerdict, MonitoringVerdict
from contracts.serving import Rollout, RolloutType

ROOM = timedelta(minutes=3)
"""What must be left of an hour to send a window's rows in it."""
REQUESTS = 8
"""About so many a window, so that its captures have different times."""
ALARM_LOOKS = 2
ALARM_MINUTE = 70.0
BAKE_STEP = timedelta(minutes=1)
REST_EVERY = 0.3
"""A look at everything costs the twin as much work as the loop's own, so it is not taken more often."""
REST_LIMIT = 1800.0


@dataclass(frozen=True)
class Window:
    """What happened in one window. `version` answered most of its rows; `alarms`: those in ALARM when it was over."""

    start: datetime
    end: datetime
    rows: range
    answered: int
    tally: Tally
    versions: dict[int, int]
    verdict: MonitoringVerdict | None
    alarms: tuple[str, ...]
    decisions: tuple[Decision, ...]
    seconds: float

    @property
    def version(self) -> int | None:
        """The version that answered most rows."""
        return max(self.versions, key=lambda number: self.versions[number], default=None)

    @property
    def drift(self) -> DriftVerdict:
        """What monitoring said about drift."""
        return self.verdict.drift if self.verdict else DriftVerdict.NOT_ENOUGH_DATA


class Windows:
    """Turns the loop, window by window. `show` is told what goes on."""

    def __init__(self, app: App, clock: TwinClock, client: Client, plan: Plan, metric: Metric) -> None:
        self._app = app
        self._clock = clock
        self._client = client
        self._plan = plan
        self._metric = metric
        self._sagemaker = app.sagemaker
        self._cloudwatch = app.account.client("cloudwatch")
        self._start = full_hour(clock.now())
        self._known: set[str] = {_key(decision) for decision in app.ledger.decisions()}
        self._baking = baking_time(app.project.config.serving.rollout)

    def turn(self, rows: range, show: Callable[[str], None]) -> Window:
        """One window, from its first row to the loop's rest."""
        began = time.monotonic()
        if self._clock.now() > self._start + HOUR - ROOM:
            self._start = full_hour(self._clock.now())
        start, end = self._start, self._start + HOUR
        before = self._client.answered_requests
        self._send(rows, start, end, show)
        verdict = verdict_on(self._app, self._clock, end, self._client.answered_requests - before, show)
        alarms = self._alarms()
        self._look()
        self._rest(end + HOUR - ROOM, show)
        self._start = end
        return Window(
            start,
            end,
            rows,
            answered_rows(self._client, rows),
            tally(self._metric, self._scored(rows)),
            self._versions(rows),
            verdict,
            alarms,
            self._new_decisions(),
            round(time.monotonic() - began, 2),
        )

    def _send(self, rows: range, start: datetime, end: datetime, show: Callable[[str], None]) -> None:
        first = self._clock.advance_to(start)
        requests = list(batches(self._client.rows, rows, REQUESTS, self._app.project.config.api.maximum_body_kilobytes))
        step = (end - ROOM / 3 - first) / max(1, len(requests))
        for number, batch in enumerate(requests):
            self._clock.advance_to(first + step * number)
            self._client.predict(batch)
            self._client.label(batch.stop - self._plan.label_delay)
            show(f"row {batch.stop:,}, {len(self._client.failures) + len(self._client.refused)} requests failed")
        answered_rows(self._client, rows)

    def _alarms(self) -> tuple[str, ...]:
        """The alarms on drift and quality that are in ALARM, once they have seen the window's metrics."""
        for _ in range(ALARM_LOOKS):
            self._clock.advance(ALARM_MINUTE)
            time.sleep(LOOK_EVERY)
        names = [f"{self._app.prefix}-{name}" for name in ("drift", "quality")]
        found = self._cloudwatch.describe_alarms(AlarmNames=names, StateValue="ALARM")["MetricAlarms"]
        return tuple(sorted(alarm["AlarmName"].removeprefix(f"{self._app.prefix}-") for alarm in found))

    def _look(self) -> None:
        """Have start_training look now, as its tick does a little later. Raises StateError with the function's own error."""
        invoke(self._app, "start-training", by_hand(self._app, DetailType.TICK, {}))

    def _rest(self, latest: datetime, show: Callable[[str], None]) -> None:
        """Until nothing moves. A deployment's baking time is not waited for, but the hour is never left for its sake."""
        seen = ""
        skipped = timedelta(0)

        def look() -> bool | None:
            nonlocal seen, skipped
            seen = what_moves(self._app)
            show(seen)
            # When all of it has passed, the old fleet is what takes time, and it takes its own.
            while seen and skipped < self._baking and self._bakes() and self._clock.now() + BAKE_STEP < latest:
                self._clock.advance(BAKE_STEP.total_seconds())
                skipped += BAKE_STEP
                time.sleep(LOOK_EVERY)
            return None if seen else True

        wait_for("the loop to come to rest", look, REST_LIMIT, interval=REST_EVERY, seen=lambda: seen)

    def _bakes(self) -> bool:
        """Whether a new fleet has traffic, and only time passes until it has more, or the old one goes.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariantStatus.html
        """
        pending = self._sagemaker.describe_endpoint(EndpointName=self._app.prefix).get("PendingDeploymentSummary", {})
        states = [state["Status"] for variant in pending.get("ProductionVariants", []) for state in variant.get("VariantStatus", [])]
        return bool(states) and all(state == "Baking" for state in states)

    def _scored(self, rows: range) -> list[tuple[str | float, str]]:
        answers, table = self._client.answers, self._client.rows
        return [(answers[n].prediction, label) for n in rows if n in answers and (label := table[n].label) is not None]

    def _versions(self, rows: range) -> dict[int, int]:
        """How many of the rows each version answered."""
        artifacts = Counter(answered.artifact for n in rows if (answered := self._client.answers.get(n)) is not None)
        # The newest version of an artifact: a model that was live before goes live again as a new version.
        versions = sorted(self._app.versions(), key=lambda version: version.number)
        numbers = {version.metadata.artifact_sha256: version.number for version in versions if version.metadata}
        return {numbers[artifact]: count for artifact, count in artifacts.items() if artifact in numbers}

    def _new_decisions(self) -> tuple[Decision, ...]:
        new = [decision for decision in self._app.ledger.decisions() if _key(decision) not in self._known]
        self._known |= {_key(decision) for decision in new}
        return tuple(new)


def baking_time(rollout: Rollout) -> timedelta:
    """How long a deployment only waits and watches, in full minutes."""
    steps = {RolloutType.ALL_AT_ONCE: 0, RolloutType.CANARY: 1, RolloutType.LINEAR: math.ceil(100 / rollout.step_percent) - 1}
    seconds = steps[rollout.type] * rollout.interval_seconds + rollout.termination_wait_seconds
    return timedelta(minutes=math.ceil(seconds / 60))


def _key(decision: Decision) -> str:
    return decision.key["sk"]
