"""Answers of /invocations, in JSON, JSON Lines or CSV.

application/json        {"predictions": [prediction, ...], "model": {...}}
application/jsonlines   one prediction a line
text/csv                prediction (and probability, or a probability a class) a row, no header, as SageMaker's own containers do

A prediction is {"prediction": value}; with "probabilities" by class for classification, and "probability" of `positive` for binary.

All numbers are written at once, and put into templates that were made when the model was loaded.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from contracts.errors import RequestError
from contracts.evaluation import Problem
from contracts.signature import Signature
from training.serving.media import CSV, JSON

Said = NDArray[np.float64]
"""rows x 1: a regression's values, or a binary model's probabilities of `positive`; rows x classes: the probabilities of several."""


@dataclass(frozen=True)
class _Form:
    """How a row is written: a template by predicted class, and which of the row's numbers it takes in which order."""

    templates: list[bytes]
    order: tuple[int, ...]


class Answers:
    """Writes what one model says. `details` stand in every JSON answer."""

    def __init__(self, signature: Signature, details: Mapping[str, str]) -> None:
        self._problem = signature.problem
        self._end = b'],"model":' + orjson.dumps(dict(details)) + b"}"
        self._record = _record(signature)
        self._line = _line(signature)

    def write(self, accept: str, said: Said) -> bytes:
        """An answer's body. Raises RequestError when a number is none: a row was beyond what the model can compute with."""
        if accept == JSON:
            return b'{"predictions":[' + b",".join(self._rows(self._record, said)) + self._end
        rows = self._rows(self._line if accept == CSV else self._record, said)
        return b"\n".join(rows) + b"\n"

    def _rows(self, form: _Form, said: Said) -> Iterable[bytes]:
        texts = _texts(said)
        if self._problem is Problem.REGRESSION:
            return [form.templates[0] % text for text in texts]
        if self._problem is Problem.BINARY:
            columns = [_texts(1 - said), texts]
        else:
            width = said.shape[1]
            columns = [texts[number::width] for number in range(width)]
        numbers = zip(*(columns[place] for place in form.order), strict=True)
        return [form.templates[number] % row for number, row in zip(classes_of(self._problem, said).tolist(), numbers, strict=True)]


def repeated(details: Mapping[str, str]) -> dict[str, str]:
    """What of a model's details every answer repeats: which model it was."""
    return {name: details[name] for name in ("artifact_sha256", "dataset_version") if name in details}


def classes_of(problem: Problem, said: Said) -> NDArray[np.intp]:
    """The number of the likeliest class of each row; the first of several that are equally likely, as argmax has it."""
    return (said > 1 - said).ravel().astype(np.intp) if problem is Problem.BINARY else said.argmax(axis=1)


def _texts(said: Said) -> list[bytes]:
    """The numbers as JSON has them, row by row."""
    written = orjson.dumps(said.ravel().tolist())
    if b"null" in written:
        row = int(np.flatnonzero(~np.isfinite(said).all(axis=1))[0]) + 1
        raise RequestError([f"row {row}: its numbers are beyond what the model can compute with"])
    return written[1:-1].split(b",")


def _record(signature: Signature) -> _Form:
    if signature.problem is Problem.REGRESSION:
        return _Form([b'{"prediction":%b}'], (0,))
    names = [_plain(orjson.dumps(name)) for name in signature.classes]
    chances = b",".join(name + b":%b" for name in names)
    binary = signature.problem is Problem.BINARY
    middle = b',"probability":%b' if binary else b""
    templates = [b'{"prediction":' + name + middle + b',"probabilities":{' + chances + b"}}" for name in names]
    return _Form(templates, (1, 0, 1) if binary else tuple(range(len(names))))


def _line(signature: Signature) -> _Form:
    if signature.problem is Problem.REGRESSION:
        return _Form([b"%b"], (0,))
    order = (1,) if signature.problem is Problem.BINARY else tuple(range(len(signature.classes)))
    return _Form([_plain(_cell(name)) + b",%b" * len(order) for name in signature.classes], order)


def _cell(text: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([text])
    return out.getvalue().encode()


def _plain(text: bytes) -> bytes:
    """Within a template."""
    return text.replace(b"%", b"%%")
