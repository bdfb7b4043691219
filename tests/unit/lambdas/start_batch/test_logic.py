"""What a look does next is read off what is there, and every row that was sent has one outcome."""

from collections.abc import Iterator

import pytest

from contracts.batch.answers import Answer
from contracts.batch.parts import Part
from contracts.batch.schedule import Plan, Summary, pieces_of, scheduled_name
from lambdas.start_batch.logic import Next, next_step, outcome

FIRST, SECOND = Part("00000", 3, 2, 4), Part("00001", 2, 5, 6)
PIECES = (Part("00001-00", 1, 5, 5), Part("00001-01", 1, 6, 6))


def plan(*parts: Part) -> Plan:
    return Plan(package="p", rejected=0, parts=parts)


@pytest.mark.parametrize(
    ("plans", "status", "outputs", "step"),
    [
        ((), None, set(), Next.PREPARE),
        ((plan(),), None, set(), Next.COLLECT),
        ((plan(FIRST),), None, set(), Next.START),
        ((plan(FIRST),), "InProgress", set(), Next.WAIT),
        ((plan(FIRST),), "Stopping", {FIRST.output}, Next.WAIT),
        ((plan(FIRST),), "Completed", {FIRST.output}, Next.COLLECT),
        ((plan(FIRST, SECOND),), "Failed", {FIRST.output}, Next.DIVIDE),
        ((plan(FIRST, SECOND),), "Failed", set(), Next.DIVIDE),
        ((plan(FIRST, SECOND),), "Stopped", {FIRST.output}, Next.COLLECT),
        ((plan(FIRST, SECOND), plan(*PIECES)), None, {FIRST.output}, Next.START),
        ((plan(FIRST, SECOND), plan(*PIECES)), "Failed", {FIRST.output}, Next.COLLECT),
    ],
)
def test_the_next_step(plans: tuple[Plan, ...], status: str | None, outputs: set[str], step: Next) -> None:
    assert next_step(plans, status, outputs) is step


def test_every_row_that_was_sent_has_one_outcome_in_order() -> None:
    plans = (plan(FIRST, SECOND), plan(*PIECES))
    outputs = {FIRST.output, PIECES[1].output}
    asked: list[tuple[str, int]] = []

    def read(part: Part) -> Iterator[Answer]:
        yield from (Answer(row, "c", {}) for row in range(part.first, part.last + 1))

    def unanswered(part: Part, number: int) -> Iterator[tuple[int, str]]:
        asked.append((part.name, number))
        yield from ((row, "c") for row in range(part.first, part.last + 1))

    found = list(outcome(plans, outputs, read, unanswered))
    assert [each.row if isinstance(each, Answer) else -each[0] for each in found] == [2, 3, 4, -5, 6]
    assert asked == [("00001-00", 1)]
    assert pieces_of(plans[1:]) == {SECOND.name: list(PIECES)}


def test_a_batch_is_named_by_the_version_of_its_table() -> None:
    first, second = (scheduled_name("p-dev", "batch/input/a.csv", version) for version in ("1", "2"))
    assert first != second
    assert first == scheduled_name("p-dev", "batch/input/a.csv", "1")
    assert len(scheduled_name("a" * 24 + "-" + "b" * 8, "k", "v")) + len("-3") <= 63


def test_a_summary_is_well_only_when_every_row_has_its_prediction() -> None:
    assert Summary(source="s", rows=3, predicted=3).ok
    assert not Summary(source="s", rows=3, predicted=2, rejected=1).ok
    assert not Summary(source="s", problem="it is empty").ok
    assert Summary(source="s", rows=3, predicted=1, rejected=1, failed=1).words == "1 of 3 rows predicted, 1 rejected, 1 failed"
