"""Predictions as records of the output stream, in an order that survives a PutRecords that takes only some of them.

PutRecords goes on after a record that it could not take, so it keeps no order
(https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html). Therefore a call never holds two records of the same key:
the predictions of a key and batch are one record, and what does not fit into it comes in a later call.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lambdas.predict_stream.logic import Predicted

LONGEST_ENTRY = 512 * 1024  # a record may have 1 MiB, its key included
MOST_ENTRIES = 500  # of a call
LONGEST_CALL = 4 * 1024 * 1024  # of 5 MiB


@dataclass(frozen=True)
class Entry:
    """One record to put: JSON Lines of one key."""

    key: str
    data: bytes


def calls(predicted: Iterable[Predicted]) -> Iterator[Sequence[Entry]]:
    """The calls that put the predictions, one after the other."""
    chunks: dict[str, list[bytes]] = {}
    for each in predicted:
        own, line = chunks.setdefault(each.record.partition_key, [b""]), each.line()
        if own[-1] and len(own[-1]) + len(line) > LONGEST_ENTRY:
            own.append(b"")
        own[-1] += line
    for turn in range(max(map(len, chunks.values()), default=0)):
        yield from _split([Entry(key, own[turn]) for key, own in chunks.items() if turn < len(own)])


def _split(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    call: list[Entry] = []
    size = 0
    for entry in entries:
        length = len(entry.data) + len(entry.key.encode())
        if call and (len(call) == MOST_ENTRIES or size + length > LONGEST_CALL):
            yield call
            call, size = [], 0
        call.append(entry)
        size += length
    if call:
        yield call
