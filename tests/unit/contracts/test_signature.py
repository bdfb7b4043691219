"""A request is checked against the signature, and every problem names its row and feature."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import ColumnKind
from contracts.errors import RequestError
from contracts.evaluation import Problem
from contracts.signature import Signature

SIGNATURE = Signature(
    problem=Problem.REGRESSION,
    target="y",
    features={
        "age": ColumnKind.NUMERIC,
        "plan": ColumnKind.CATEGORICAL,
        "active": ColumnKind.BOOLEAN,
        "since": ColumnKind.DATETIME,
    },
)
GOOD = {"age": 3, "plan": "basic", "active": True, "since": "2026-01-01"}


def problems_of(*records: Any) -> tuple[str, ...]:
    with pytest.raises(RequestError) as caught:
        SIGNATURE.parse_records(list(records))
    return caught.value.problems


def test_a_good_row_comes_in_the_signatures_order() -> None:
    (row,) = SIGNATURE.parse_records([dict(reversed(GOOD.items()))])
    assert list(row) == list(SIGNATURE.features)
    assert row["age"] == 3.0


def test_null_is_a_missing_value() -> None:
    (row,) = SIGNATURE.parse_records([dict.fromkeys(GOOD)])
    assert set(row.values()) == {None}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"age": "old"}, "feature 'age': 'old' is not a number"),
        ({"age": True}, "feature 'age'"),
        ({"age": 1e999}, "feature 'age'"),
        ({"plan": 3}, "feature 'plan': '3' is not text"),
        ({"active": "perhaps"}, "feature 'active'"),
        ({"since": "later"}, "feature 'since'"),
        ({"extra": 1}, "feature 'extra' is unknown"),
    ],
)
def test_a_wrong_value_names_row_and_feature(change: dict[str, Any], word: str) -> None:
    (problem,) = problems_of(GOOD, GOOD | change)
    assert problem.startswith("row 2: ")
    assert word in problem


def test_a_missing_feature_is_named() -> None:
    assert problems_of({k: v for k, v in GOOD.items() if k != "plan"}) == ("row 1: feature 'plan' is missing (null is allowed)",)


def test_many_problems_are_cut_and_counted() -> None:
    problems = problems_of(*[[]] * 30)
    assert len(problems) == 21
    assert problems[-1] == "and 10 more"


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda s: st.lists(s) | st.dictionaries(st.text(), s)))
def test_nothing_that_json_can_say_breaks_it(value: Any) -> None:
    for record in (value, dict.fromkeys(GOOD, value)):
        try:
            SIGNATURE.parse_records([record])
        except RequestError:
            continue
