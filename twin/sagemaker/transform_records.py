"""Batch transform's records: an object's lines, packed into mini-batches, filtered for the container, and joined with what it answers.

Sources: API_CreateTransformJob (BatchStrategy, MaxPayloadInMB, SplitType), developer guide, batch-transform-data-processing (filters, the
join under SageMakerOutput). Filters are JSONPath; `$`, `$.name` and `$['a','b']` are understood, of JSON Lines alone.
Modelled: a megabyte is 2^20 bytes, of what is sent to the container; blank lines are no records.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

MEGABYTE = 1 << 20
OUTPUT = "SageMakerOutput"

_FIELD = re.compile(r"\$\.([A-Za-z_][A-Za-z0-9_]*)")
_FIELDS = re.compile(r"\$\[('[^']+'(?:,\s*'[^']+')*)\]")
_NAME = re.compile(r"'([^']+)'")


class RecordError(Exception):
    """An object cannot be split, filtered or joined; the message is for the job's data log."""


@dataclass(frozen=True)
class Filter:
    """A JSONPath: everything, one field's value (`names` has one name), or an object of some fields."""

    names: tuple[str, ...] = ()
    is_object: bool = False

    @classmethod
    def parse(cls, path: str) -> "Filter":
        """A filter of a request. Raises ValueError for one that is not understood."""
        if path in {"", "$"}:
            return cls()
        if field := _FIELD.fullmatch(path):
            return cls((field[1],))
        if fields := _FIELDS.fullmatch(path):
            return cls(tuple(_NAME.findall(fields[1])), is_object=True)
        raise ValueError(path)

    def select(self, record: Any) -> Any:
        """What the filter leaves of a record. Raises RecordError when it is not there."""
        if not self.names:
            return record
        if not isinstance(record, dict) or any(name not in record for name in self.names):
            raise RecordError(f"a record has not all of {', '.join(self.names)}")
        return {name: record[name] for name in self.names} if self.is_object else record[self.names[0]]


@dataclass(frozen=True)
class Processing:
    """DataProcessing of a job. Without a filter and a join the container gets, and the output has, every byte as it came."""

    before: Filter = Filter()
    after: Filter = Filter()
    joins: bool = False

    def payload(self, line: bytes) -> bytes:
        """A record as the container gets it. Raises RecordError."""
        return orjson.dumps(self.before.select(_loads(line))) if self.before.names else line

    def output(self, line: bytes, answer: bytes) -> bytes:
        """A record as the output has it, given what the container answered. Raises RecordError."""
        if not self.joins:
            return orjson.dumps(self.after.select(_loads(answer))) if self.after.names else answer
        record = _loads(line)
        if not isinstance(record, dict):
            raise RecordError("a record is no JSON object; the twin joins objects")
        return orjson.dumps(self.after.select(record | {OUTPUT: _loads(answer)}))


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a stream of bytes, without their ends."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest


@dataclass(frozen=True)
class MiniBatch:
    """One request: the records as they came, and the payload."""

    records: tuple[bytes, ...]
    payload: bytes


def mini_batches(records: Iterable[bytes], processing: Processing, limit: int, *, single: bool) -> Iterator[MiniBatch]:
    """As many records in each as `limit` bytes hold, or one. Raises RecordError for a record that is larger."""
    kept: list[bytes] = []
    sent: list[bytes] = []
    size = 0
    for record in records:
        payload = processing.payload(record)
        if len(payload) + 1 > limit:
            raise RecordError(f"a record of {len(payload)} bytes is larger than MaxPayloadInMB")
        if sent and (single or size + len(payload) + 1 > limit):
            yield MiniBatch(tuple(kept), b"\n".join(sent) + b"\n")
            kept, sent, size = [], [], 0
        kept.append(record)
        sent.append(payload)
        size += len(payload) + 1
    if sent:
        yield MiniBatch(tuple(kept), b"\n".join(sent) + b"\n")


def outputs(batch: MiniBatch, answer: bytes, processing: Processing) -> Iterator[bytes]:
    """The lines of an object's output that a mini-batch gives. Raises RecordError when the answers are not one a record."""
    if not processing.joins and not processing.after.names:
        yield answer.rstrip(b"\n")
        return
    answers = list(lines([answer]))
    if len(answers) != len(batch.records):
        raise RecordError(f"the container gave {len(answers)} lines for {len(batch.records)} records, so they cannot be joined")
    for record, each in zip(batch.records, answers, strict=True):
        yield processing.output(record, each)


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RecordError(f"a line is not JSON: {error}") from None
