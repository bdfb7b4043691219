"""Captured requests as columns: the shapes that training/payload.py takes, but what is wrong is counted here, and refused there.

Nearly every request is {"instances": [record, ...]}, or a list of records, with every feature, so those are decoded straight into typed
rows, and many rows become columns at once; a request that does not fit is looked at cell by cell. Both ways count the same.
"""

import csv
import io
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec.structs import astuple

from contracts.columns import ColumnKind, Value, parse
from contracts.errors import RequestError
from contracts.signature import from_json
from training.monitoring.captures import Payload
from training.monitoring.summary import Numbers
from training.payload import MOST_VALUES
from training.serving.media import TABLES, media_type
from training.serving.requests import may_be_fields
from training.serving.tables import read_table

FLOATS = ColumnKind.NUMERIC
TEXTS = ColumnKind.CATEGORICAL
_TYPES: dict[ColumnKind, Any] = {FLOATS: float | None, TEXTS: str | None}


@dataclass
class Columns:
    """Rows of some requests, by column: numbers (missing: NaN), and how often each text occurs."""

    rows: int = 0
    numbers: dict[str, list[Numbers]] = field(default_factory=dict)
    texts: dict[str, Counter[str | None]] = field(default_factory=dict)
    invalid: Counter[str] = field(default_factory=Counter)
    absent: Counter[str] = field(default_factory=Counter)
    extra: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0

    def add_numbers(self, name: str, values: Numbers) -> None:
        """More cells of a column of numbers."""
        self.numbers.setdefault(name, []).append(values)

    def add_texts(self, name: str, texts: Iterable[str | None] | Mapping[str | None, int]) -> None:
        """More cells of a column of texts, or how often each occurs."""
        self.texts.setdefault(name, Counter()).update(texts)


class RequestReader:
    """Reads the requests of one model."""

    def __init__(self, kinds: Mapping[str, ColumnKind]) -> None:
        self._kinds = dict(kinds)
        self._decode = _decoder(kinds) if may_be_fields(kinds) else _no_decoder

    def read(self, payloads: Sequence[Payload | None], columns: Columns) -> None:
        """Add all rows of these requests."""
        rows: list[tuple[Any, ...]] = []
        lines: list[list[str]] = []
        for payload in payloads:
            if payload is not None and payload.encoding == "JSON":
                try:
                    rows += map(astuple, self._decode(payload.data))
                except msgspec.DecodeError:
                    self._read_one(Payload(payload.data, "JSON", "application/json"), columns)
            elif payload is not None and (line := self._plain_line(payload)):
                lines.append(line)
            else:
                self._read_one(payload, columns)
        self._add_typed(rows, columns)
        self._add_lines(list(self._kinds), lines, columns)

    def _plain_line(self, payload: Payload) -> list[str] | None:
        """The cells of a CSV request that is one line without a header and without quotes, else None."""
        text = payload.data.removesuffix("\n").removesuffix("\r")
        if payload.encoding != "CSV" or '"' in text or "\n" in text or "\r" in text:
            return None
        cells = text.split(",")
        header = cells[0].strip().removeprefix("\ufeff") in self._kinds
        return cells if len(cells) == len(self._kinds) and not header else None

    def _add_typed(self, rows: list[tuple[Any, ...]], columns: Columns) -> None:
        columns.rows += len(rows)
        for (name, kind), cells in zip(self._kinds.items(), zip(*rows, strict=True), strict=False):
            if kind is FLOATS:
                columns.add_numbers(name, _column(cells))
            elif kind is TEXTS:
                columns.add_texts(name, cells)
            else:
                self._add_cells(name, cells, from_json, columns)

    def _read_one(self, payload: Payload | None, columns: Columns) -> None:
        if payload is None:
            columns.unreadable += 1
            return
        try:
            kind = payload.observedContentType.split(";")[0].strip().lower()
            if media_type(kind) in TABLES:
                self._add_file(kind, payload.content(), columns)
                return
            text = payload.text()
            if kind == "text/csv" or (not kind and text.lstrip()[:1] not in {"{", "["}):
                self._add_table(text, columns)
            else:
                self._add_records(_documents(text), columns)
        except (ValueError, RequestError):
            columns.unreadable += 1

    def _add_file(self, kind: str, content: bytes, columns: Columns) -> None:
        """Parquet or Arrow. Raises RequestError, and ValueError when its columns are not the model's features."""
        names, *lines = read_table(str(media_type(kind)), content, MOST_VALUES)
        if not lines or sorted(names) != sorted(self._kinds):
            raise ValueError("no row, or other columns than the model has features")
        self._add_lines(names, lines, columns)

    def _add_records(self, records: list[dict[str, Any]], columns: Columns) -> None:
        columns.rows += len(records)
        for record in records:
            columns.extra.update(name for name in record if name not in self._kinds)
        for name in self._kinds:
            cells = [record[name] for record in records if name in record]
            if len(cells) < len(records):
                columns.absent[name] += len(records) - len(cells)
            self._add_cells(name, cells, from_json, columns)

    def _add_table(self, text: str, columns: Columns) -> None:
        """CSV. Raises ValueError unless every row has as many cells as the model has features: nobody knows which one is missing."""
        try:
            lines = [line for line in csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True) if line]
        except csv.Error as error:
            raise ValueError(str(error)) from None
        names = list(self._kinds)
        first = [cell.strip() for cell in lines[0]] if lines else []
        if sorted(first) == sorted(names):
            names, lines = first, lines[1:]
        if not lines or any(len(line) != len(names) for line in lines):
            raise ValueError("no row, or a row of the wrong width")
        self._add_lines(names, lines, columns)

    def _add_lines(self, names: list[str], lines: list[list[str]], columns: Columns) -> None:
        columns.rows += len(lines)
        for name, cells in zip(names, zip(*lines, strict=True), strict=False):
            quick = _floats(cells) if self._kinds[name] is FLOATS else None
            if quick is not None:
                columns.add_numbers(name, quick)
            elif self._kinds[name] is TEXTS:
                columns.add_texts(name, cells)
            else:
                self._add_cells(name, cells, parse, columns)

    def _add_cells(self, name: str, cells: Iterable[Any], read: Callable[[ColumnKind, Any], Value], columns: Columns) -> None:
        kind = self._kinds[name]
        values: list[Value] = []
        for cell in cells:
            try:
                values.append(read(kind, cell))
            except (ValueError, OverflowError):  # the latter for a whole number beyond all floats
                columns.invalid[name] += 1
        if not values:
            return
        if kind is TEXTS:
            columns.add_texts(name, (None if value is None else str(value) for value in values))
        else:
            columns.add_numbers(name, np.array([_number(value) for value in values]))


