"""Guarded retraining: `decide` says what to do about what was seen, `retrain` looks and acts until nothing is left to do now.

It is level-triggered, as the reconciler is: alarms, jobs and runs are read, whatever event woke the function, so that lost, repeated and
reordered events change nothing. A retraining goes through three states, each found by looking:

    lock taken, no job yet -> collect job -> run of the pipeline -> settled: an item of the history, and the lock is free

The guards are asked twice, before and after the lock is taken. Whoever holds the lock is the only one who adds to the history, so the
second answer cannot be overtaken by another invocation, however long ago this one looked first.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from contracts.config import RetrainingTrigger
from contracts.errors import StateError
from contracts.evaluation import GateMode
from contracts.ledger import Outcome, Retraining
from contracts.pipeline import LOST
from lambdas.start_training.budget import borrows, labels_since, windows_needed, windows_needed_by
from lambdas.start_training.states import (
    Action,
    Begin,
    Champion,
    Collect,
    Drop,
    Job,
    Nothing,
    Observed,
    Rules,
    Run,
    Settle,
    Skip,
    StartRun,
    Stop,
    Wait,
)

CAP_PERIOD = timedelta(days=30)
REMEMBERED = timedelta(days=90)  # how far back failures in a row are counted
# Captured requests reach S3 within minutes; what arrives after an hour was collected would be lost to training.
SETTLING = timedelta(minutes=10)
HOUR = timedelta(hours=1)
STEPS = 4
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeProcessingJob.html, ProcessingJobStatus, and
# API_DescribePipelineExecution.html, PipelineExecutionStatus
UNDER_WAY = frozenset({"InProgress", "Stopping", "Executing"})


class Account(Protocol):
    """What the guard acts on. Every act may be repeated.

    `begin` is False when another retraining goes on; `start_run` gives why there can never be such a run, and None when it started.
    """

    def observe(self) -> Observed: ...
    def begin(self, action: Begin) -> bool: ...
    def collect(self, action: Collect) -> None: ...
    def start_run(self, action: StartRun) -> str | None: ...
    def settle(self, action: Settle) -> None: ...
    def drop(self, action: Drop) -> None: ...
    def skip(self, action: Skip | Stop) -> None: ...
    def forget_skip(self) -> None: ...


def retrain(account: Account, rules: Rules) -> tuple[Action, ...]:
    """Look and act until there is nothing more to do now. Gives what was done, in order; the last says why it stopped."""
    done: list[Action] = []
    for _ in range(STEPS):
        seen = account.observe()
        action = decide(seen, rules)
        done.append(action)
        if isinstance(action, Nothing | Begin) and seen.skipped:
            account.forget_skip()
        if not (isinstance(action, Begin) and account.begin(action)):
            _act(account, action)
            return tuple(done)
    raise StateError(
        f"{STEPS} steps did not start a retraining, the last was {done[-1]}. Next: look at the ledger; a retry goes on from here"
    )


def _act(account: Account, action: Action) -> None:
    match action:
        case Collect():
            account.collect(action)
        case StartRun():
            never = account.start_run(action)
            if never is not None:
                account.settle(Settle(action.retraining, Outcome.FAILED, never))
        case Settle():
            account.settle(action)
        case Drop():
            account.drop(action)
        case Skip() | Stop():
            account.skip(action)
        case Begin() | Wait() | Nothing():
            pass  # the lock was another invocation's; an event or the next tick looks again


def decide(seen: Observed, rules: Rules) -> Action:
    """What to do about one look at the account."""
    if seen.lock is not None:
        return _go_on(seen, seen.lock, rules)
    why = _asked(seen, rules)
    if why is None:
        return Nothing("nothing asks for training")
    off = _switched_off(rules)
    if off is not None:
        return Skip(f"{why}: {off}")
    if seen.champion is None:
        return Skip(f"{why}: no model of this project's pipeline is live, or its dataset version is gone")
    if seen.is_deploying:
        return Skip(f"{why}: the endpoint is {seen.endpoint_status}")
    return _consider(seen, _plan(seen, seen.champion, why, rules), rules)


def _switched_off(rules: Rules) -> str | None:
    if rules.mode is GateMode.DISABLED:
        return "retraining is disabled (retraining.mode)"
    return None if rules.captures else "there is nothing to learn from: no requests are captured (monitoring.capture_percent)"


def _consider(seen: Observed, wanted: Retraining, rules: Rules) -> Action:
    """A retraining that something asks for: begun, unless a guard forbids it."""
    refusal = _refusal(seen, wanted, rules)
    if refusal is not None:
        return refusal
    if rules.mode is GateMode.DRY_RUN:
        return Skip(f"{wanted.why}: would train now (retraining.mode is dry_run)")
    return Begin(wanted)


def _asked(seen: Observed, rules: Rules) -> str | None:
    """What asks for training, in words that stay the same as long as it does. Labels are a champion's: without one alarms alone ask."""
    reasons = [f"{alarm.name} since {_time(alarm.since)}" for alarm in sorted(seen.alarms, key=lambda each: each.name)]
    needed = windows_needed(seen.history, rules)
    if seen.champion is not None and rules.trigger is RetrainingTrigger.LABELS and seen.labelled >= needed:
        reasons.append(f"labels came in {needed} windows since {_time(labels_since(seen.champion, seen.history))}")
    return ", ".join(reasons) or None


