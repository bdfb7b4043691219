"""Any history of alarms, labels, jobs, runs, deployments, late and repeated events, deaths and overlapping invocations ends right.

The world below is what AWS would be. The guard is woken at arbitrary moments with arbitrary events, which is what lost, repeated and
reordered events amount to; it may die between any two of its writes, and another invocation may run between its look and its act.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.collection import Collection
from contracts.config import RetrainingTrigger
from contracts.evaluation import GateMode
from contracts.ledger import Outcome, Retraining
from lambdas.start_training.budget import labels_since, windows_due
from lambdas.start_training.guard import (
    CAP_PERIOD,
    REMEMBERED,
    UNDER_WAY,
    failures_in_a_row,
    retrain,
    window_start,
)
from lambdas.start_training.states import (
    Action,
    Alarm,
    Begin,
    Champion,
    Collect,
    Drop,
    Job,
    Observed,
    Rules,
    Run,
    Settle,
    Skip,
    StartRun,
    Stop,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GATE = "The model did not pass the gate: worse"
RULES = Rules(GateMode.ENABLED, RetrainingTrigger.LABELS, HOUR, timedelta(0), cooldown_windows=3, monthly_cap=4, failures_to_stop=2)


class DiedError(Exception):
    """The function was stopped between two writes."""


@dataclass
class World:
    """An account, and the guard's view of it (guard.Account). Endings of jobs and runs are put in before they begin."""

    now: datetime = START
    rules: Rules = RULES
    champion: Champion = field(default_factory=lambda: Champion("p/1", START, "v1", START))
    status: str = "InService"
    alarms: tuple[Alarm, ...] = ()
    labels: set[datetime] = field(default_factory=set)  # windows in which labels came
    lock: Retraining | None = None
    history: dict[str, Retraining] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)  # by retraining
    began: dict[str, datetime] = field(default_factory=dict)
    successes: list[datetime] = field(default_factory=list)
    back: list[datetime] = field(default_factory=list)
    skipped: str | None = None
    event: datetime = START  # the time of the event that is handled
    deaths: int = 0  # the write, counted from now, at which the function dies; 0: it lives
    meanwhile: Callable[[], None] | None = None  # what another invocation does between look and act

    def observe(self) -> Observed:
        history = tuple(sorted((each for each in self.history.values() if each.asked > self.event - REMEMBERED), key=lambda r: r.asked))
        since, lock = labels_since(self.champion, history), self.lock
        judged = lock.asked if lock else self.event  # as account.py does
        labelled = {
            start for start in self.labels if start + HOUR > since and start >= window_start(since, HOUR) and start + HOUR <= judged
        }
        run = self.runs.get(lock.name) if lock and lock.execution else None
        seen = Observed(
            now=self.event,
            alarms=self.alarms,
            endpoint_status=self.status,
            champion=self.champion,
            lock=lock,
            job=self.jobs.get(lock.name) if lock and not lock.execution else None,
            run=run,
            history=history,
            labelled=min(len(labelled), windows_due(history, self.rules)),
            thrown_back=tuple(self.back),
            last_success=max(self.successes, default=None),
            skipped=self.skipped is not None,
        )
        other, self.meanwhile = self.meanwhile, None
        if other is not None:
            event = self.event
            other()
            self.event = event
        return seen

    def begin(self, action: Begin) -> bool:
        if self.lock is not None:
            return False
        self.lock = action.retraining
        self._may_die()
        return True

    def collect(self, action: Collect) -> None:
        name = action.retraining.name
        if name not in self.jobs:
            assert not self.under_way(), f"{name} began while {self.under_way()} goes on"
            self.jobs[name] = Job("InProgress")
            self.began[name] = action.retraining.asked
        self._may_die()

    def start_run(self, action: StartRun) -> None:
        self.manifest_created(action.retraining.name)

    def manifest_created(self, name: str) -> None:
        """What start_training does on the manifest's event, and the guard when that was lost."""
        self.runs.setdefault(name, Run("Executing"))
        self._may_die()
        if self.lock is not None and self.lock.name == name:
            self.lock = self.lock.model_copy(
                update={"run": f"run-{name}", "execution": f"arn-{name}", "trained": self.lock.trained or self.event}
            )

    def settle(self, action: Settle) -> None:
        name = action.retraining.name
        ended = action.retraining.model_copy(update={"outcome": action.outcome, "ended": self.event, "explanation": action.why})
        self.history.setdefault(name, ended)
        self._may_die()
        self._free(name)

    def drop(self, action: Drop) -> None:
        self._free(action.retraining.name)

    def skip(self, action: Skip | Stop) -> None:
        self.skipped = action.why

    def forget_skip(self) -> None:
        self.skipped = None

    def _free(self, name: str) -> None:
        if self.lock is not None and self.lock.name == name:
            self.lock = None

    def _may_die(self) -> None:
        self.deaths -= 1
        if self.deaths == 0:
            raise DiedError

    def under_way(self) -> list[str]:
        return [name for names in (self.jobs, self.runs) for name, found in names.items() if found.status in UNDER_WAY]

    def look(self, event: datetime | None = None) -> tuple[Action, ...]:
        self.event = event or self.now
        try:
            return retrain(self, self.rules)
        except DiedError:
            return ()


