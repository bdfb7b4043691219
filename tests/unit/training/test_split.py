"""The split: no row ever changes sides, and time is respected."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DataError
from tests.unit.training.tables import contract
from training.split import check_split, holdout_mask, rare_classes

identifiers = st.lists(st.text(max_size=8), min_size=1, max_size=60)


def frame(ids: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"id": ids}, dtype=str)


@given(earlier=identifiers, later=identifiers, share=st.floats(0.05, 0.8), seed=st.integers(0, 2**31 - 1))
def test_a_row_keeps_its_side_whatever_else_is_in_the_table(earlier: list[str], later: list[str], share: float, seed: int) -> None:
    data = contract("regression")
    before = holdout_mask(data, frame(earlier), share, seed)
    after = holdout_mask(data, frame(later + earlier), share, seed)
    assert after[len(later) :].tolist() == before.tolist()


@given(share=st.floats(0.1, 0.8), seed=st.integers(0, 1000))
def test_the_holdout_has_about_its_share(share: float, seed: int) -> None:
    mask = holdout_mask(contract("regression"), frame([str(number) for number in range(2000)]), share, seed)
    assert abs(mask.mean() - share) < 0.06


def test_another_seed_is_another_split() -> None:
    table = frame([str(number) for number in range(200)])
    first, second = (holdout_mask(contract("regression"), table, 0.5, seed) for seed in (1, 2))
    assert 0.3 < (first == second).mean() < 0.7


def test_without_an_id_cells_are_not_run_together() -> None:
    data = contract("regression", id=None, features={"a": "categorical", "b": "categorical"})
    rows = pd.DataFrame({"a": ["x" * n for n in range(1, 100)], "b": ["x" * (100 - n) for n in range(1, 100)]})
    assert 0 < holdout_mask(data, rows, 0.5, 3).sum() < len(rows)


@given(days=st.lists(st.integers(0, 300), min_size=5, max_size=80), share=st.floats(0.1, 0.6))
def test_with_a_time_column_no_held_out_row_is_earlier_than_a_training_row(days: list[int], share: float) -> None:
    moments = np.datetime64("2024-01-01") + np.array(days)
    table = pd.DataFrame({"id": [str(n) for n in range(len(days))], "when": [str(moment) for moment in moments]})
    mask = holdout_mask(contract("regression", time="when"), table, share, 0)
    assert mask.mean() <= share
    if mask.any():
        assert moments[~mask].max() < moments[mask].min()


def test_a_row_without_a_time_is_never_held_out() -> None:
    table = pd.DataFrame({"id": list("abcde"), "when": ["2024-01-01", "", "2024-01-03", "2024-01-04", "2024-01-05"]})
    assert holdout_mask(contract("regression", time="when"), table, 0.4, 0).tolist() == [False, False, False, True, True]


def test_too_few_rows_of_a_class_are_named_with_their_side() -> None:
    cells = pd.Series(["a"] * 20 + ["b"] * 20 + ["c"])
    mask = np.array([number % 2 == 0 for number in range(41)])
    with pytest.raises(DataError) as caught:
        check_split(contract("multiclass"), cells[~mask], cells[mask], folds=4)
    said = str(caught.value)
    assert "class 'c' of target 'answer' has 0 training rows, and needs at least 4" in said
    assert "class 'c' of target 'answer' has 1 holdout rows, and needs at least 2" in said
    assert "class 'a'" not in said


def test_a_class_is_rare_when_one_side_has_too_few_of_it() -> None:
    cells = pd.Series(["a"] * 20 + ["b"] * 20 + ["c "] + ["d"] * 8)
    mask = np.array([number % 2 == 0 for number in range(41)] + [True] + [False] * 7)
    assert rare_classes(contract("multiclass"), cells, mask, folds=4) == {"c": 1, "d": 8}
    assert rare_classes(contract("binary"), cells, mask, folds=4) == {}
    assert rare_classes(contract("regression"), cells, mask, folds=4) == {}
