"""What becomes of a batch of records: each is answered, can never be answered, or must wait.

All rows of a batch are asked about at once. When the model server finds that request wrong, it is halved until the records stand alone
that are to blame, so one of them among a hundred costs some fourteen requests and not a hundred; so is a request that is too long. A
record that is wrong is put into the dead letters and the shard goes on. When the endpoint does not answer, the record and all behind it
wait: Lambda sends the batch again from there, which is what keeps the order
(https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html).

The inference id of a request is made of the shard and of its first record's sequence number, so that the same records asked about again
have the same ids.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.inference import row_ids

LONGEST_REASON = 1000
LONGEST_REQUEST = 4 * 1024 * 1024
"""Bytes that every kind of endpoint takes: https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-invoke.html."""


@dataclass(frozen=True)
class Record:
    """A record of the stream. `sequence_number` tells it from all others of its shard."""

    shard: str
    sequence_number: str
    partition_key: str
    arrived: datetime
    data: bytes


@dataclass(frozen=True)
class Request:
    """What is sent to the endpoint: a list in JSON, a row a record."""

    body: bytes
    inference_id: str


@dataclass(frozen=True)
class Answered:
    """The endpoint's answer: a prediction a row, and what the answer says of the model."""

    predictions: Sequence[Mapping[str, Any]]
    model: Mapping[str, Any]


@dataclass(frozen=True)
class Refused:
    """The model server found the rows wrong."""

    reason: str


@dataclass(frozen=True)
class Unavailable:
    """The endpoint did not answer, not for the rows' sake."""

    why: str


Ask = Callable[[Request], Answered | Refused | Unavailable]


@dataclass(frozen=True)
class Predicted:
    """A record with its answer."""

    record: Record
    answer: Mapping[str, Any]

    def line(self) -> bytes:
        """As it is written: JSON in one line, its end included."""
        record = self.record
        origin = {
            "partition_key": record.partition_key,
            "shard": record.shard,
            "sequence_number": record.sequence_number,
            "arrived": timestamp(record.arrived),
        }
        return json.dumps({**self.answer, **origin}).encode() + b"\n"


@dataclass(frozen=True)
class Poison:
    """A record that can never be answered."""

    record: Record
    reason: str


@dataclass(frozen=True)
class Waiting:
    """A record that cannot be answered now; neither can those behind it."""

    record: Record
    why: str


Result = Predicted | Poison | Waiting


def predict(records: Sequence[Record], ask: Ask) -> Iterator[Result]:
    """What becomes of the records of one shard, in their order; ends with the first that waits."""
    faults = [_fault(record.data) for record in records]
    answers = _answers([record for record, fault in zip(records, faults, strict=True) if fault is None], ask)
    for record, fault in zip(records, faults, strict=True):
        result = next(answers) if fault is None else Poison(record, fault)
        yield result
        if isinstance(result, Waiting):
            return


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fault(data: bytes) -> str | None:
    """What is wrong with a record whatever the model is, or None."""
    try:
        row = json.loads(data.decode())
    except UnicodeDecodeError:
        return "the record is not UTF-8"
    except RecursionError:
        return "the record is nested too deeply"
    except ValueError as error:
        return f"the record is not JSON: {error}"[:LONGEST_REASON]
    return None if isinstance(row, dict) else f"the record is a JSON {type(row).__name__}, and not an object of features"


def _answers(records: Sequence[Record], ask: Ask) -> Iterator[Result]:
    """Lazily: who stops at a record that waits asks for none behind it."""
    if not records:
        return
    request = _request(records)
    too_long = len(request.body) > LONGEST_REQUEST and len(records) > 1
    match Refused("there are too many records for one request") if too_long else ask(request):
        case Answered(predictions, model) if len(predictions) == len(records):
            for record, prediction, name in zip(records, predictions, row_ids(request.inference_id, len(records)), strict=True):
                yield Predicted(record, {**prediction, "inference_id": name, "model": model})
        case Answered(predictions):
            yield Waiting(records[0], f"the endpoint gave {len(predictions)} predictions for {len(records)} rows")
        case Refused(reason) if len(records) == 1:
            yield Poison(records[0], reason[:LONGEST_REASON])
        case Refused():
            middle = len(records) // 2
            yield from _answers(records[:middle], ask)
            yield from _answers(records[middle:], ask)
        case Unavailable(why):
            yield Waiting(records[0], why)


def _request(records: Sequence[Record]) -> Request:
    first = records[0]
    name = f"stream:{first.shard}:{first.sequence_number}"
    # Each record was read as JSON before, so it may stand in the list as it came; in an object a feature could have the list's name.
    return Request(b"[" + b",".join(record.data for record in records) + b"]", str(uuid.uuid5(uuid.NAMESPACE_URL, name)))
