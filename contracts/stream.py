"""Predictions of a stream: records of one Kinesis stream, answered on another one and in S3 (lambdas/predict_stream).

    stream: {enabled: true, shards, retention_hours, batch_size, batching_seconds, retries, late_seconds}

A record is one row, as a JSON object of the features, in UTF-8. Its answer is a JSON line; a record of the output stream holds those of
one partition key and batch, in the order of the input, each with its end of line:

    {"prediction": "yes", ..., "inference_id": "...", "model": {...}, "partition_key": "...", "shard": "shardId-000000000000",
     "sequence_number": "4959...", "arrived": "2026-11-20T10:00:00.000Z"}

Records are answered at least once. `shard` and `sequence_number` are the record's own, so whoever reads answers can drop the ones that
came twice. `inference_id` is what the prediction was captured under, and what its label is sent under.

What can never be answered is in the dead letters with its payload (`DeadLetter`), and does not keep the others waiting.

Limits: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html,
https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

INPUT, OUTPUT = "requests", "predictions"
"""The streams' names after the project's prefix."""
LONGEST_DEAD_LETTER = 256 * 1024
"""Bytes of a message in SQS, as every queue takes them; a longer payload is in S3, and the message says where."""


class Stream(BaseModel):
    """Off by default: then there are no streams. A shard takes 1 MB or 1,000 records a second, and is answered in order.

    `late_seconds`: how old the newest answered record may be before people are told.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False
    shards: int = Field(default=1, ge=1, le=200)
    retention_hours: int = Field(default=24, ge=24, le=8760, description="how long Kinesis keeps records")
    batch_size: int = Field(default=100, ge=1, le=10_000, description="records that are answered at once")
    batching_seconds: int = Field(default=0, ge=0, le=300, description="how long to wait for a full batch")
    retries: int = Field(default=100, ge=0, le=10_000, description="of a batch that cannot be answered now, before it is put aside")
    late_seconds: int = Field(default=300, ge=60, le=86_400)

    @property
    def oldest_seconds(self) -> int:
        """The age at which a record that waits is put aside: an hour before Kinesis forgets it."""
        return min(604_800, (self.retention_hours - 1) * 3600)


def stream_name(prefix: str, which: str) -> str:
    """The name of a project's stream, INPUT or OUTPUT."""
    return f"{prefix}-{which}"


@dataclass(frozen=True)
class DeadLetter:
    """A record that no retry can mend. The payload is `payload`, in `encoding`, or at `payload_uri` when it is too long for a message."""

    reason: str
    stream: str  # its ARN
    shard: str
    sequence_number: str
    partition_key: str
    arrived: str
    data: bytes

    def message(self, payload_uri: str | None = None) -> str:
        """As it is sent: ASCII, because SQS refuses some characters."""
        named = {name: value for name, value in vars(self).items() if name != "data"}
        return json.dumps(named | (_payload(self.data) if payload_uri is None else {"payload_uri": payload_uri}))


def read_dead_letter(message: str) -> dict[str, Any]:
    """A message of the queue, with `data` as bytes unless it lies elsewhere. Raises ValueError or KeyError for another message."""
    letter: dict[str, Any] = json.loads(message)
    if "payload_uri" not in letter:
        payload, encoding = letter.pop("payload"), letter.pop("encoding")
        letter["data"] = base64.b64decode(payload) if encoding == "base64" else payload.encode()
    return letter


def _payload(data: bytes) -> dict[str, str]:
    try:
        return {"payload": data.decode(), "encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"payload": base64.b64encode(data).decode(), "encoding": "base64"}
