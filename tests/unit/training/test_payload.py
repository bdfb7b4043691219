"""Requests and answers in three formats: the same rows in, the same predictions out."""

import csv
import io
import json

import pytest

from contracts.errors import RequestError
from contracts.evaluation import Problem
from contracts.signature import Signature
from tests.unit.training.tables import FEATURES
from training.payload import decode
from training.serving.media import CSV, JSON, JSON_LINES

BINARY = Signature(problem=Problem.BINARY, target="answer", positive="yes", features=FEATURES, classes=("no", "yes"))
THREE = Signature(problem=Problem.MULTICLASS, target="answer", features=FEATURES, classes=("a", "b", "c"))
NUMBER = Signature(problem=Problem.REGRESSION, target="answer", features=FEATURES)
RECORDS: list[dict[str, object]] = [
    {"size": 1.5, "colour": "blue, dark", "used": True, "sold at": "2024-01-02"},
    {"size": None, "colour": None, "used": None, "sold at": None},
]


def as_csv(names: list[str], header: bool) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    if header:
        writer.writerow(names)
    writer.writerows([["" if row[name] is None else row[name] for name in names] for row in RECORDS])
    return out.getvalue().encode()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, json.dumps({"instances": RECORDS}).encode()),
        (JSON, json.dumps(RECORDS).encode()),
        (JSON_LINES, "\n".join(json.dumps(row) for row in RECORDS).encode() + b"\n\n"),
        (CSV, as_csv(list(FEATURES), header=False)),
        (CSV, as_csv(list(FEATURES), header=True)),
        (CSV, as_csv(list(reversed(FEATURES)), header=True)),
        (CSV, b"\xef\xbb\xbf" + as_csv(list(FEATURES), header=True)),
    ],
    ids=["instances", "list", "lines", "csv", "csv with header", "csv in another order", "csv with a byte order mark"],
)
def test_every_format_gives_the_same_rows(kind: str, body: bytes) -> None:
    assert decode(BINARY, kind, body) == BINARY.parse_records(list(RECORDS))


def test_one_record_is_a_request_too() -> None:
    assert decode(BINARY, JSON, json.dumps(RECORDS[0]).encode()) == BINARY.parse_records(RECORDS[:1])


def test_a_blank_line_is_no_row_and_a_quoted_nothing_is_one() -> None:
    only = Signature(problem=Problem.REGRESSION, target="answer", features={"size": FEATURES["size"]})
    assert decode(only, CSV, b'1\n\n""\n3\n') == [{"size": 1.0}, {"size": None}, {"size": 3.0}]


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        (JSON, b"  ", "the body is empty"),
        (JSON, b"{", "the body is not JSON"),
        (JSON, b"7", "the body must be"),
        (JSON, b'{"instances": []}', "there is no row"),
        (JSON, b'{"instances": 3}', "the body must be"),
        (JSON, b"[[1, 2, 3, 4]]", "row 1: must be an object of features, not list"),
        (JSON, b'{"size": 1, "colour": "red", "used": true}', "row 1: feature 'sold at' is missing"),
        (JSON, b'{"size": 1, "colour": "red", "used": true, "sold at": null, "weight": 2}', "row 1: feature 'weight' is unknown"),
        (JSON, b'{"size": true, "colour": "red", "used": true, "sold at": null}', "row 1: feature 'size': 'True' is not a number"),
        (JSON_LINES, b"{}\nnope", "line 2 is not JSON"),
        (CSV, b"1,red,yes", "row 1: has 3 cells, and the model takes 4"),
        (CSV, b"size,colour,used,sold at\n", "there is no row"),
        (CSV, b"1,red,perhaps,2024-01-01\n", "row 1: feature 'used': 'perhaps' is not true or false"),
        (CSV, b"\xff\xfe", "not CSV in UTF-8"),
        (CSV, b'"unfinished', "not CSV in UTF-8"),
    ],
)
def test_what_is_wrong_is_named(kind: str, body: bytes, problem: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode(BINARY, kind, body)
    assert any(problem in found for found in caught.value.problems), caught.value.problems


def test_a_thousand_wrong_rows_are_not_a_thousand_lines() -> None:
    for kind, body in ((CSV, b"1,2\n" * 1000), (JSON, json.dumps([{}] * 1000).encode())):
        with pytest.raises(RequestError) as caught:
            decode(BINARY, kind, body)
        assert 20 <= len(caught.value.problems) <= 21
        assert "more" in caught.value.problems[-1]
