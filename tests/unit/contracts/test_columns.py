"""Cells become values by one set of rules, wherever they are read."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import ColumnKind, Value, infer, parse


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (ColumnKind.NUMERIC, " 1.5 ", 1.5),
        (ColumnKind.NUMERIC, "-2e3", -2000.0),
        (ColumnKind.NUMERIC, "NaN", None),
        (ColumnKind.NUMERIC, "   ", None),
        (ColumnKind.BOOLEAN, "Yes", True),
        (ColumnKind.BOOLEAN, "0", False),
        (ColumnKind.CATEGORICAL, "None", "None"),
        (ColumnKind.CATEGORICAL, " a b ", "a b"),
        (ColumnKind.CATEGORICAL, "", None),
        (ColumnKind.DATETIME, "2026-02-01", datetime(2026, 2, 1, tzinfo=UTC)),
        (ColumnKind.DATETIME, "2026-02-01T10:00:00+02:00", datetime(2026, 2, 1, 8, tzinfo=UTC)),
    ],
)
def test_cells_parse(kind: ColumnKind, text: str, value: Value) -> None:
    assert parse(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ColumnKind.NUMERIC, "1,5"),
        (ColumnKind.NUMERIC, "inf"),
        (ColumnKind.NUMERIC, "-nan"),
        (ColumnKind.NUMERIC, "1_000"),
        (ColumnKind.NUMERIC, "true"),
        (ColumnKind.BOOLEAN, "2"),
        (ColumnKind.BOOLEAN, "maybe"),
        (ColumnKind.DATETIME, "20260201"),
        (ColumnKind.DATETIME, "yesterday"),
    ],
)
def test_a_wrong_cell_is_named(kind: ColumnKind, text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        parse(kind, text)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "0", ""], ColumnKind.BOOLEAN),
        (["Yes", "No"], ColumnKind.BOOLEAN),
        (["1", "2.5", " "], ColumnKind.NUMERIC),
        (["2026-01-01", "2026-01-02 10:00"], ColumnKind.DATETIME),
        (["a", "1"], ColumnKind.CATEGORICAL),
        (["", " "], ColumnKind.CATEGORICAL),
        ([], ColumnKind.CATEGORICAL),
    ],
)
def test_kinds_are_inferred(cells: list[str], kind: ColumnKind) -> None:
    assert infer(cells) is kind


@given(st.lists(st.text(max_size=12), max_size=8))
def test_every_cell_parses_as_the_kind_inferred_from_it(cells: list[str]) -> None:
    kind = infer(cells)
    for cell in cells:
        parse(kind, cell)
