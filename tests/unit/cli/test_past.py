"""What was live when, the way back, and the words for it: pure parts of tide timeline, rollback and why."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.live import length_in_words, live_periods
from cli.observe import Version
from cli.provenance import Provenance
from cli.rollback import make_plan
from cli.timeline import begin_of, rows
from contracts.errors import StateError
from contracts.ledger import Decision, Quarantine, What

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
APPROVALS = ("Approved", "Rejected", "PendingManualApproval")


def arn(number: int) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:model-package/p-dev/{number}"


def version(number: int, approval: str = "Approved") -> Version:
    return Version(number, arn(number), approval, "the reason", NOON, None, {})


def decision(minutes: float, what: What, subject: str) -> Decision:
    return Decision(time=NOON + timedelta(minutes=minutes), what=what, subject=subject, why="w", by="b")


def finished(minutes: float, number: int) -> Decision:
    return decision(minutes, What.DEPLOYMENT_FINISHED, arn(number))


def test_a_version_is_live_until_another_one_is() -> None:
    history = [finished(0, 1), decision(1, What.DEPLOYMENT_STARTED, arn(2)), finished(5, 2), finished(6, 2), finished(9, 1)]
    assert [(p.version, p.start, p.end) for p in live_periods(history)] == [
        (1, NOON, NOON + timedelta(minutes=5)),
        (2, NOON + timedelta(minutes=5), NOON + timedelta(minutes=9)),
        (1, NOON + timedelta(minutes=9), None),
    ]
    assert live_periods([]) == []


def test_a_canary_that_was_thrown_back_was_never_live() -> None:
    history = [finished(0, 1), decision(1, What.DEPLOYMENT_STARTED, arn(2)), decision(2, What.MODEL_QUARANTINED, arn(2))]
    assert [period.version for period in live_periods(history)] == [1]


@given(st.lists(st.integers(1, 4)))
def test_periods_follow_one_another_without_a_gap(numbers: list[int]) -> None:
    periods = live_periods([finished(minute, number) for minute, number in enumerate(numbers)])
    assert all(before.end == after.start and before.arn != after.arn for before, after in pairwise(periods))
    assert [period.end is None for period in periods] == [False] * (len(periods) - 1) + [True] * bool(periods)


def test_the_timeline_puts_a_period_after_the_decision_that_began_it() -> None:
    history = [decision(0, What.MODEL_APPROVED, arn(1)), finished(1, 1), decision(2, What.DATASET_ACCEPTED, "d/1")]
    lines = rows(history, live_periods(history), NOON + timedelta(minutes=31))
    assert [line[1] for line in lines] == ["model_approved", "deployment_finished", "live", "dataset_accepted"]
    assert lines[0][2] == "model-package/p-dev/1"
    assert lines[2][2:] == ("version 1", "until now, 30 min")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOON - timedelta(minutes=90)),
        ("24h", NOON - timedelta(hours=24)),
        ("7d", NOON - timedelta(days=7)),
        ("2026-11-20T10:00", NOON.replace(hour=10)),
        ("2026-11-20T10:00+02:00", NOON.replace(hour=8)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_what_since_takes(text: str, expected: datetime) -> None:
    assert begin_of(text, NOON) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "7w", "-1h", "24 h"])
def test_what_since_does_not_take(text: str) -> None:
    with pytest.raises(StateError, match="Next: 90m, 24h, 7d"):
        begin_of(text, NOON)


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s"), (90, "2 min"), (3600, "60 min"), (7200, "2 h"), (86400, "24 h"), (200000, "2 days")]
)
def test_lengths(seconds: float, words: str) -> None:
    assert length_in_words(seconds) == words


def test_rollback_goes_to_the_highest_approved_version_below() -> None:
    plan = make_plan([version(4), version(3, "Rejected"), version(2), version(1)], 4, 4, frozenset(), None)
    assert (plan.target.number, [each.number for each in plan.rejected]) == (2, [4])


def test_rollback_to_a_version_rejects_those_above_the_live_one_last() -> None:
    plan = make_plan([version(number) for number in (1, 2, 3, 4)], 4, 4, frozenset(), 1)
    assert (plan.target.number, [each.number for each in plan.rejected]) == (1, [2, 3, 4])


def test_during_a_canary_the_new_version_is_what_goes() -> None:
    plan = make_plan([version(2), version(1)], 1, 2, frozenset(), None)
    assert (plan.target.number, [each.number for each in plan.rejected]) == (1, [2])


@pytest.mark.parametrize(
    ("versions", "live", "wanted", "quarantined", "to", "said"),
    [
        ([], None, None, (), None, "no version is live"),
        ([version(1)], None, 1, (), None, "no version is live"),
        ([version(1)], 1, 1, (), None, "no version below 1 is approved"),
        ([version(2), version(1, "Rejected")], 2, 2, (), None, "no version below 2 is approved"),
        ([version(2), version(1)], 2, 2, (1,), None, "no version below 2 is approved"),
        ([version(2, "Rejected"), version(1)], 2, 1, (), None, "on its way back from version 2 to version 1"),
        ([version(2), version(1)], 2, 2, (), 7, r"there is no version 7 \(versions: 1, 2\)"),
        ([version(2), version(1)], 2, 2, (), 2, "version 2 is not below version 2"),
        ([version(2), version(1, "Rejected")], 2, 2, (), 1, "version 1 is Rejected: the reason; only an approved version can come back"),
    ],
)
def test_rollback_says_why_there_is_no_way_back(
    versions: list[Version], live: int | None, wanted: int | None, quarantined: tuple[int, ...], to: int | None, said: str
) -> None:
    with pytest.raises(StateError, match=f"{said}.*Next: tide"):
        make_plan(versions, live, wanted, frozenset(map(arn, quarantined)), to)


@given(st.lists(st.sampled_from(APPROVALS), min_size=1, max_size=6), st.data())
def test_after_a_rollback_the_target_is_what_the_registry_asks_for(approvals: list[str], data: st.DataObject) -> None:
    versions = [version(number, approval) for number, approval in enumerate(approvals, 1)]
    live = data.draw(st.integers(1, len(versions)))
    to = data.draw(st.none() | st.integers(1, len(versions)))
    approved = {each.number for each in versions if each.approval == "Approved"}
    wanted = max(approved, default=None)
    try:
        plan = make_plan(versions, live, wanted, frozenset(), to)
    except StateError:
        return
    left = approved - {each.number for each in plan.rejected}
    assert plan.rejected
    # On the way the registry never asks for a version that nobody wants: neither what was asked for, nor what is live, nor the target.
    for number in range(len(plan.rejected)):
        asked = max(approved - {each.number for each in plan.rejected[: number + 1]})
        assert asked in {wanted, live, plan.target.number}
    assert max(left) == plan.target.number < max(live, wanted or 0)
    assert to in {None, plan.target.number}


@pytest.mark.parametrize(
    ("approval", "by_policy", "quarantined", "who"),
    [
        ("PendingManualApproval", False, False, "nobody yet"),
        ("Approved", True, False, "approve_model"),
        ("Approved", False, False, "a person (ana)"),
        ("Rejected", True, False, "a person (ana)"),
        ("Rejected", True, True, "reconcile_endpoint"),
        ("Approved", False, True, "a person (ana)"),
    ],
)
def test_who_decided(approval: str, by_policy: bool, quarantined: bool, who: str) -> None:
    found = Provenance(
        version(1, approval),
        modified_by="ana",
        decisions=[decision(0, What.MODEL_APPROVED, arn(1))] if by_policy else [],
        quarantine=Quarantine(model_package_arn=arn(1), why="w", time=NOON) if quarantined else None,
    )
    assert found.decided_by == who
