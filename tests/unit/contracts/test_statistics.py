"""Statistics of a column in one pass agree with those of all its values at once, and nothing is told that may not be."""

import math
import statistics
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import statistics as subject
from contracts.columns import ColumnKind
from contracts.statistics import Frequent, Moments, Statistics, Tally

FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


def tally(kind: ColumnKind, cells: list[str], *, told: bool = True) -> tuple[int, Statistics]:
    found = Tally(kind, told=told)
    for cell in cells:
        if cell in found.known:
            found.known[cell] += 1
        else:
            found.see(cell)
    return found.result()


@given(st.lists(FINITE, min_size=2, max_size=60), st.integers(0, 9), st.integers(1, 50))
def test_numbers_agree_with_all_of_them_at_once(values: list[float], missing: int, known: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "KNOWN_TEXTS", known)  # so that some are counted, and the others added up
        patch.setattr(subject, "_PENDING", 7)
        gone, found = tally(ColumnKind.NUMERIC, [*map(repr, values), *["NA"] * missing])
    assert (gone, found.present) == (missing, len(values))
    assert (found.minimum, found.maximum) == (min(values), max(values))
    assert found.mean == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-3)
    assert found.standard_deviation == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-3)
    assert found.distinct in {None, len(set(values))}


@given(st.lists(FINITE, max_size=30), st.lists(FINITE, max_size=30))
def test_moments_do_not_care_where_they_are_divided(first: list[float], second: list[float]) -> None:
    apart, whole = Moments(), Moments()
    apart.add(first)
    apart.add(second)
    whole.add(first + second)
    assert apart.count == whole.count
    assert apart.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-3)
    assert apart.squares == pytest.approx(whole.squares, rel=1e-6, abs=1e-3)


@given(st.lists(st.sampled_from(["a", "b ", "c", "", " a"]), max_size=40))
def test_categories_are_counted_without_outer_space(cells: list[str]) -> None:
    missing, found = tally(ColumnKind.CATEGORICAL, cells)
    counts = Counter(cell.strip() for cell in cells if cell.strip())
    assert missing == cells.count("")
    assert {each.value: each.rows for each in found.frequent} == counts
    assert found.distinct == len(counts)
    assert [each.rows for each in found.frequent] == sorted(counts.values(), reverse=True)


def test_truth_values_are_told_as_such() -> None:
    missing, found = tally(ColumnKind.BOOLEAN, ["yes", "1", "TRUE", "no", "NA"])
    assert missing == 1
    assert [(each.value, each.rows) for each in found.frequent] == [("true", 3), ("false", 1)]


def test_too_many_values_are_not_counted_and_memory_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "KNOWN_TEXTS", 3)
    found = Tally(ColumnKind.CATEGORICAL, told=True)
    for cell in ["a", "b", "a", *(f"x{number}" for number in range(1000))]:
        if cell in found.known:
            found.known[cell] += 1
        else:
            found.see(cell)
    assert len(found.known) == 3
    _, told = found.result()
    assert (told.present, told.distinct) == (1003, None)
    assert [(each.value, each.rows) for each in told.frequent] == [("a", 2)]


@pytest.mark.parametrize("kind", [ColumnKind.CATEGORICAL, ColumnKind.BOOLEAN, ColumnKind.NUMERIC, ColumnKind.DATETIME])
def test_what_may_not_be_told_is_only_counted(kind: ColumnKind) -> None:
    cells = {ColumnKind.DATETIME: ["2026-01-01", "2026-01-02"]}.get(kind, ["0", "1"])
    assert tally(kind, [*cells, "", cells[0]], told=False) == (1, Statistics(present=3, distinct=2))


def test_numbers_whose_squares_are_beyond_floats_have_no_deviation_and_still_a_manifest() -> None:
    _, found = tally(ColumnKind.NUMERIC, ["1e300", "-1e300", "1e308"])
    assert found.standard_deviation is None
    assert (found.minimum, found.maximum) == (-1e300, 1e308)
    assert Statistics.model_validate_json(found.model_dump_json()) == found
    assert math.isfinite(found.mean or 0.0)


def test_of_nothing_there_is_nothing_to_tell() -> None:
    assert tally(ColumnKind.NUMERIC, ["", "NA"]) == (2, Statistics(present=0, distinct=0))
    assert tally(ColumnKind.NUMERIC, ["4"]) == (0, Statistics(present=1, distinct=1, minimum=4, maximum=4, mean=4))


@given(st.lists(FINITE, max_size=20), st.lists(FINITE, max_size=20))
def test_two_parts_counted_apart_are_as_good_as_one(first: list[float], second: list[float]) -> None:
    parts = [tally(ColumnKind.NUMERIC, list(map(repr, values)))[1] for values in (first, second)]
    found, whole = parts[0].merged(parts[1]), tally(ColumnKind.NUMERIC, list(map(repr, first + second)))[1]
    assert (found.present, found.minimum, found.maximum) == (whole.present, whole.minimum, whole.maximum)
    for what, allowed in (("mean", 1e-3), ("standard_deviation", 1e-1)):
        one, other = getattr(found, what), getattr(whole, what)
        assert one == other or one == pytest.approx(other, rel=1e-5, abs=allowed)


@given(st.lists(st.sampled_from("abc"), max_size=20), st.lists(st.sampled_from("bcd"), max_size=20))
def test_categories_of_two_parts_add_up(first: list[str], second: list[str]) -> None:
    parts = [tally(ColumnKind.CATEGORICAL, cells)[1] for cells in (first, second)]
    assert parts[0].merged(parts[1]) == tally(ColumnKind.CATEGORICAL, first + second)[1]


def test_a_category_of_which_one_part_knows_nothing_is_not_told() -> None:
    many = Statistics(present=100, distinct=None, frequent=(Frequent(value="a", rows=50), Frequent(value="b", rows=30)))
    found = many.merged(Statistics(present=3, distinct=2, frequent=(Frequent(value="c", rows=2), Frequent(value="a", rows=1))))
    assert (found.present, found.distinct) == (103, None)
    assert found.frequent == (Frequent(value="a", rows=51), Frequent(value="b", rows=30))


def test_times_of_two_parts_reach_from_the_first_to_the_last() -> None:
    parts = [tally(ColumnKind.DATETIME, cells)[1] for cells in (["2026-03-01", "2026-01-01"], ["2026-02-01"])]
    found = parts[1].merged(parts[0])
    assert (str(found.earliest), str(found.latest)) == ("2026-01-01 00:00:00+00:00", "2026-03-01 00:00:00+00:00")
