"""The distance: what it must be, and that chance is judged as SciPy judges it."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2

from training.monitoring.distance import EXPECTED, SURPRISE, chi_squared_tail, compare

counts = st.lists(st.integers(0, 500), min_size=2, max_size=25).map(lambda values: np.array(values, dtype=float))
pairs = st.integers(2, 25).flatmap(
    lambda size: st.tuples(*[st.lists(st.integers(0, 500), min_size=size, max_size=size).map(lambda v: np.array(v, dtype=float))] * 2)
)


@given(pairs)
def test_a_distance_and_a_chance_are_between_0_and_1(pair: tuple[np.ndarray, np.ndarray]) -> None:
    left, right = pair
    assume(left.sum() and right.sum())
    found = compare(left, right)
    assert 0 <= found.distance <= 1
    assert 0 <= found.chance <= 1


@given(counts, st.integers(1, 50))
def test_the_same_shares_are_no_distance_apart(values: np.ndarray, times: int) -> None:
    assume(values.sum())
    found = compare(values, values * times)
    assert found.distance == pytest.approx(0, abs=1e-6)
    assert found.chance == pytest.approx(1, abs=0.5)


@given(st.integers(EXPECTED * SURPRISE, 1000), st.integers(EXPECTED * SURPRISE, 1000))
def test_nothing_in_common_is_1(here: int, there: int) -> None:
    found = compare(np.array([here, 0.0]), np.array([0.0, there]))
    assert found.distance == pytest.approx(1)
    assert found.chance < 1e-4


def test_large_bins_give_jensen_and_shannons_number() -> None:
    left, right = np.array([400.0, 300, 200, 100]), np.array([100.0, 200, 300, 400])
    assert compare(left, right).distance == pytest.approx(jensenshannon(left, right, base=2))


@pytest.mark.parametrize("freedom", [1, 3, 9, 19, 100])
@pytest.mark.parametrize("chance", [0.5, 0.05, 0.01, 0.0004])
def test_chance_is_scipys_(freedom: int, chance: float) -> None:
    value = float(chi2.isf(chance, freedom))
    assert chi_squared_tail(value, freedom) == pytest.approx(chance, rel=1e-9)


def test_bins_with_few_rows_count_together() -> None:
    before = np.array([1000.0, *[1.0] * 200])
    now = np.array([1000.0, *([0.0, 2.0] * 100)])
    assert compare(before, now).distance < 0.05
    assert compare(before, now).chance > 0.5


def test_a_window_that_moves_to_one_new_bin_is_seen_beside_a_much_larger_baseline() -> None:
    found = compare(np.array([0.0, 1_000_000, 0.0]), np.array([0.0, 0.0, 100]))
    assert found.distance == pytest.approx(1)
