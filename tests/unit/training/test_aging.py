"""Older rows count less when the concept has changed, and as much as any when it has not."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import ColumnKind
from contracts.evaluation import Metric, Problem
from contracts.signature import Signature
from training.aging import HALF_LIVES, Aged, best, try_half_lives, weigh
from training.candidates import Family

FEATURES = dict.fromkeys("ab", ColumnKind.NUMERIC)
BINARY = Signature(problem=Problem.BINARY, target="t", positive="yes", features=FEATURES, classes=("no", "yes"))
REGRESSION = Signature(problem=Problem.REGRESSION, target="t", features=FEATURES)


@given(rows=st.integers(2, 5000), half_life=st.sampled_from(HALF_LIVES[1:]))
def test_a_weight_halves_with_every_half_life_and_is_1_on_average(rows: int, half_life: float) -> None:
    weights = weigh(rows, half_life)
    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    assert (np.diff(weights) > 0).all()
    assert weights[-1] / weights[0] == pytest.approx(2 ** ((rows - 1) / rows / half_life))


def test_rows_that_are_all_alike_need_no_weights() -> None:
    assert weigh(100, None) is None


def drawn(rows: int, change: float, problem: Problem, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows whose concept turns over after a share of them."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({name: generator.normal(size=rows) for name in FEATURES})
    sign = np.where(np.arange(rows) < rows * change, 1, -1)
    said = sign * frame["a"].to_numpy() + generator.normal(size=rows) * 0.5
    return frame, said if problem is Problem.REGRESSION else (said > 0).astype(int)


@pytest.mark.parametrize(("signature", "metric"), [(BINARY, Metric.ROC_AUC), (REGRESSION, Metric.RMSE)], ids=["binary", "regression"])
@pytest.mark.parametrize("family", list(Family))
def test_after_a_change_the_newest_rows_count_most_and_without_one_all_count_alike(
    signature: Signature, metric: Metric, family: Family
) -> None:
    changed, steady = (
        try_half_lives(family, signature, *drawn(800, change, signature.problem, 1), metric=metric, seed=1) for change in (0.6, 1.0)
    )
    assert best(changed, metric) == HALF_LIVES[-1]
    assert best(steady, metric) is None
    assert all(len(aged.scores) == 4 for aged in (*changed, *steady))


def test_of_those_that_the_blocks_cannot_tell_apart_the_mildest_is_taken() -> None:
    scores = [(0.80, 0.82, 0.78, 0.80), (0.81, 0.79, 0.83, 0.78), (0.84, 0.86, 0.82, 0.84)]
    tried = [Aged(half_life=half_life, scores=each) for half_life, each in zip(HALF_LIVES, scores, strict=True)]
    assert best(tried[:2], Metric.ACCURACY) is None
    assert best(tried, Metric.ACCURACY) == 0.25
    assert best(tried, Metric.RMSE) is None


def test_earlier_rows_may_lack_classes() -> None:
    frame, _ = drawn(200, 1.0, Problem.BINARY, 0)
    for border in (40, 120, 190):
        tried = try_half_lives(Family.LINEAR, BINARY, frame, (np.arange(200) >= border).astype(int), Metric.ROC_AUC, seed=1)
        assert [aged.scores for aged in tried] == [()] * len(HALF_LIVES)
        assert best(tried, Metric.ROC_AUC) is None
    three = BINARY.model_copy(update={"problem": Problem.MULTICLASS, "classes": ("a", "b", "c")})
    tried = try_half_lives(Family.LINEAR, three, frame, np.where(np.arange(200) < 150, np.arange(200) % 2, 2), Metric.ACCURACY, seed=1)
    assert all(len(aged.scores) == 2 for aged in tried)
