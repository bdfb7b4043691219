"""What a retraining costs, who may borrow, and that it is paid back: one decision at a time, and over any history."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.config import RetrainingTrigger
from contracts.evaluation import GateMode
from contracts.ledger import Outcome, Retraining
from lambdas.start_training.budget import borrows, labels_since, windows_due, windows_needed, windows_needed_by
from lambdas.start_training.guard import decide
from lambdas.start_training.states import Alarm, Begin, Champion, Collect, Drop, Observed, Rules, Skip

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
RULES = Rules(GateMode.ENABLED, RetrainingTrigger.LABELS, HOUR, timedelta(0), cooldown_windows=3, monthly_cap=99, failures_to_stop=3)
LONG = replace(RULES, cooldown_windows=7)
CHAMPION = Champion("p/1", START, "v1", START)


def past(
    hour: int, alarms: tuple[str, ...] = (), borrowed: int = 0, outcome: Outcome = Outcome.LOST, run: str | None = "run"
) -> Retraining:
    """A retraining that was asked for so many hours after the start."""
    asked = START + hour * HOUR
    return Retraining(
        name=f"r{hour}",
        asked=asked,
        why="",
        champion="p/1",
        parent="v1",
        start=START,
        end=asked,
        alarms=alarms,
        borrowed=borrowed,
        run=run,
        outcome=outcome,
        ended=asked,
    )


def seen(hour: int, labelled: int, history: tuple[Retraining, ...], rings_since: float | None = None, **changes: Any) -> Observed:
    """A look so many hours after the start. `labelled` is counted as the account counts it."""
    alarms = (Alarm("drift", START + rings_since * HOUR),) if rings_since is not None else ()
    counted = labelled  # below what is due, beyond which the account does not count
    look = Observed(START + hour * HOUR, alarms, "InService", CHAMPION, history=history, labelled=counted)
    return replace(look, **changes)


def begun(look: Observed, rules: Rules = RULES) -> Retraining | None:
    """What begins at this look."""
    action = decide(look, rules)
    return action.retraining if isinstance(action, Begin) else None


def test_labels_are_new_since_the_last_deployment_or_retraining() -> None:
    assert labels_since(CHAMPION, ()) == CHAMPION.since
    assert labels_since(CHAMPION, (past(3), past(5))) == START + 5 * HOUR
    assert labels_since(replace(CHAMPION, since=START + 9 * HOUR), (past(3),)) == START + 9 * HOUR


def test_the_first_retraining_borrows_a_window_from_the_second() -> None:
    assert [windows_needed(history, RULES) for history in ((), (past(2, borrowed=1),), (past(2, borrowed=1), past(6)))] == [2, 4, 3]
    assert [borrows(labelled, (), RULES) for labelled in (2, 3)] == [1, 0]
    every_window = replace(RULES, cooldown_windows=1)
    assert (windows_needed((), every_window), borrows(1, (), every_window)) == (1, 0)


def test_too_few_labels_have_spent_nothing() -> None:
    few = past(6, outcome=Outcome.TOO_FEW_LABELS, run=None)
    assert windows_due((past(2), few), RULES) == 1
    assert windows_due((past(2), few.model_copy(update={"borrowed": 2})), RULES) == 2


LENT = {
    "the second one, which also pays for the first": (seen(5, 2, (past(2, borrowed=1),), rings_since=4.2), RULES, 2),
    "any other, where the cooldown is long": (seen(16, 2, (past(7), past(14)), rings_since=15.2), LONG, 5),
}
REFUSED = {
    "labels of fewer windows than the alarm needs": seen(15, 1, (past(7), past(14)), rings_since=14.5),
    "rang before the last retraining": seen(16, 2, (past(7), past(14)), rings_since=13.9),
    "rang before the deployment": seen(16, 2, (past(7), past(14)), rings_since=14.5, champion=replace(CHAMPION, since=START + 14.6 * HOUR)),
    "an alarm had asked for the last one too": seen(16, 2, (past(7), past(14, ("drift",))), rings_since=15.2),
    "only one window sooner": seen(20, 6, (past(7), past(14)), rings_since=15.2),
    "no alarm": seen(16, 2, (past(7), past(14))),
}


@pytest.mark.parametrize("case", LENT)
def test_an_alarm_passes_a_cooldown_that_labels_alone_began(case: str) -> None:
    look, rules, borrowed = LENT[case]
    found = begun(look, rules)
    assert found is not None
    assert (found.borrowed, found.alarms) == (borrowed, ("drift",))
    lock = replace(look, lock=found, alarms=())
    assert decide(lock, rules) == Collect(found), "an alarm that has ended meanwhile is no reason to stop"
    settled = found.model_copy(update={"run": "run", "outcome": Outcome.LOST, "ended": look.now})
    assert windows_needed((*look.history, settled), rules) == rules.cooldown_windows + borrowed


@pytest.mark.parametrize("case", REFUSED)
def test_others_wait(case: str) -> None:
    assert begun(REFUSED[case], LONG) is None


def test_an_alarm_in_its_cooldown_says_how_many_windows_it_waits_for() -> None:
    action = decide(REFUSED["labels of fewer windows than the alarm needs"], LONG)
    assert isinstance(action, Skip)
    assert "cooldown of 2 windows" in action.why
    action = decide(REFUSED["an alarm had asked for the last one too"], LONG)
    assert isinstance(action, Skip)
    assert "cooldown of 7 windows" in action.why


def test_a_loan_that_was_planned_before_another_retraining_ended_is_given_back() -> None:
    look = LENT["any other, where the cooldown is long"][0]
    found = begun(look, LONG)
    assert found is not None
    other = past(15).model_copy(update={"end": look.history[-1].end})
    overtaken = replace(look, lock=found, history=(*look.history, other))
    # Even when the labels of enough windows have come since the other one, since this one's loan would never be paid back.
    for labelled in (1, 7):
        assert isinstance(decide(replace(overtaken, labelled=labelled), LONG), Drop)


@given(
    windows=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=60),
    cooldown=st.integers(1, 6),
    alarm_windows=st.integers(1, 3),
    outcomes=st.data(),
)
def test_over_any_history_what_is_borrowed_is_paid_back(
    windows: list[tuple[bool, bool, bool]], cooldown: int, alarm_windows: int, outcomes: st.DataObject
) -> None:
    """Window after window, labels may come, and an alarm may begin, ring on or end; nothing else stands in the way."""
    rules = replace(RULES, cooldown_windows=cooldown, alarm_windows=alarm_windows)
    history: tuple[Retraining, ...] = ()
    labelled = spent = trained = 0
    rings: datetime | None = None
    for hour, (labels_come, alarm_rings, flaps) in enumerate(windows, 1):
        now = START + hour * HOUR
        labelled += labels_come
        rings = (rings if rings and not flaps else now - HOUR / 2) if alarm_rings else None
        alarms = (Alarm("drift", rings), Alarm("quality fell", rings)) if rings else ()
        look = Observed(now, alarms, "InService", CHAMPION, history=history, labelled=min(labelled, windows_due(history, rules)))
        found = begun(look, rules)
        if found is None:
            continue
        assert labelled >= min(windows_needed(history, rules), alarm_windows)
        assert found.borrowed != 1 or not any(each.run for each in history) or history[-1].outcome is Outcome.TOO_FEW_LABELS
        outcome = outcomes.draw(st.sampled_from([Outcome.BETTER, Outcome.LOST, Outcome.TOO_FEW_LABELS]))
        run = None if outcome is Outcome.TOO_FEW_LABELS else f"run {hour}"
        spent, labelled, trained = spent + look.labelled, 0, trained + (run is not None)
        history += (found.model_copy(update={"run": run, "outcome": outcome, "ended": now}),)
        owed = found.borrowed if run else 0
        assert owed <= cooldown
        assert trained * cooldown <= spent + owed
    for before, after in itertools.pairwise(history):
        assert not (after.borrowed and before.alarms and before.run), "no two loans without a retraining by labels alone between them"


def test_what_an_alarm_needs_is_never_more_than_without_it() -> None:
    wanted = past(9, ("drift",)).model_copy(update={"rings_since": START + 8 * HOUR})
    for cooldown, needed in itertools.product(range(1, 6), range(1, 8)):
        rules = replace(RULES, cooldown_windows=cooldown, alarm_windows=needed)
        for history in ((), (past(2, borrowed=1),), (past(2), past(6))):
            assert windows_needed_by(wanted, CHAMPION, 2, history, rules) <= windows_needed(history, rules)