def _plan(seen: Observed, champion: Champion, why: str, rules: Rules) -> Retraining:
    """A retraining on all labelled traffic that the champion has not seen, up to the last full hour whose labels should be there."""
    return Retraining(
        name=f"{seen.now.astimezone(UTC):%Y%m%d%H%M%S}",
        asked=seen.now,
        why=why,
        champion=champion.arn,
        parent=champion.dataset_version,
        start=champion.seen_until,
        end=window_start(seen.now - SETTLING, HOUR) - rules.label_delay,
        alarms=tuple(sorted(alarm.name for alarm in seen.alarms)),
        rings_since=max((alarm.since for alarm in seen.alarms), default=None),
        borrowed=borrows(seen.labelled, seen.history, rules),
    )


# The guards.


def _refusal(seen: Observed, wanted: Retraining, rules: Rules) -> Skip | Stop | None:
    """Why a retraining must not be, at the time at which it was asked for; None when it may."""
    return next((refusal for guard in _GUARDS if (refusal := guard(seen, wanted, rules)) is not None), None)


def _breaker(seen: Observed, wanted: Retraining, rules: Rules) -> Stop | None:
    failures = failures_in_a_row(seen.history, seen.thrown_back)
    if len(failures) < rules.failures_to_stop or (seen.last_success is not None and seen.last_success > failures[-1]):
        return None
    return Stop(
        f"{wanted.why}: the last {len(failures)} retrainings failed, the last at {_time(failures[-1])}. "
        "Next: mend the cause (tide timeline), then tide train or new data; a run that succeeds starts retraining again"
    )


def _cooldown(seen: Observed, wanted: Retraining, rules: Rules) -> Skip | None:
    """Time alone teaches nothing: what counts is windows in which labels came, and time only says whether these are late."""
    if seen.champion is None:
        return None
    needed = windows_needed_by(wanted, seen.champion, seen.labelled, seen.history, rules)
    if seen.labelled >= needed:
        return None
    since = labels_since(seen.champion, seen.history)
    late = window_start(since, rules.window) + (needed + 1) * rules.window + rules.label_delay  # after so many whole windows
    if wanted.asked < late:
        return Skip(f"{wanted.why}: cooldown of {needed} windows since the last retraining or deployment at {_time(since)}")
    return Skip(
        f"{wanted.why}: labels came in fewer than {needed} windows since {_time(since)}. "
        "Next: send the labels that are known by now (tide feedback, POST /feedback)",
        lacks_labels=True,
    )


def _cap(seen: Observed, wanted: Retraining, rules: Rules) -> Skip | None:
    recent = [each for each in seen.history if each.run is not None and wanted.asked - CAP_PERIOD < each.asked]
    if len(recent) < rules.monthly_cap:
        return None
    free = recent[-rules.monthly_cap].asked + CAP_PERIOD
    return Skip(f"{wanted.why}: the cap of {rules.monthly_cap} retrainings within 30 days is reached, until {_time(free)}")