def _decoder(kinds: Mapping[str, ColumnKind]) -> Callable[[str], list[Any]]:
    """Of {"instances": [record, ...]} or a list of records, every feature there and of its type: the rows."""
    fields = {f"f{number}": name for number, name in enumerate(kinds)}
    row = msgspec.defstruct(
        "Row",
        [(code, _TYPES.get(kind, Any)) for code, kind in zip(fields, kinds.values(), strict=True)],
        rename=fields,
        forbid_unknown_fields=True,
        gc=False,
    )
    rows = Annotated[list[row], msgspec.Meta(min_length=1)]  # type: ignore[valid-type]  # a type made from the model's signature
    request: Any = msgspec.defstruct("Request", [("instances", rows)], forbid_unknown_fields=True, gc=False)
    read = msgspec.json.Decoder(rows | request).decode

    def decode(text: str) -> list[Any]:
        found: Any = read(text)
        return found if isinstance(found, list) else found.instances

    return decode


def _no_decoder(_data: str) -> list[Any]:
    raise msgspec.DecodeError("each request is read cell by cell, because of a feature's name")


def _number(value: Value) -> float:
    """As training/frame.py turns values into numbers."""
    if value is None:
        return float("nan")
    return value.timestamp() if isinstance(value, datetime) else float(value)


def _column(cells: Sequence[float | None]) -> Numbers:
    """Numbers, NaN for None."""
    try:
        return np.frombuffer(struct.pack(f"{len(cells)}d", *cells))
    except struct.error:  # only floats can be packed; array takes None too, in three times the time
        return np.array(cells, dtype=float)


def _floats(cells: Sequence[str]) -> Numbers | None:
    """Cells that are all numbers or empty; None when contracts/columns.py must look at each, because Python's float takes more than it."""
    try:
        values = np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return None
    return None if np.isinf(values).any() or "_" in "".join(cells) else values


def _documents(text: str) -> list[dict[str, Any]]:
    """The records of a JSON or JSON Lines request. Raises ValueError."""
    try:
        found: list[Any] = [msgspec.json.decode(text)]
    except msgspec.DecodeError:
        try:
            found = msgspec.json.Decoder().decode_lines(text)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None
    if len(found) == 1 and isinstance(found[0], dict) and set(found[0]) == {"instances"}:
        found = found[0]["instances"]
    elif len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    if not isinstance(found, list) or not found or not all(isinstance(record, dict) for record in found):
        raise ValueError("no records")
    return found
