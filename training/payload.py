"""Requests and answers of /invocations: JSON, JSON Lines and CSV in and out. Pure.

In   application/json        {"instances": [record, ...]}, a list of records, or one record; a record is an object of all features
     application/jsonlines   one record a line
     text/csv                RFC 4180; the first row is a header if it names exactly the features, in any order; without one the cells are
                             in the signature's order. An empty cell is a missing value.
Out  application/json        {"predictions": [prediction, ...], "model": {...}}
     application/jsonlines   one prediction a line
     text/csv                prediction (and probability, or a probability a class) a row, no header, as SageMaker's own containers do

A prediction is {"prediction": value}; with "probabilities" by class for classification, and "probability" of `positive` for binary.
"""

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from contracts.columns import Value, parse
from contracts.errors import RequestError
from contracts.evaluation import Problem
from contracts.signature import Signature, shorten
from training.serving.media import CSV, JSON, JSON_LINES

if TYPE_CHECKING:  # scoring imports scikit-learn, a second that the reader of a request need not spend
    from training.scoring import Predictions

Row = dict[str, Value]
Rows = list[Row]


def decode(signature: Signature, kind: str, body: bytes) -> Rows:
    """A request's rows. Raises RequestError naming every row and feature that is wrong."""
    if not body.strip():
        raise RequestError(["the body is empty"])
    rows = _DECODERS[kind](signature, body)
    if not rows:
        raise RequestError(["there is no row to predict"])
    return rows


def _json(signature: Signature, body: bytes) -> Rows:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError([f"the body is not JSON: {error}"]) from None
    if isinstance(document, dict):
        wrapped = set(document) == {"instances"} and "instances" not in signature.features
        document = document["instances"] if wrapped else [document]
    if not isinstance(document, list):
        raise RequestError(['the body must be {"instances": [...]}, a list of records, or one record'])
    return signature.parse_records(document)


def _json_lines(signature: Signature, body: bytes) -> Rows:
    records = []
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            records.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise RequestError([f"line {number} is not JSON: {error}"]) from None
    return signature.parse_records(records)


def _csv(signature: Signature, body: bytes) -> Rows:
    try:
        text = body.decode("utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError([f"the body is not CSV in UTF-8: {error}"]) from None
    names = list(signature.features)
    first = [cell.strip() for cell in lines[0]] if lines else []
    if sorted(first) == sorted(names):
        names, lines = first, lines[1:]
    rows: Rows = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        row, wrong = _cells(signature, names, line)
        rows.append(row)
        problems += [f"row {number}: {problem}" for problem in wrong]
    if problems:
        raise RequestError(shorten(problems))
    return rows


def _cells(signature: Signature, names: list[str], line: list[str]) -> tuple[Row, list[str]]:
    if len(line) != len(names):
        return {}, [f"has {len(line)} cells, and the model takes {len(names)}: {', '.join(names)}"]
    values: Row = {}
    problems = []
    for name, cell in zip(names, line, strict=True):
        try:
            values[name] = parse(signature.features[name], cell)
        except ValueError as error:
            problems.append(f"feature {name!r}: {error}")
    return {name: values.get(name) for name in signature.features}, problems


_DECODERS: dict[str, Callable[[Signature, bytes], Rows]] = {JSON: _json, JSON_LINES: _json_lines, CSV: _csv}


def encode(signature: Signature, kind: str, predictions: "Predictions", model: dict[str, str]) -> bytes:
    """An answer's body."""
    records = _records(signature, predictions)
    if kind == JSON:
        return orjson.dumps({"predictions": records, "model": model})
    if kind == JSON_LINES:
        return b"".join(orjson.dumps(record) + b"\n" for record in records)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(_cells_of(signature, record) for record in records)
    return out.getvalue().encode()


def _records(signature: Signature, predictions: "Predictions") -> list[dict[str, Any]]:
    if predictions.probabilities is None:
        return [{"prediction": value} for value in predictions.values.tolist()]
    records = []
    for number, chances in zip(predictions.values.tolist(), predictions.probabilities.tolist(), strict=True):
        record: dict[str, Any] = {"prediction": signature.classes[number]}
        if signature.problem is Problem.BINARY:
            record["probability"] = chances[1]
        records.append(record | {"probabilities": dict(zip(signature.classes, chances, strict=True))})
    return records


def _cells_of(signature: Signature, record: dict[str, Any]) -> list[Any]:
    if signature.problem is Problem.REGRESSION:
        return [record["prediction"]]
    if signature.problem is Problem.BINARY:
        return [record["prediction"], record["probability"]]
    return [record["prediction"], *record["probabilities"].values()]
