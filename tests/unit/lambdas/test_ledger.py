"""The ledger: what is written once stays what it was first, whoever comes second."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.ledger import Decision, Deployment, Evidence, Hold, Outcome, Quarantine, Retraining, Skip, What
from lambdas.ledger import Ledger
from tests.unit.lambdas.account import LEDGER, decisions

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(milliseconds=1)


@pytest.fixture
def ledger(account: Callable[[str], Any]) -> Ledger:
    return Ledger(account("dynamodb"), LEDGER)


def _decision(why: str = "because") -> Decision:
    evidence = (Evidence(uri="s3://bucket/key", sha256="ab"), Evidence(uri="s3://bucket/other"))
    return Decision(time=NOON, what=What.MODEL_APPROVED, subject="arn:1", why=why, by="test", evidence=evidence)


def test_a_decision_is_written_once(ledger: Ledger) -> None:
    assert ledger.record(_decision())
    assert not ledger.record(_decision("another reason for the same cause"))
    assert decisions() == [_decision()]


@pytest.mark.parametrize("subject", ["uploads/" + "k" * 1016, "uploads/" + "ü" * 508])
def test_the_longest_s3_key_and_the_longest_reason_are_recorded(ledger: Ledger, subject: str) -> None:
    """DynamoDB refuses sort keys of more than 1,024 bytes and items of more than 400 KB; the event would end as a dead letter."""
    long = _decision("column " + "x" * 500_000).model_copy(update={"subject": subject})
    other = long.model_copy(update={"subject": subject[:-1] + "!"})
    assert ledger.record(long)
    assert not ledger.record(long)
    assert ledger.record(other)
    assert {decision.subject for decision in decisions()} == {subject, other.subject}
    assert all(len(decision.key["sk"].encode()) <= 1024 and len(decision.why) == 4000 for decision in decisions())


def test_an_open_deployment_is_replaced_by_a_later_one_only(ledger: Ledger) -> None:
    late, early = Deployment(model_package_arn="arn:2", asked=LATER), Deployment(model_package_arn="arn:1", asked=NOON)
    assert ledger.open_deployment() is None
    assert ledger.open(late)
    assert not ledger.open(early)
    assert ledger.open_deployment() == late


def test_only_the_deployment_that_is_meant_is_closed(ledger: Ledger) -> None:
    one, two = Deployment(model_package_arn="arn:1", asked=NOON), Deployment(model_package_arn="arn:2", asked=LATER)
    ledger.open(two)
    assert not ledger.close(one)
    assert ledger.open_deployment() == two
    assert ledger.close(two)
    assert not ledger.close(two)
    assert ledger.open_deployment() is None


def test_a_deployment_is_settled_at_the_time_of_whoever_saw_it_first(ledger: Ledger) -> None:
    deployment = Deployment(model_package_arn="arn:1", asked=NOON)
    ledger.open(deployment)
    assert ledger.settle(deployment, NOON) == NOON
    assert ledger.settle(deployment, LATER) == NOON
    ledger.close(deployment)
    assert ledger.settle(deployment, LATER) is None


def test_a_quarantine_keeps_its_first_reason(ledger: Ledger) -> None:
    first = Quarantine(model_package_arn="arn:1", why="it failed", time=NOON)
    assert ledger.quarantine(first) == first
    assert ledger.quarantine(Quarantine(model_package_arn="arn:1", why="it failed again", time=LATER)) == first
    assert ledger.quarantines() == (first,)


def test_a_hold_is_kept_until_its_reason_changes_or_is_gone(ledger: Ledger) -> None:
    first, again, other = Hold(why="a", time=NOON), Hold(why="a", time=LATER), Hold(why="b", time=LATER)
    assert ledger.hold(first) == first
    assert ledger.hold(again) == first
    assert ledger.hold(other) == other
    ledger.release()
    assert ledger.held() is None
    assert ledger.hold(again) == again


RETRAINING = Retraining(name="r1", asked=NOON, why="drift", champion="arn:1", parent="v1", start=NOON, end=LATER, alarms=("drift",))
OTHER = RETRAINING.model_copy(update={"name": "r2", "asked": LATER})


def test_one_retraining_at_a_time_holds_the_lock(ledger: Ledger) -> None:
    assert ledger.begin(RETRAINING)
    assert not ledger.begin(OTHER)
    assert not ledger.free("r2")
    assert ledger.open_retraining() == RETRAINING
    assert ledger.free("r1")
    assert not ledger.free("r1")
    assert ledger.begin(OTHER)


def test_a_run_is_started_when_it_was_first_seen_to_be(ledger: Ledger) -> None:
    assert ledger.trained("r1", "run", "arn", NOON) is None
    ledger.begin(RETRAINING)
    assert ledger.trained("r2", "run", "arn", NOON) is None
    assert ledger.trained("r1", "run", "arn", NOON) == NOON
    assert ledger.trained("r1", "run", "arn", LATER) == NOON
    assert ledger.open_retraining() == RETRAINING.model_copy(update={"run": "run", "execution": "arn", "trained": NOON})


def test_a_run_that_has_ended_was_started_when_it_was(ledger: Ledger) -> None:
    ledger.begin(RETRAINING)
    ledger.trained("r1", "run", "arn", NOON)
    going = ledger.open_retraining()
    assert going is not None
    ledger.end(going.model_copy(update={"outcome": Outcome.BETTER, "ended": LATER}))
    ledger.free("r1")
    assert ledger.trained("r1", "run", "arn", LATER) == NOON
    assert ledger.trained("r1", "another run", "arn", LATER) is None


def test_the_history_keeps_the_first_end_of_each_retraining(ledger: Ledger) -> None:
    ledger.begin(OTHER)
    ended = RETRAINING.model_copy(update={"outcome": Outcome.LOST, "ended": LATER})
    assert ledger.end(ended) == ended
    assert ledger.end(ended.model_copy(update={"outcome": Outcome.FAILED})) == ended
    later = ended.model_copy(update={"name": "r0", "asked": LATER})
    ledger.end(later)
    assert ledger.retrainings(NOON) == (ended, later)
    assert ledger.retrainings(LATER) == (later,)


def test_a_reason_not_to_train_keeps_its_first_time(ledger: Ledger) -> None:
    assert ledger.skip(Skip(why="cooldown", time=NOON)).time == NOON
    assert ledger.skip(Skip(why="cooldown", time=LATER)).time == NOON
    assert ledger.skip(Skip(why="cap", time=LATER)).time == LATER
    ledger.forget_skip()
    assert ledger.skipped() is None
