"""The rows of a request whose every part is as the signature says, quickly.

A decoder is made once from the signature, and takes nothing but what fits: a body that it does not take is read again, slowly, by
training/payload.py, which says what is wrong, row by row. So this module says nothing, and where it is in doubt it does not take.

Values come as they stand in the request, a column a feature (see encoder.py, which reads them).
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence, Sized
from math import isfinite
from typing import Any

import msgspec

from contracts.columns import ColumnKind, Value, parse
from contracts.signature import Signature
from training.payload import csv_lines, most_rows, table_lines
from training.serving.encoder import Values
from training.serving.media import CSV, JSON, JSON_LINES

UNFIT = (msgspec.MsgspecError, ValueError, RecursionError, csv.Error)
"""What reading and encoding raise for a body that does not fit; UnicodeDecodeError is a ValueError."""

_TYPES: dict[ColumnKind, Any] = {
    ColumnKind.NUMERIC: float | None,
    ColumnKind.BOOLEAN: bool | float | str | None,
    ColumnKind.CATEGORICAL: str | None,
    ColumnKind.DATETIME: str | None,
}
_UNNAMED = re.compile(r'["\\\x00-\x1f]')
_INSTANCES = re.compile(rb'\s*\{\s*"instances"')


def may_be_fields(names: Iterable[str]) -> bool:
    """Whether msgspec takes all of these as names of fields."""
    return not any(_UNNAMED.search(name) for name in names)


class Reader:
    """The decoders of one signature."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._most = most_rows(signature)
        self._may_be_wrapped = "instances" not in signature.features
        self._typed = may_be_fields(signature.features)  # else all is read exactly
        if self._typed:
            self._compile(signature)

    def _compile(self, signature: Signature) -> None:
        fields = [(f"f{number}", _TYPES[kind]) for number, kind in enumerate(signature.features.values())]
        names = {field: name for (field, _), name in zip(fields, signature.features, strict=True)}
        record = msgspec.defstruct("Record", fields, rename=names, forbid_unknown_fields=True, gc=False)
        self._record = msgspec.json.Decoder(record)
        self._list = msgspec.json.Decoder(list[record])  # type: ignore[valid-type]  # the type is made here
        wrapped = msgspec.defstruct("Wrapped", [("instances", list[record])], forbid_unknown_fields=True)  # type: ignore[valid-type]  # the same
        self._wrapped = msgspec.json.Decoder(wrapped)

    def columns(self, kind: str, body: bytes) -> Sequence[Values]:
        """A request's columns, in the signature's order. Raises one of UNFIT."""
        if kind in {JSON, JSON_LINES} and not self._typed:
            raise ValueError("the exact reader knows these names")
        if kind == JSON:
            return self._document(body)
        if kind == JSON_LINES:
            return self._columns([self._record.decode(line) for line in io.BytesIO(body) if line.strip()])
        names, lines = csv_lines(self._signature, body) if kind == CSV else table_lines(self._signature, kind, body)
        return self._texts(names, lines)

    def _document(self, body: bytes) -> Sequence[Values]:
        if body.lstrip()[:1] == b"[":
            return self._columns(self._list.decode(body))
        if self._may_be_wrapped and _INSTANCES.match(body):
            return self._columns(msgspec.structs.astuple(self._wrapped.decode(body))[0])
        return [(value,) for value in msgspec.structs.astuple(self._record.decode(body))]

    def _texts(self, names: list[str], lines: list[list[str]]) -> Sequence[Values]:
        self._check(lines)
        cells = dict(zip(names, zip(*lines, strict=True), strict=True))
        features = self._signature.features.items()
        return [[*map(_number, cells[name])] if kind is ColumnKind.NUMERIC else cells[name] for name, kind in features]

    def _columns(self, records: list[Any]) -> Sequence[Values]:
        self._check(records)
        return list(zip(*map(msgspec.structs.astuple, records), strict=True))

    def _check(self, rows: Sized) -> None:
        if not 0 < len(rows) <= self._most:
            raise ValueError(len(rows))


def _number(text: str) -> Value:
    """What contracts.columns.parse gives, for most texts sooner."""
    try:
        number = float(text)
    except ValueError:
        return parse(ColumnKind.NUMERIC, text)
    return number if isfinite(number) and "_" not in text else parse(ColumnKind.NUMERIC, text)