class Histories(RuleBasedStateMachine):
    """The world under arbitrary events."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(minutes=st.integers(1, 600))
    def time_passes(self, minutes: int) -> None:
        self.world.now += timedelta(minutes=minutes)

    @rule(hours=st.integers(1, 5))
    def labels_come_and_nobody_looks(self, hours: int) -> None:
        for _ in range(hours):
            self.world.labels.add(window_start(self.world.now, HOUR))
            self.world.now += HOUR

    @rule(hours=st.integers(1, 12), end=st.sampled_from(["better", "lost", "failed"]))
    def hours_with_labels(self, hours: int, end: str) -> None:
        """As most hours are: labels come, what is under way ends, its events arrive."""
        for _ in range(hours):
            self.labels_come_and_nobody_looks(1)
            self._go_on(end)
            self.world.look()

    @rule(on=st.booleans())
    def alarm(self, on: bool) -> None:
        self.world.alarms = (Alarm("drift", self.world.now),) if on else ()

    @rule()
    def look_now(self) -> None:
        self.world.look()

    @rule(minutes=st.integers(0, 600))
    def a_late_event(self, minutes: int) -> None:
        self.world.look(self.world.now - timedelta(minutes=minutes))

    @rule(write=st.integers(1, 4))
    def look_and_die(self, write: int) -> None:
        self.world.deaths = write
        self.world.look()
        self.world.deaths = 0

    @rule(minutes=st.integers(0, 180), ends=st.booleans())
    def two_at_once(self, minutes: int, ends: bool) -> None:
        """Between the first one's look and its act, another invocation looks and acts, and perhaps all that it starts comes to its end."""

        def other() -> None:
            for _ in range(3 if ends else 0):
                self.world.look()
                self._go_on("lost")
            self.world.look()

        self.world.meanwhile = other
        self.world.look(self.world.now - timedelta(minutes=minutes))
        self.world.meanwhile = None

    @precondition(lambda self: any(job.status == "InProgress" for job in self.world.jobs.values()))
    @rule(end=st.sampled_from(["version", "few", "failed", "nothing"]), event_comes=st.booleans())
    def a_job_ends(self, end: str, event_comes: bool) -> None:
        name = next(name for name, job in self.world.jobs.items() if job.status == "InProgress")
        self._end_job(name, end)
        if event_comes and end == "version":
            self.world.event = self.world.now
            self.world.manifest_created(name)

    @precondition(lambda self: any(run.status == "Executing" for run in self.world.runs.values()))
    @rule(end=st.sampled_from(["better", "lost", "failed", "stopped"]))
    def a_run_ends(self, end: str) -> None:
        self._end_run(next(name for name, run in self.world.runs.items() if run.status == "Executing"), end)

    @rule()
    def a_person_trains_and_deploys(self) -> None:
        world = self.world
        world.successes.append(world.now)
        world.champion = replace(world.champion, arn=f"{world.champion.arn}+", since=world.now)

    @rule(status=st.sampled_from(["Updating", "InService"]))
    def the_endpoint_moves(self, status: str) -> None:
        self.world.status = status

    @rule()
    def production_throws_back(self) -> None:
        self.world.back.append(self.world.now)

    def _end_job(self, name: str, end: str) -> None:
        lock = self.world.lock
        values = {"name": name, "start": START, "end": self.world.now, "rows": 200, "unlabelled": 0, "unreadable": 0}
        version = {"manifest_key": f"datasets/d/{name}/manifest.json"} if end == "version" else {"why": "too few"}
        made = Collection.model_validate(values | version)
        assert lock is None or lock.name in {name, *self.world.history} or name in self.world.history
        self.world.jobs[name] = Job("Failed", "broken") if end == "failed" else Job("Completed", "", None if end == "nothing" else made)

    def _end_run(self, name: str, end: str) -> None:
        world = self.world
        status = {"better": "Succeeded", "stopped": "Stopped"}.get(end, "Failed")
        world.runs[name] = Run(status, GATE if end == "lost" else "")
        if end == "better":
            world.successes.append(world.now)
            world.champion = replace(world.champion, arn=f"p/{name}", since=world.now, seen_until=max(world.champion.seen_until, world.now))

    def _go_on(self, end: str) -> None:
        """Jobs that are under way make their version, whose event starts a run; runs end."""
        for name in [name for name, run in self.world.runs.items() if run.status == "Executing"]:
            self._end_run(name, end)
        for name in [name for name, job in self.world.jobs.items() if job.status == "InProgress"]:
            self._end_job(name, "version")
            self.world.event = self.world.now
            self.world.manifest_created(name)

    def _end_everything(self) -> None:
        """Everything that is under way ends badly, and is settled."""
        for name, job in list(self.world.jobs.items()):
            if job.status == "InProgress":
                self._end_job(name, "failed")
        for name, run in list(self.world.runs.items()):
            if run.status == "Executing":
                self._end_run(name, "failed")
        self.world.look()

    @invariant()
    def there_is_at_most_one_at_a_time(self) -> None:
        going = set(self.world.under_way())
        assert len(going) <= 1
        assert not going or (self.world.lock is not None and going == {self.world.lock.name})

    @invariant()
    def never_inside_the_cooldown(self) -> None:
        """Nor is more borrowed than an alarm may, and the one after a loan comes as many windows later."""
        trained = sorted((each for each in self.world.history.values() if each.run is not None), key=lambda each: each.asked)
        for before, after in itertools.pairwise(trained):
            due = 3 + before.borrowed - after.borrowed
            assert after.asked - before.asked >= (due - 1) * HOUR, f"{after} is too soon after {before}"
            between = {start for start in self.world.labels if before.asked - HOUR < start and start + HOUR <= after.asked}
            assert self._too_few_between(before.asked, after.asked) or len(between) >= due >= 2
            assert not (after.borrowed and before.alarms) or self._too_few_between(before.asked, after.asked)

    def _too_few_between(self, before: datetime, after: datetime) -> bool:
        return any(each.run is None and before < each.asked < after for each in self.world.history.values())

    @invariant()
    def never_more_than_the_cap(self) -> None:
        trained = sorted(each.asked for each in self.world.history.values() if each.run is not None)
        for asked in trained:
            assert sum(asked - CAP_PERIOD < each <= asked for each in trained) <= RULES.monthly_cap

    @invariant()
    def a_loop_that_fails_stops(self) -> None:
        history = sorted(self.world.history.values(), key=lambda each: each.asked)
        failures = failures_in_a_row(history, ())
        between = [moment for moment in self.world.successes if failures and failures[0] < moment]
        assert len(failures) <= RULES.failures_to_stop * (1 + len(between))

    def teardown(self) -> None:
        """All events are lost from now on, and what is under way ends: ticks alone find it, and leave nothing open."""
        world = self.world
        world.status, world.alarms, world.labels = "InService", (), set()
        for _ in range(10):
            world.now += HOUR
            self._end_everything()
        assert world.lock is None
        assert set(world.history) == set(world.jobs)
        before = dict(world.history)
        for _ in range(3):
            world.look()
        assert (world.history, world.lock) == (before, None)


Histories.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestHistories = Histories.TestCase


def _live(looks: int, lost: bool) -> dict[str, tuple[Outcome | None, datetime]]:
    """Twelve hours with labels and an alarm; the job and the run of each retraining take an hour. Gives how the retrainings ended."""
    machine = Histories()
    world = machine.world
    world.alarms = (Alarm("drift", START),)
    for hour in range(12):
        world.labels.add(window_start(world.now, HOUR))
        world.now = START + (hour + 1) * HOUR + timedelta(minutes=20)
        for name in [name for name, run in world.runs.items() if run.status == "Executing"]:
            machine._end_run(name, "lost")
        for name in [name for name, job in world.jobs.items() if job.status == "InProgress"]:
            machine._end_job(name, "version")
            if not lost:
                world.manifest_created(name)
        for _ in range(looks):
            world.look()
    return {name: (each.outcome, each.asked) for name, each in world.history.items()}


def test_repeated_and_lost_events_change_nothing() -> None:
    once = _live(looks=1, lost=False)
    assert [outcome for outcome, _ in once.values()] == [Outcome.LOST] * 3
    assert _live(looks=4, lost=False) == once
    assert _live(looks=3, lost=True) == once