def _nothing_new(seen: Observed, wanted: Retraining, _rules: Rules) -> Skip | None:
    """The same hours again would only give the same answer."""
    last = seen.history[-1] if seen.history else None
    if wanted.end <= wanted.start:
        return Skip(f"{wanted.why}: no labels are due yet of what came after {_time(wanted.start)}, which the champion has not seen")
    if last is not None and wanted.end <= last.end:
        return Skip(f"{wanted.why}: nothing new since the retraining on what came before {_time(last.end)}")
    return None


_GUARDS: tuple[Callable[[Observed, Retraining, Rules], Skip | Stop | None], ...] = (_breaker, _cooldown, _cap, _nothing_new)


def failures_in_a_row(history: Sequence[Retraining], thrown_back: Sequence[datetime]) -> list[datetime]:
    """When the newest retrainings failed, up to the newest that did not, oldest first.

    A version that production threw back before the next retraining is a failure too. Too few labels are neither: nothing was tried.
    """
    failures: list[datetime] = []
    until: datetime | None = None
    for each in reversed(history):
        if each.ended is None or each.outcome is Outcome.TOO_FEW_LABELS:
            continue
        ended, before = each.ended, until
        back = [moment for moment in thrown_back if ended <= moment and (before is None or moment < before)]
        if each.outcome is not Outcome.FAILED and not (each.outcome is Outcome.BETTER and back):
            break
        failures.append(max([ended, *back]))
        until = each.asked
    return failures[::-1]


# A retraining that goes on.


def _go_on(seen: Observed, lock: Retraining, rules: Rules) -> Action:
    if lock.execution is not None:
        return _follow_run(lock, seen.run)
    if seen.job is not None:
        return _follow_job(lock, seen.job)
    if seen.is_deploying:
        return Wait(f"the endpoint is {seen.endpoint_status}")
    if seen.champion is None or seen.champion.arn != lock.champion:
        return Drop(lock, "another model is live by now")
    if lock.borrowed != borrows(seen.labelled, seen.history, rules):
        return Drop(lock, "it was planned by other labels, or before another retraining ended")
    off = "retraining.mode is dry_run" if rules.mode is GateMode.DRY_RUN else _switched_off(rules)
    refusal = _refusal(seen, lock, rules)
    why = refusal.why if refusal else off
    return Drop(lock, why) if why else Collect(lock)


def _follow_job(lock: Retraining, job: Job) -> Action:
    if job.status in UNDER_WAY:
        return Wait(f"retraining {lock.name} collects labelled rows")
    if job.status != "Completed":
        return Settle(lock, Outcome.FAILED, f"the collect job is {job.status}: {job.reason or 'no reason given'}")
    if job.collection is None:
        return Settle(lock, Outcome.FAILED, "the collect job completed, but wrote no collection.json that can be read")
    if job.collection.manifest_key is None:
        return Settle(lock, Outcome.TOO_FEW_LABELS, job.collection.why)
    return StartRun(lock, job.collection.manifest_key)


def _follow_run(lock: Retraining, run: Run | None) -> Action:
    if run is None:
        return Settle(lock, Outcome.FAILED, f"run {lock.run} is gone")
    if run.status in UNDER_WAY:
        return Wait(f"run {lock.run} of retraining {lock.name} goes on")
    if run.status == "Succeeded":
        return Settle(lock, Outcome.BETTER, f"run {lock.run} registered its model")
    return Settle(lock, outcome_of(run), run.reason or f"run {lock.run} is {run.status}, and gives no reason")


def outcome_of(run: Run) -> Outcome:
    """How a run that did not succeed ended: at the gate, or in a job."""
    return Outcome.LOST if run.reason.startswith(LOST) else Outcome.FAILED


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window_start(moment: datetime, window: timedelta) -> datetime:
    """When the window began that a moment is in. Windows divide a day, so they begin where monitoring's do."""
    return moment - (moment - _EPOCH) % window


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
