"""Names and cells from outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.names import FORMULA, harmless, trick_in


@pytest.mark.parametrize("name", ["=1+1", "=HYPERLINK(1)", "+A1", "-A1", "@SUM(A1)", "a\x1b[2J", "a\u202ecsv.exe", "a\u200bb", "a\nb"])
def test_a_trick_is_named(name: str) -> None:
    assert trick_in(name)


@pytest.mark.parametrize("name", ["height", "km/h", "Größe", "my table (1).csv", "a=b", "x-1", "価格", ""])
def test_a_harmless_name_is_left_alone(name: str) -> None:
    assert trick_in(name) is None


@given(st.text())
def test_no_cell_begins_like_a_formula_unless_it_is_a_number(cell: str) -> None:
    shown = harmless(cell)
    assert shown in {cell, f"'{cell}"}
    if shown.startswith(("\t", "\r", *FORMULA)):
        float(shown)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_stay_numbers(number: float) -> None:
    assert harmless(str(number)) == str(number)
