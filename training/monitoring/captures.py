"""Data-capture files: JSON Lines as SageMaker writes them below <destination>/<endpoint>/<variant>/yyyy/mm/dd/hh.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html. Model quality jobs of Model Monitor
hand over the same lines with a `groundTruthData` merged into each.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from xxhash import xxh3_64_intdigest

SHARD_BYTES = 32 << 20
BLOCK_BYTES = 512 << 10  # what is made of it stays in a processor's cache


# Field names are the format's own. gc=False: these hold no cycles, and millions of them are made.
class Payload(msgspec.Struct, gc=False):
    """A request or an answer, as text or in base64."""

    data: str
    encoding: str = "BASE64"
    observedContentType: str = ""  # noqa: N815 - the format's name

    def content(self) -> bytes:
        """The payload itself. Raises ValueError when it is not in base64, as it claims."""
        if self.encoding != "BASE64":
            return self.data.encode()
        try:
            return base64.b64decode(self.data, validate=True)
        except binascii.Error as error:
            raise ValueError(f"not in base64: {error}") from None

    def text(self) -> str:
        """The payload as text. Raises ValueError when it is not UTF-8 in base64, as it claims."""
        if self.encoding != "BASE64":
            return self.data
        try:
            return self.content().decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 in base64: {error}") from None


class Exchange(msgspec.Struct, gc=False):
    """What was captured of one request; either side may be left out of the capture options."""

    endpointInput: Payload | None = None  # noqa: N815 - the format's name
    endpointOutput: Payload | None = None  # noqa: N815 - the format's name


class Metadata(msgspec.Struct, gc=False):
    """Which request, and when."""

    eventId: str  # noqa: N815 - the format's name
    inferenceTime: Annotated[datetime, msgspec.Meta(tz=True)]  # noqa: N815 - the format's name
    inferenceId: str = ""  # noqa: N815 - the format's name


class Truth(msgspec.Struct, gc=False):
    """A label, as text."""

    data: str
    encoding: str = "CSV"


class Record(msgspec.Struct, gc=False):
    """One line of a capture file."""

    captureData: Exchange  # noqa: N815 - the format's name
    eventMetadata: Metadata  # noqa: N815 - the format's name
    groundTruthData: Truth | None = None  # noqa: N815 - the format's name


_RECORD = msgspec.json.Decoder(Record)


class Span(NamedTuple):
    """start <= time < end."""

    start: datetime
    end: datetime

    def holds(self, time: datetime) -> bool:
        """Whether a time is in it."""
        return self.start <= time < self.end


@dataclass(frozen=True, order=True)
class Shard:
    """The lines of a file that begin at start <= offset < stop, in bytes."""

    path: Path
    start: int
    stop: int


def find_shards(source: Path, size: int = SHARD_BYTES) -> list[Shard]:
    """Every *.jsonl file below a folder, cut into shards; in the order of their paths."""
    shards: list[Shard] = []
    for path in sorted(path for path in source.rglob("*.jsonl") if path.is_file()):
        length = path.stat().st_size
        shards += [Shard(path, start, min(start + size, length)) for start in range(0, length, size)]
    return shards


def read_blocks(shard: Shard, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The shard's lines, about `size` bytes of whole lines at a time."""
    with shard.path.open("rb") as file:
        if shard.start:
            file.seek(shard.start - 1)
            file.readline()  # the shard before ends with this line
        while (position := file.tell()) < shard.stop:
            block = file.read(min(size, shard.stop - position))
            yield block if block.endswith(b"\n") else block + file.readline()


def decode(block: bytes) -> tuple[list[Record], int]:
    """(the records of whole lines, lines that are none)."""
    try:
        return _RECORD.decode_lines(block), 0
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # some line is broken: the others still count
    records: list[Record] = []
    unreadable = 0
    for line in block.split(b"\n"):
        if not line.strip():
            continue
        try:
            records.append(_RECORD.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            unreadable += 1
    return records, unreadable


def key_of(identifier: str) -> int:
    """64 bits that stand for an identifier; two of a billion identifiers meet with a probability of 3 %."""
    return xxh3_64_intdigest(identifier.encode())
