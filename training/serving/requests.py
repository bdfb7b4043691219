"""The rows of a request whose every part is as the signature says, quickly.

A decoder is made once from the signature, and takes nothing but what fits: a body that it does not take is read again, slowly, by
training/payload.py, which says what is wrong, row by row. So this module says nothing, and where it is in doubt it does not take.

Values come as they stand in the request, a column a feature (see encoder.py, which reads them).
"""

import csv
import io
import re
from collections.abc import Sequence
from math import isfinite
from typing import Any

import msgspec

from contracts.columns import ColumnKind, Value, parse
from contracts.signature import Signature
from training.serving.encoder import Values
from training.serving.media import JSON, JSON_LINES

UNFIT = (msgspec.MsgspecError, ValueError, RecursionError, csv.Error)
"""What reading and encoding raise for a body that does not fit; UnicodeDecodeError is a ValueError."""

_TYPES: dict[ColumnKind, Any] = {
    ColumnKind.NUMERIC: float | None,
    ColumnKind.BOOLEAN: bool | float | str | None,
    ColumnKind.CATEGORICAL: str | None,
    ColumnKind.DATETIME: str | None,
}
_INSTANCES = re.compile(rb'\s*\{\s*"instances"')


class Reader:
    """The decoders of one signature."""

    def __init__(self, signature: Signature) -> None:
        self._features = signature.features
        fields = [(f"f{number}", _TYPES[kind]) for number, kind in enumerate(signature.features.values())]
        names = {field: name for (field, _), name in zip(fields, signature.features, strict=True)}
        record = msgspec.defstruct("Record", fields, rename=names, forbid_unknown_fields=True, gc=False)
        self._record = msgspec.json.Decoder(record)
        self._list = msgspec.json.Decoder(list[record])  # type: ignore[valid-type]  # the type is made here
        wrapped = msgspec.defstruct("Wrapped", [("instances", list[record])], forbid_unknown_fields=True)  # type: ignore[valid-type]  # the same
        self._wrapped = msgspec.json.Decoder(wrapped)
        self._may_be_wrapped = "instances" not in signature.features

    def columns(self, kind: str, body: bytes) -> Sequence[Values]:
        """A request's columns, in the signature's order. Raises one of UNFIT."""
        if kind == JSON:
            return self._document(body)
        if kind == JSON_LINES:
            return _columns([self._record.decode(line) for line in body.splitlines() if line.strip()])
        return self._cells(body)

    def _document(self, body: bytes) -> Sequence[Values]:
        if body.lstrip()[:1] == b"[":
            return _columns(self._list.decode(body))
        if self._may_be_wrapped and _INSTANCES.match(body):
            return _columns(msgspec.structs.astuple(self._wrapped.decode(body))[0])
        return [(value,) for value in msgspec.structs.astuple(self._record.decode(body))]

    def _cells(self, body: bytes) -> Sequence[Values]:
        text = body.decode("utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
        names = list(self._features)
        first = [cell.strip() for cell in lines[0]] if lines else []
        if sorted(first) == sorted(names):
            names, lines = first, lines[1:]
        if not lines:
            raise ValueError("there is no row")
        cells = dict(zip(names, zip(*lines, strict=True), strict=True))
        return [[*map(_number, cells[name])] if kind is ColumnKind.NUMERIC else cells[name] for name, kind in self._features.items()]


def _columns(records: list[Any]) -> Sequence[Values]:
    if not records:
        raise ValueError("there is no row")
    return list(zip(*map(msgspec.structs.astuple, records), strict=True))


def _number(text: str) -> Value:
    """What contracts.columns.parse gives, for most texts sooner."""
    try:
        number = float(text)
    except ValueError:
        return parse(ColumnKind.NUMERIC, text)
    return number if isfinite(number) and "_" not in text else parse(ColumnKind.NUMERIC, text)
