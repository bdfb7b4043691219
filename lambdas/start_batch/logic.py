"""What becomes of a table that waits, and what of a round that ended. Pure."""

from collections.abc import Callable, Collection, Iterator
from enum import StrEnum

from contracts.batch.answers import Answer
from contracts.batch.parts import Part, to_divide
from contracts.batch.schedule import Plan, pieces_of

ENDED = frozenset({"Completed", "Failed", "Stopped"})
Read = Callable[[Part], Iterator[Answer]]
Unanswered = Callable[[Part, int], Iterator[tuple[int, str]]]
"""(part, its round) -> (row, id) of its rows."""


class Next(StrEnum):
    """What is to be done about a batch."""

    PREPARE = "prepare"
    START = "start"
    WAIT = "wait"
    DIVIDE = "divide"
    COLLECT = "collect"


def next_step(plans: tuple[Plan, ...], status: str | None, outputs: Collection[str]) -> Next:
    """What to do, given the plans so far, the status of the newest one's job, and the outputs that are there."""
    if not plans:
        return Next.PREPARE
    if not plans[-1].parts:
        return Next.COLLECT
    if status is None:
        return Next.START
    if status not in ENDED:
        return Next.WAIT
    # A person who stops a scheduled job wants no more of it.
    if status != "Stopped" and to_divide(len(plans) - 1, plans[-1].parts, outputs):
        return Next.DIVIDE
    return Next.COLLECT


def outcome(plans: tuple[Plan, ...], outputs: Collection[str], read: Read, unanswered: Unanswered) -> Iterator[Answer | tuple[int, str]]:
    """Every row that was sent, in order: its answer, or (row, id) when it has none."""

    pieces = pieces_of(plans[1:])

    def of(part: Part, number: int) -> Iterator[Answer | tuple[int, str]]:
        if part.output in outputs:
            yield from read(part)
        elif part.name in pieces:
            for piece in pieces[part.name]:
                yield from of(piece, number + 1)
        else:
            yield from unanswered(part, number)

    for part in plans[0].parts:
        yield from of(part, 0)
