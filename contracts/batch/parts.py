"""Lines packed into objects, and an object without output divided into smaller ones.

A name says where a part comes from: 00007 is a part of the table, 00007-03 the fourth piece of it, and so on, so names sort as rows do.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from contracts.batch.rows import Good

PART_BYTES = 8 * 1024 * 1024
PIECES = 32
ROUNDS = 4
"""The first, and three in which what failed is sent again."""
PART_ROWS = PIECES ** (ROUNDS - 1)
"""So three divisions end in rows that stand alone."""
MOST_DIVIDED = 1024
"""Parts of a round that are sent again: a model that predicts nothing must not cost an object a row of a large table."""

SUFFIX = ".jsonl"
OUTPUT = ".out"


@dataclass(frozen=True)
class Part:
    """What an object holds: `rows` rows, the first and the last with these numbers."""

    name: str
    rows: int
    first: int
    last: int

    @property
    def file(self) -> str:
        """Its object's name."""
        return self.name + SUFFIX

    @property
    def output(self) -> str:
        """The name that Batch Transform gives its output."""
        return self.file + OUTPUT


def pack(rows: Iterable[Good], size: int = PART_BYTES) -> Iterator[tuple[Part, bytes]]:
    """Parts of at most PART_ROWS rows and `size` bytes (of one row, if it is longer) with their content."""
    number, kept, length = 0, list[Good](), 0
    for row in rows:
        if len(kept) == PART_ROWS or (kept and length + len(row.line) > size):
            yield _part(f"{number:05d}", kept)
            number, kept, length = number + 1, [], 0
        kept.append(row)
        length += len(row.line)
    if kept:
        yield _part(f"{number:05d}", kept)


def divide(part: Part, rows: Sequence[Good]) -> list[tuple[Part, bytes]]:
    """A part's rows in at most PIECES pieces of about the same number of rows."""
    step = -(-len(rows) // PIECES)
    return [_part(f"{part.name}-{number:02d}", rows[start : start + step]) for number, start in enumerate(range(0, len(rows), step))]


def to_divide(number: int, sent: Sequence[Part], outputs: Collection[str]) -> list[Part]:
    """What of round `number` is sent again in pieces: at most MOST_DIVIDED parts, the first ones; none after the last round.

    A row alone is sent twice at most.
    """
    if number == ROUNDS - 1:
        return []
    failed = (part for part in sent if part.output not in outputs and (part.rows > 1 or not number))
    return list(islice(failed, MOST_DIVIDED))


def _part(name: str, rows: Sequence[Good]) -> tuple[Part, bytes]:
    return Part(name, len(rows), rows[0].row, rows[-1].row), b"".join(row.line for row in rows)
