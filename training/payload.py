"""Requests of /invocations read exactly: whatever is wrong is named, row by row. Answers: serving/answers.py.

application/json        {"instances": [record, ...]}, a list of records, or one record; a record is an object of all features
application/jsonlines   one record a line
text/csv                RFC 4180; the first row is a header if it names exactly the features, in any order; without one the cells are in
                        the signature's order. An empty cell is a missing value. A blank line is no row, as in tables: who has
                        one feature writes "" where it is missing, as CSV writers do.
Parquet, Arrow          a table whose columns are the features, in any order

The model server asks here only about what did not fit (serving/requests.py).
"""

import csv
import io
from collections.abc import Callable, Sized
from itertools import islice
from typing import Any

import orjson

from contracts.columns import Value, parse
from contracts.errors import RequestError
from contracts.signature import SHOWN_PROBLEMS, Problems, Signature
from training.serving.media import ARROW, CSV, JSON, JSON_LINES, PARQUET
from training.serving.tables import read_table

# Of a request, so that memory is bounded. An answer's row is about 100 bytes, and SageMaker lets 25 MB through.
MOST_ROWS = 250_000
MOST_VALUES = 2_000_000

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


def most_rows(signature: Signature) -> int:
    """Of a request."""
    return min(MOST_ROWS, MOST_VALUES // len(signature.features))


def check_rows(signature: Signature, rows: Sized) -> None:
    """Raise RequestError when a request has more rows than may be."""
    most = most_rows(signature)
    if len(rows) > most:
        raise RequestError([f"there are more than {most} rows. Next: send them in several requests"])


def _json(signature: Signature, body: bytes) -> Rows:
    if body.count(b",") > 2 * MOST_VALUES:
        raise RequestError(["the body does not fit the model, and holds too much to say where. Next: send the rows in several requests"])
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError([f"the body is not JSON: {error}"]) from None
    if isinstance(document, dict):
        wrapped = set(document) == {"instances"} and "instances" not in signature.features
        document = document["instances"] if wrapped else [document]
    if not isinstance(document, list):
        raise RequestError(['the body must be {"instances": [...]}, a list of records, or one record'])
    check_rows(signature, document)
    return signature.parse_records(document)


def _json_lines(signature: Signature, body: bytes) -> Rows:
    records: list[Any] = []
    for number, line in enumerate(io.BytesIO(body), 1):
        if not line.strip():
            continue
        if len(records) > most_rows(signature):
            break
        try:
            records.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise RequestError([f"line {number} is not JSON: {error}"]) from None
    check_rows(signature, records)
    return signature.parse_records(records)


def _csv(signature: Signature, body: bytes) -> Rows:
    try:
        names, lines = csv_lines(signature, body)
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError([f"the body is not CSV in UTF-8: {error}"]) from None
    return _texts(signature, names, lines)


def csv_lines(signature: Signature, body: bytes) -> tuple[list[str], list[list[str]]]:
    """(the columns' names, the rows). Raises UnicodeDecodeError and csv.Error."""
    text = body.decode("utf-8-sig")
    most = most_rows(signature) + 2  # a header, and one that is too many
    lines = list(islice((line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line), most))
    names = list(signature.features)
    first = [cell.strip() for cell in lines[0]] if lines else []
    return (first, lines[1:]) if sorted(first) == sorted(names) else (names, lines)


def _table(kind: str) -> Callable[[Signature, bytes], Rows]:
    return lambda signature, body: _texts(signature, *table_lines(signature, kind, body))


def table_lines(signature: Signature, kind: str, body: bytes) -> tuple[list[str], list[list[str]]]:
    """(the columns' names, the rows) of a Parquet file or an Arrow stream. Raises RequestError."""
    names, *lines = read_table(kind, body, MOST_VALUES)
    problems = [f"feature {name!r} is missing" for name in signature.features if name not in names]
    problems += [f"feature {name[:80]!r} is unknown" for name in names if name not in signature.features]
    if len(set(names)) < len(names):
        problems.append("a feature is there twice")
    if problems:
        raise RequestError(problems[:SHOWN_PROBLEMS])
    return names, lines


def _texts(signature: Signature, names: list[str], lines: list[list[str]]) -> Rows:
    check_rows(signature, lines)
    rows: Rows = []
    problems = Problems()
    for number, line in enumerate(lines, 1):
        row, wrong = _cells(signature, names, line)
        rows.append(row)
        problems.add(number, wrong)
    problems.check()
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


_DECODERS: dict[str, Callable[[Signature, bytes], Rows]] = {
    JSON: _json,
    JSON_LINES: _json_lines,
    CSV: _csv,
    PARQUET: _table(PARQUET),
    ARROW: _table(ARROW),
}
