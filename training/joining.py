"""Captured requests joined with their labels, as rows of a table. Pure.

A request's rows are read as the model server read them, and a row is labelled under its inference id (contracts/inference.py). Rows come
in the order of their inference time; within a second in the order of the files. An event counts once, and so does an inference id, which
a request that was tried again carries into a second event.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from contracts.columns import ColumnKind, Value
from contracts.config import Data
from contracts.errors import RequestError
from contracts.evaluation import Problem
from contracts.ground_truth import GroundTruth, label_text
from contracts.inference import row_ids
from contracts.signature import Signature
from contracts.statistics import Tally
from training.monitoring.captures import Payload, Record, decode
from training.payload import Row, Rows
from training.payload import decode as read_rows
from training.serving.media import CSV, JSON, media_type

Cells = list[str]


@dataclass
class Labels:
    """Labels as the target's texts, by inference id. A later one for the same id replaces an earlier one."""

    contract: Data
    texts: dict[str, str] = field(default_factory=dict)
    unreadable: int = 0

    def add(self, block: bytes) -> None:
        """Whole lines of a ground-truth file."""
        for line in block.split(b"\n"):
            if not line.strip():
                continue
            try:
                found = GroundTruth.from_line(line)
                self.texts[found.inference_id] = label_text(found.label, self.contract)
            except (ValidationError, ValueError, csv.Error):
                self.unreadable += 1


class Joiner:
    """Makes rows of captures with start <= inference time < end."""

    def __init__(self, contract: Data, labels: Labels, start: datetime, end: datetime) -> None:
        self._contract = contract
        self._labels = labels
        self._start, self._end = start, end
        self._signature = Signature.of(contract)
        time = None if contract.time in contract.features else contract.time
        self._leading = [name for name in (contract.id, time) if name is not None]
        self._taken: set[str] = set()
        self.header: Cells = [*self._leading, *contract.features, contract.target]
        self.targets: list[str] = []  # of the rows made so far, in their order
        self.missing = dict.fromkeys(contract.features, 0)
        self.tallies = {name: Tally(kind, told=name not in contract.privacy.columns) for name, kind in _kinds(contract).items()}
        self.newest = start  # when the newest labelled row was asked for
        self.unlabelled = 0
        self.unreadable = 0

    def join(self, blocks: Iterable[bytes]) -> Iterator[Cells]:
        """The labelled rows of an hour's capture files, given as blocks of whole lines."""
        for record in self._records(blocks):
            rows = self._rows(record)
            if rows is None:
                self.unreadable += 1
                continue
            request = record.eventMetadata.inferenceId
            for identifier, row in zip(row_ids(request, len(rows)), rows, strict=True):
                label = self._labels.texts.get(identifier) if request else None
                if label is None:
                    self.unlabelled += 1
                elif identifier not in self._taken:
                    self._taken.add(identifier)
                    self.newest = max(self.newest, record.eventMetadata.inferenceTime)
                    yield self._cells(identifier, record.eventMetadata.inferenceTime, row, label)

    def _records(self, blocks: Iterable[bytes]) -> list[Record]:
        """Those of the time asked for, each once, by time."""
        events: dict[str, Record] = {}
        for block in blocks:
            records, unreadable = decode(block)
            self.unreadable += unreadable
            for record in records:
                if self._start <= record.eventMetadata.inferenceTime < self._end:
                    events.setdefault(record.eventMetadata.eventId, record)
        return sorted(events.values(), key=lambda record: record.eventMetadata.inferenceTime)

    def _rows(self, record: Record) -> Rows | None:
        payload = record.captureData.endpointInput
        if payload is None:
            return None
        try:
            content = payload.content()
            return read_rows(self._signature, _kind(payload, content), content)
        except (RequestError, ValueError):
            return None

    def _cells(self, identifier: str, time: datetime, row: Row, label: str) -> Cells:
        for name, value in row.items():
            self.missing[name] += value is None
        self.targets.append(label)
        leading = {self._contract.id: identifier, self._contract.time: time.isoformat()}
        cells = [*(leading[name] for name in self._leading), *(to_cell(row[name]) for name in self._contract.features), label]
        for name, cell in zip(self.header, cells, strict=True):
            if name in self.tallies:
                self.tallies[name].count(cell)
        return cells


def _kinds(contract: Data) -> dict[str, ColumnKind]:
    """The columns of which statistics are kept, as ingest_dataset does."""
    target = ColumnKind.NUMERIC if contract.problem is Problem.REGRESSION else ColumnKind.CATEGORICAL
    times = {contract.time: ColumnKind.DATETIME} if contract.time is not None else {}
    return times | dict(contract.features) | {contract.target: target}


def _kind(payload: Payload, content: bytes) -> str:
    """How to read a request; by its look when its content type was not captured. Raises ValueError for one that no model takes."""
    if not payload.observedContentType:
        return JSON if content.lstrip()[:1] in {b"{", b"["} else CSV
    kind = media_type(payload.observedContentType)
    if kind is None:
        raise ValueError(f"content type {payload.observedContentType!r} is none that a model takes")
    return kind


def to_cell(value: Value) -> str:
    """A value as a table's text: contracts.columns.parse gives the same value back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) else repr(value)


def to_line(cells: Cells) -> bytes:
    """A row of the file (RFC 4180, UTF-8)."""
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
