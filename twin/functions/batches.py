"""What becomes of a batch of a stream's records: done, done in part, tried again, halved, or given up. Decisions alone.

docs: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html (the lowest sequence number of a reply is
where the batch is tried again; an identifier that is empty, unknown or missing fails all of it; an empty reply fails nothing),
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html (halving a batch takes nothing of its retries).
Modelled: the rest of a batch that was done in part has all of its retries again; attempts are 1, 2, 4, ... seconds apart, 60 at most, and
60 when the function could not be asked at all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class StreamRecord:
    """A record as Kinesis gives it."""

    sequence_number: str
    partition_key: str
    arrived: datetime
    data: bytes


@dataclass(frozen=True)
class Batch:
    """Records that go to the function together, and how often that has failed."""

    records: tuple[StreamRecord, ...]
    failures: int = 0


@dataclass(frozen=True)
class Rules:
    """A mapping's settings, as far as they decide. `retries` and `oldest_seconds`: -1 has no end."""

    bisects: bool
    reports: bool
    retries: int
    oldest_seconds: int


@dataclass(frozen=True)
class Next:
    """What to do after an attempt: batches to send, in order, after a pause when `waits`; and one that is given up."""

    again: tuple[Batch, ...] = ()
    given_up: Batch | None = None
    waits: bool = False


def after_error(batch: Batch, rules: Rules) -> Next:
    """The function failed, or said that it did not know how far it got."""
    if rules.bisects and len(batch.records) > 1:
        middle = len(batch.records) // 2
        halves = (batch.records[:middle], batch.records[middle:])
        return Next(tuple(Batch(half, batch.failures) for half in halves), waits=True)
    return _retried(batch, rules)


def after_reply(batch: Batch, reply: Any, rules: Rules) -> Next:
    """The function succeeded with this reply."""
    numbers = [record.sequence_number for record in batch.records]
    first = first_failure(reply, numbers) if rules.reports else None
    if first is None:
        return Next()
    if first < 0:
        return after_error(batch, rules)
    if first == 0:
        return _retried(batch, rules)
    return Next((Batch(batch.records[first:]),), waits=True)


def first_failure(reply: Any, numbers: Sequence[str]) -> int | None:
    """The place of the first record to send again; None when all were handled; -1 when the reply names none of them."""
    failures = reply.get("batchItemFailures") if isinstance(reply, dict) else None
    if not failures:
        return None
    known = {number: place for place, number in enumerate(numbers)}
    return min(known.get(str(item.get("itemIdentifier")), -1) if isinstance(item, dict) else -1 for item in failures)


def without_old(batch: Batch, now: datetime, rules: Rules) -> tuple[Batch, Batch]:
    """(what is still young enough, what is too old) of a batch."""
    if rules.oldest_seconds < 0:
        return batch, Batch(())
    old = sum((now - record.arrived).total_seconds() > rules.oldest_seconds for record in batch.records)
    return Batch(batch.records[old:], batch.failures), Batch(batch.records[:old], batch.failures)


def pause(failures: int) -> float:
    """Seconds before a batch is sent again."""
    return min(LONGEST_PAUSE, 2.0 ** min(failures, 10))


def read_reply(payload: bytes) -> Any:
    """The function's reply."""
    return json.loads(payload)


def _retried(batch: Batch, rules: Rules) -> Next:
    if 0 <= rules.retries <= batch.failures:
        return Next(given_up=batch)
    return Next((Batch(batch.records, batch.failures + 1),), waits=True)
