"""One look, one decision: what asks for training, what forbids it, and what becomes of a retraining that goes on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.collection import Collection
from contracts.config import RetrainingTrigger
from contracts.evaluation import GateMode
from contracts.ledger import Outcome, Retraining
from lambdas.start_training.guard import decide, failures_in_a_row
from lambdas.start_training.states import (
    Action,
    Alarm,
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

NOON = datetime(2026, 1, 9, 12, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = Rules(
    mode=GateMode.ENABLED,
    trigger=RetrainingTrigger.ALARMS,
    window=HOUR,
    label_delay=timedelta(0),
    cooldown_windows=3,
    monthly_cap=2,
    failures_to_stop=2,
)
SCHEDULED = replace(RULES, trigger=RetrainingTrigger.LABELS)
CHAMPION = Champion("arn:aws:sagemaker:us-east-1:123456789012:model-package/p/3", NOON - 30 * HOUR, "0123456789abcdef", NOON - 30 * HOUR)
DRIFT = Alarm("drift", NOON - HOUR)
SEEN = Observed(now=NOON, alarms=(DRIFT,), endpoint_status="InService", champion=CHAMPION, labelled=3)
PLANNED = Retraining(
    name="20260109122000",
    asked=NOON,
    why="drift since 2026-01-09T11:20:00Z",
    champion=CHAMPION.arn,
    parent=CHAMPION.dataset_version,
    start=CHAMPION.seen_until,
    end=NOON.replace(minute=0),
    alarms=("drift",),
    rings_since=NOON - HOUR,
)


def past(days: float, outcome: Outcome = Outcome.LOST, **changes: Any) -> Retraining:
    """A retraining that ended so many days ago."""
    asked = NOON - timedelta(days=days)
    values = {"asked": asked, "end": asked - HOUR, "ended": asked + HOUR / 2, "outcome": outcome, "run": "run", "name": f"p{days}"}
    return PLANNED.model_copy(update=values | changes)


def test_an_alarm_begins_a_retraining_on_what_the_champion_has_not_seen() -> None:
    assert decide(SEEN, RULES) == Begin(PLANNED)


def test_two_alarms_are_one_reason() -> None:
    action = decide(replace(SEEN, alarms=(Alarm("quality fell", NOON), DRIFT)), RULES)
    assert isinstance(action, Begin)
    assert action.retraining.why == "drift since 2026-01-09T11:20:00Z, quality fell since 2026-01-09T12:20:00Z"
    assert action.retraining.alarms == ("drift", "quality fell")


def test_labels_are_waited_for() -> None:
    action = decide(SEEN, replace(RULES, label_delay=5 * HOUR))
    assert isinstance(action, Begin)
    assert action.retraining.end == NOON.replace(minute=0) - 5 * HOUR


def test_an_hour_that_has_just_ended_may_not_be_captured_yet() -> None:
    action = decide(replace(SEEN, now=NOON.replace(minute=9)), RULES)
    assert isinstance(action, Begin)
    assert action.retraining.end == NOON.replace(minute=0) - HOUR


def test_labels_alone_ask_only_where_they_are_the_trigger() -> None:
    quiet = replace(SEEN, alarms=())
    assert isinstance(decide(quiet, RULES), Nothing)
    action = decide(quiet, SCHEDULED)
    assert isinstance(action, Begin)
    assert action.retraining.why == "labels came in 2 windows since 2026-01-08T06:20:00Z"
    assert isinstance(decide(replace(quiet, labelled=1), SCHEDULED), Nothing)


NOT_NOW = {
    "disabled": (SEEN, replace(RULES, mode=GateMode.DISABLED), Skip, "retraining is disabled"),
    "nothing captured": (SEEN, replace(RULES, captures=False), Skip, "no requests are captured"),
    "nothing live": (replace(SEEN, champion=None), RULES, Skip, "no model"),
    "no alarm": (replace(SEEN, alarms=()), RULES, Nothing, "nothing asks"),
    "no alarm, and disabled": (replace(SEEN, alarms=()), replace(RULES, mode=GateMode.DISABLED), Nothing, "nothing asks"),
    "no alarm, and labels that nobody is live for": (replace(SEEN, alarms=(), champion=None), SCHEDULED, Nothing, "nothing asks"),
    "a deployment": (replace(SEEN, endpoint_status="Updating"), RULES, Skip, "the endpoint is Updating"),
    "dry run": (SEEN, replace(RULES, mode=GateMode.DRY_RUN), Skip, "would train now"),
    "just deployed": (replace(SEEN, labelled=0, champion=replace(CHAMPION, since=NOON - HOUR)), RULES, Skip, "cooldown of 2 windows"),
    "just trained": (replace(SEEN, labelled=2, history=(past(3), past(0.05))), RULES, Skip, "cooldown of 3 windows"),
    "labels do not come": (replace(SEEN, labelled=1), RULES, Skip, "labels came in fewer than 2 windows since 2026-01-08T06:20:00Z"),
    "cap": (replace(SEEN, history=(past(29), past(2))), RULES, Skip, "until 2026-01-10T12:20:00Z"),
    "nothing new": (replace(SEEN, labelled=9, history=(past(1, end=NOON - HOUR / 3),)), RULES, Skip, "nothing new"),
    "all seen": (replace(SEEN, champion=replace(CHAMPION, seen_until=NOON)), RULES, Skip, "no labels are due yet"),
    "broken": (replace(SEEN, history=(past(3, Outcome.FAILED), past(2, Outcome.FAILED))), RULES, Stop, "last 2 retrainings failed"),
}


@pytest.mark.parametrize("case", NOT_NOW)
def test_a_guard_says_why_not(case: str) -> None:
    seen, rules, kind, words = NOT_NOW[case]
    action = decide(seen, rules)
    assert isinstance(action, kind)
    assert words in getattr(action, "why", "")


# An alarm that ended meanwhile, and what the plan was made of, are no reasons to give the lock back.
@pytest.mark.parametrize("case", sorted(NOT_NOW.keys() - {"no alarm", "all seen"}))
def test_a_guard_that_forbids_after_the_lock_was_taken_gives_it_back(case: str) -> None:
    seen, rules, _kind, _words = NOT_NOW[case]
    action = decide(replace(seen, lock=PLANNED), rules)
    assert isinstance(action, Wait if seen.is_deploying else Drop)


def test_only_missing_labels_are_told_to_people() -> None:
    late, early = (decide(NOT_NOW[case][0], RULES) for case in ("labels do not come", "just trained"))
    assert isinstance(late, Skip)
    assert late.lacks_labels
    assert isinstance(early, Skip)
    assert not early.lacks_labels
    not_due = decide(NOT_NOW["labels do not come"][0], replace(RULES, label_delay=72 * HOUR))
    assert isinstance(not_due, Skip)
    assert not not_due.lacks_labels


def test_a_reason_not_to_train_stays_the_same_while_its_cause_does() -> None:
    for seen, rules, kind, _words in NOT_NOW.values():
        if kind in {Skip, Stop}:
            later = replace(seen, now=seen.now + timedelta(minutes=15))
            assert decide(later, rules) == decide(seen, rules)


def test_the_cap_counts_runs_of_thirty_days() -> None:
    history = (past(31), past(29), past(2, Outcome.TOO_FEW_LABELS, run=None))
    assert isinstance(decide(replace(SEEN, history=history), RULES), Begin)


def test_a_success_starts_retraining_again() -> None:
    failed = (past(3, Outcome.FAILED), past(2, Outcome.FAILED))
    assert isinstance(decide(replace(SEEN, history=failed, last_success=NOON - timedelta(days=2)), RULES), Stop)
    assert isinstance(decide(replace(SEEN, history=failed, last_success=NOON - timedelta(days=1)), replace(RULES, monthly_cap=9)), Begin)


@pytest.mark.parametrize(
    ("outcomes", "count"),
    [
        ((), 0),
        ((Outcome.FAILED, Outcome.BETTER, Outcome.FAILED), 1),
        ((Outcome.FAILED, Outcome.LOST), 0),
        ((Outcome.FAILED, Outcome.TOO_FEW_LABELS, Outcome.FAILED), 2),
    ],
)
def test_failures_count_in_a_row(outcomes: tuple[Outcome, ...], count: int) -> None:
    history = [past(len(outcomes) - place, outcome) for place, outcome in enumerate(outcomes)]
    assert len(failures_in_a_row(history, ())) == count


def test_a_version_that_production_threw_back_is_a_failure() -> None:
    history = (past(3, Outcome.BETTER), past(2, Outcome.BETTER), past(1, Outcome.BETTER))
    back = (NOON - timedelta(days=2.5), NOON - timedelta(days=0.5))
    assert failures_in_a_row(history, back) == [NOON - timedelta(days=0.5)]
    assert failures_in_a_row(history, (*back, NOON - timedelta(days=1.5))) == [back[0], NOON - timedelta(days=1.5), back[1]]


def collected(**values: Any) -> Job:
    content = {"name": "20260109122000", "start": NOON, "end": NOON, "rows": 300, "unlabelled": 0, "unreadable": 0} | values
    return Job("Completed", collection=Collection.model_validate(content))


TRAINED = PLANNED.model_copy(update={"run": "flowers-1", "execution": "arn:execution", "trained": NOON})
GOES_ON: dict[str, tuple[dict[str, Any], Action]] = {
    "no job yet": ({"lock": PLANNED}, Collect(PLANNED)),
    "another champion": ({"lock": PLANNED, "champion": replace(CHAMPION, arn="other")}, Drop(PLANNED, "another model is live by now")),
    "collects": ({"lock": PLANNED, "job": Job("InProgress")}, Wait("retraining 20260109122000 collects labelled rows")),
    "job failed": (
        {"lock": PLANNED, "job": Job("Failed", "AlgorithmError: no captures")},
        Settle(PLANNED, Outcome.FAILED, "the collect job is Failed: AlgorithmError: no captures"),
    ),
    "job wrote nothing": (
        {"lock": PLANNED, "job": Job("Completed")},
        Settle(PLANNED, Outcome.FAILED, "the collect job completed, but wrote no collection.json that can be read"),
    ),
    "too few": (
        {"lock": PLANNED, "job": collected(why="12 labelled rows, and 100 are needed")},
        Settle(PLANNED, Outcome.TOO_FEW_LABELS, "12 labelled rows, and 100 are needed"),
    ),
    "collected": (
        {"lock": PLANNED, "job": collected(manifest_key="datasets/flowers/1/manifest.json")},
        StartRun(PLANNED, "datasets/flowers/1/manifest.json"),
    ),
    "runs": ({"lock": TRAINED, "run": Run("Executing")}, Wait("run flowers-1 of retraining 20260109122000 goes on")),
    "better": ({"lock": TRAINED, "run": Run("Succeeded")}, Settle(TRAINED, Outcome.BETTER, "run flowers-1 registered its model")),
    "lost": (
        {"lock": TRAINED, "run": Run("Failed", "The model did not pass the gate: worse")},
        Settle(TRAINED, Outcome.LOST, "The model did not pass the gate: worse"),
    ),
    "failed": ({"lock": TRAINED, "run": Run("Failed", "out of memory")}, Settle(TRAINED, Outcome.FAILED, "out of memory")),
    "stopped": (
        {"lock": TRAINED, "run": Run("Stopped")},
        Settle(TRAINED, Outcome.FAILED, "run flowers-1 is Stopped, and gives no reason"),
    ),
    "gone": ({"lock": TRAINED, "run": None}, Settle(TRAINED, Outcome.FAILED, "run flowers-1 is gone")),
}


@pytest.mark.parametrize("case", GOES_ON)
def test_a_retraining_that_goes_on_is_followed_to_its_end(case: str) -> None:
    changes, action = GOES_ON[case]
    assert decide(replace(SEEN, **changes), RULES) == action


def test_a_retraining_that_goes_on_is_settled_also_when_retraining_is_disabled() -> None:
    seen = replace(SEEN, lock=TRAINED, run=Run("Succeeded"))
    assert isinstance(decide(seen, replace(RULES, mode=GateMode.DISABLED)), Settle)
