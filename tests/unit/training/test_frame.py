"""What the estimator sees: the same from a table's cells as from a request's values."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import ColumnKind, parse
from contracts.errors import DataError
from contracts.evaluation import Problem
from contracts.signature import Signature
from tests.unit.training.tables import FEATURES
from training.frame import LIMIT, number_names, parse_table, text_names, to_column, to_frame

SIGNATURE = Signature(problem=Problem.REGRESSION, target="answer", features=FEATURES)
numbers = st.floats(allow_nan=False, allow_infinity=False)
rows = st.fixed_dictionaries(
    {
        "size": st.none() | numbers,
        "colour": st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=5),
        "used": st.none() | st.booleans(),
        "sold at": st.none() | st.datetimes().map(lambda moment: moment.isoformat()),
    }
)


def as_text(value: object) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


@given(st.lists(rows, min_size=1, max_size=10))
def test_cells_and_json_values_become_the_same_frame(records: list[dict[str, object]]) -> None:
    texts = pd.DataFrame([{name: as_text(value) for name, value in row.items()} for row in records], dtype=str)
    from_cells = to_frame(FEATURES, parse_table(FEATURES, texts))
    parsed = SIGNATURE.parse_records(list(records))
    from_values = to_frame(FEATURES, {name: to_column(kind, [row[name] for row in parsed]) for name, kind in FEATURES.items()})
    pd.testing.assert_frame_equal(from_cells, from_values)
    assert list(from_values) == ["size", "colour", "used", *number_names({"sold at": ColumnKind.DATETIME})]
    assert not np.isinf(from_values[number_names(FEATURES)].to_numpy()).any()
    assert {str(name) for name in from_values} == {*number_names(FEATURES), *text_names(FEATURES)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29T13:45:00", [2024, 2, 3, 13, 19782 + 13.75 / 24]),
        ("2024-02-29T13:45:00+02:00", [2024, 2, 3, 11, 19782 + 11.75 / 24]),
        ("1969-12-31", [1969, 12, 2, 0, -1]),
        ("0001-01-01", [1, 1, 0, 0, -719162]),
    ],
)
def test_a_datetime_becomes_calendar_features_in_utc(text: str, expected: list[float]) -> None:
    column = to_column(ColumnKind.DATETIME, [parse(ColumnKind.DATETIME, text), None])
    frame = to_frame({"t": ColumnKind.DATETIME}, {"t": column})
    assert frame.iloc[0].tolist() == pytest.approx(expected)
    assert all(math.isnan(value) for value in frame.iloc[1])


def test_huge_numbers_are_clipped() -> None:
    assert to_column(ColumnKind.NUMERIC, [1e300, -1e300, 5.0]).tolist() == [LIMIT, -LIMIT, 5.0]


def test_a_cell_that_does_not_parse_is_named() -> None:
    with pytest.raises(DataError, match=r"column 'size': 'big' is not a number"):
        parse_table({"size": ColumnKind.NUMERIC}, pd.DataFrame({"size": ["1", "big"]}))
