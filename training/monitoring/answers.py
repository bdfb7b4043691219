"""Captured answers as predictions: what training/payload.py writes, in JSON, JSON Lines or CSV."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import astuple

from contracts.evaluation import Problem
from contracts.inference import row_ids
from contracts.signature import Signature
from training.monitoring.captures import Payload, Record
from training.monitoring.summary import Numbers

UNKNOWN_CLASS = -1


class _Model(msgspec.Struct, gc=False):
    artifact_sha256: str = ""


class _Value(msgspec.Struct, gc=False):
    prediction: float


class _Binary(msgspec.Struct, gc=False):
    prediction: str
    probability: float | None = None


class _Classes(msgspec.Struct, gc=False):
    prediction: str
    probabilities: dict[str, float] | None = None


class _Body(msgspec.Struct, gc=False):
    """Predictions, and the model that made them; in CSV it is not said."""

    predictions: list[Any]
    model: _Model | None = None

    @property
    def artifact(self) -> str:
        """The model's; empty where it is not said."""
        return self.model.artifact_sha256 if self.model else ""


_TYPES = {Problem.REGRESSION: _Value, Problem.BINARY: _Binary, Problem.MULTICLASS: _Classes}


@dataclass
class Answers:
    """Predictions of some records. `values`: floats, or class numbers; `chances`: rows x classes, NaN where not said.

    `rows`: how many each record holds; None where its output is no prediction. `others`: predictions that another model gave, left out.
    """

    values: Numbers
    chances: Numbers
    names: Counter[str | None] = field(default_factory=Counter)
    rows: list[int | None] = field(default_factory=list)
    others: int = 0

    def ids(self, records: Sequence[Record]) -> list[str]:
        """What a label of each prediction is called; empty for a request without an inference id."""
        ids: list[str] = []
        for record, rows in zip(records, self.rows, strict=True):
            name = record.eventMetadata.inferenceId
            ids += row_ids(name, rows or 0) if name else [""] * (rows or 0)
        return ids


class AnswerReader:
    """Reads the answers of one model: of those that name the model they come from, the ones of `artifact` only, when it is given."""

    def __init__(self, signature: Signature, artifact: str = "") -> None:
        self._signature = signature
        self._artifact = artifact
        self._numbers = {text: number for number, text in enumerate(signature.classes)}
        kind = _TYPES[signature.problem]
        body: Any = msgspec.defstruct("Body", [("predictions", list[kind])], bases=(_Body,), gc=False)  # type: ignore[valid-type]  # made from the problem
        self._body: msgspec.json.Decoder[_Body] = msgspec.json.Decoder(body)
        self._line: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)

    def read(self, records: Sequence[Record]) -> Answers:
        """All predictions of these records."""
        bodies = self._bodies(records)
        others, own = 0, {"", self._artifact}
        for place, body in enumerate(bodies if self._artifact else ()):
            if body is not None and body.artifact not in own:
                others += len(body.predictions)
                bodies[place] = _Body([])
        answers = self._columns([answer for body in bodies if body is not None for answer in body.predictions])
        answers.rows = [None if body is None else len(body.predictions) for body in bodies]
        answers.others = others
        return answers

    def _bodies(self, records: Sequence[Record]) -> list[_Body | None]:
        """What each record says; None when that is no prediction."""
        payloads = [record.captureData.endpointOutput for record in records]
        texts = [payload.data for payload in payloads if payload is not None and payload.encoding == "JSON"]
        if len(texts) == len(records):
            try:
                return list(map(self._body.decode, texts))
            except msgspec.DecodeError:
                pass  # some answer is none: one by one
        return [self._read_one(payload) for payload in payloads]

    def _read_one(self, payload: Payload | None) -> _Body | None:
        if payload is None:
            return None
        try:
            text = payload.text()
            kind = payload.observedContentType.split(";")[0].strip().lower()
            if kind == "text/csv" or (not kind and text.lstrip()[:1] != "{"):
                return _Body(self._table(text))
            if text.lstrip().startswith('{"predictions"') or kind == "application/json":
                return self._body.decode(text)
            return _Body(self._line.decode_lines(text))
        except (ValueError, msgspec.DecodeError, csv.Error):
            return None

    def _table(self, text: str) -> list[Any]:
        """CSV rows. Raises ValueError."""
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
        if self._signature.problem is Problem.REGRESSION:
            return [_Value(float(line[0])) for line in lines]
        if self._signature.problem is Problem.BINARY:
            return [_Binary(line[0], float(line[1]) if len(line) > 1 else None) for line in lines]
        classes = self._signature.classes
        return [_Classes(line[0], dict(zip(classes, map(float, line[1:]), strict=True)) if len(line) > 1 else None) for line in lines]

    def _columns(self, found: list[Any]) -> Answers:
        if not found:
            return Answers(np.empty(0), np.empty((0, len(self._numbers))))
        values, *chances = zip(*map(astuple, found), strict=True)
        if self._signature.problem is Problem.REGRESSION:
            return Answers(np.array(values), np.empty((len(values), 0)))
        names = Counter(values)
        numbers = np.array([self._numbers.get(text, UNKNOWN_CLASS) for text in values], dtype=float)
        if self._signature.problem is Problem.BINARY:
            positive = np.array(chances[0], dtype=float)
            return Answers(numbers, np.column_stack([1 - positive, positive]), names)
        empty: dict[str, float] = {}
        rows = [[(told or empty).get(name, np.nan) for name in self._numbers] for told in chances[0]]
        return Answers(numbers, np.array(rows), names)
