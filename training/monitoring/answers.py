"""Captured answers as predictions: what training/payload.py writes, in JSON, JSON Lines or CSV."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

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


# The artifact of the model that answered, empty where it is not said, as in CSV; and its predictions.
Said = tuple[str, list[Any]]

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
        body: Any = msgspec.defstruct("Body", [("predictions", list[kind]), ("model", _Model | None, None)], gc=False)  # type: ignore[valid-type]  # made from the problem
        self._body = msgspec.json.Decoder(body)
        self._line: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)

    def read(self, records: Sequence[Record]) -> Answers:
        """All predictions of these records."""
        said = self._bodies(records)
        known = [body for body in said if body is not None]
        foreign = {artifact for artifact, _ in known} - {"", self._artifact} if self._artifact else set()
        own = [None if body is None else [] if body[0] in foreign else body[1] for body in said]
        answers = self._columns([answer for body in own if body is not None for answer in body])
        answers.rows = [None if body is None else len(body) for body in own]
        answers.others = sum(len(predictions) for artifact, predictions in known if artifact in foreign) if foreign else 0
        return answers

    def _bodies(self, records: Sequence[Record]) -> list[Said | None]:
        """What each record says; None when that is no prediction. All at once when all are JSON on one line."""
        payloads = [record.captureData.endpointOutput for record in records]
        texts = [payload.data for payload in payloads if payload is not None and payload.encoding == "JSON"]
        joined = "\n".join(texts)
        if len(texts) == len(records) and joined.count("\n") == len(texts) - 1:
            try:
                return [_said(body) for body in self._body.decode_lines(joined)]
            except msgspec.DecodeError:
                pass  # some answer is none: one by one
        return [self._read_one(payload) for payload in payloads]

    def _read_one(self, payload: Payload | None) -> Said | None:
        if payload is None:
            return None
        try:
            text = payload.text()
            kind = payload.observedContentType.split(";")[0].strip().lower()
            if kind == "text/csv" or (not kind and text.lstrip()[:1] != "{"):
                return "", self._table(text)
            if text.lstrip().startswith('{"predictions"') or kind == "application/json":
                return _said(self._body.decode(text))
            return "", self._line.decode_lines(text)
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
        values = [answer.prediction for answer in found]
        if self._signature.problem is Problem.REGRESSION:
            return Answers(np.array(values, dtype=float), np.empty((len(values), 0)))
        numbers = np.array([self._numbers.get(text, UNKNOWN_CLASS) for text in values], dtype=float)
        if self._signature.problem is Problem.BINARY:
            positive = np.array([answer.probability for answer in found], dtype=float)
            return Answers(numbers, np.column_stack([1 - positive, positive]), Counter(values))
        empty: dict[str, float] = {}
        rows = [[(answer.probabilities or empty).get(name, np.nan) for name in self._numbers] for answer in found]
        return Answers(numbers, np.array(rows, dtype=float).reshape(len(found), len(self._numbers)), Counter(values))


def _said(body: Any) -> Said:
    return body.model.artifact_sha256 if body.model else "", body.predictions
