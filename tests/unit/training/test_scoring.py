"""How well a holdout can tell two models apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from contracts.evaluation import METRICS, Metric, Problem
from training.scoring import Predictions, gain_error, measure


def regression(rows: int, seed: int = 0) -> tuple[np.ndarray, Predictions, Predictions]:
    """A truth, and two models with independent errors of size 1."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=rows)
    first, second = (Predictions(truth + generator.normal(size=rows)) for _ in range(2))
    return truth, first, second


def test_a_model_cannot_be_told_from_itself_by_any_draw() -> None:
    truth, model, _ = regression(50)
    assert gain_error(Problem.REGRESSION, Metric.RMSE, truth, model, model, seed=1) == 0


def test_the_error_shrinks_with_the_root_of_the_rows() -> None:
    small, large = (gain_error(Problem.REGRESSION, Metric.RMSE, *regression(rows), seed=1) for rows in (100, 1600))
    assert 2.5 < small / large < 6


def test_it_is_what_repeating_the_holdout_would_show() -> None:
    gains = []
    for seed in range(200):
        truth, first, second = regression(100, seed)
        rmse = [float(np.sqrt(np.mean((truth - model.values) ** 2))) for model in (first, second)]
        gains.append(Metric.RMSE.gain(*rmse))
    estimated = np.mean([gain_error(Problem.REGRESSION, Metric.RMSE, *regression(100, seed), seed=2) for seed in range(20)])
    assert estimated == pytest.approx(float(np.std(gains)), rel=0.2)


@pytest.mark.parametrize("metric", METRICS[Problem.MULTICLASS])
def test_every_class_is_in_every_draw(metric: Metric) -> None:
    # A class of two rows would be missing from one draw in seven, and its ROC AUC undefined.
    truth = np.array([0] * 20 + [1] * 20 + [2] * 2)
    generator = np.random.default_rng(0)
    first, second = (Predictions.of_probabilities(generator.dirichlet([1, 1, 1], len(truth))) for _ in range(2))
    assert np.isfinite(gain_error(Problem.MULTICLASS, metric, truth, first, second, seed=3))


def test_a_multiclass_table_may_hold_just_two_classes() -> None:
    truth = np.array([0, 1] * 10)
    chances = np.random.default_rng(0).dirichlet([1, 1], len(truth))
    found, binary = (measure(problem, truth, Predictions.of_probabilities(chances)) for problem in (Problem.MULTICLASS, Problem.BINARY))
    assert found[Metric.ROC_AUC] == binary[Metric.ROC_AUC]


@given(
    chances=st.lists(st.sampled_from([(0.2, 0.3, 0.5), (0.5, 0.3, 0.2), (0.1, 0.8, 0.1), (0.3, 0.4, 0.3)]), min_size=6, max_size=30),
    seed=st.integers(0, 99),
)
def test_the_area_is_scikit_learns_also_with_ties(chances: list[tuple[float, ...]], seed: int) -> None:
    said = Predictions.of_probabilities(np.array(chances))
    assert said.probabilities is not None
    truth = np.random.default_rng(seed).permutation(np.arange(len(chances)) % 3)
    found = measure(Problem.MULTICLASS, truth, said)[Metric.ROC_AUC]
    assert found == pytest.approx(metrics.roc_auc_score(truth, said.probabilities, multi_class="ovr", average="macro"))


def test_a_class_that_the_truth_lacks_is_not_counted() -> None:
    truth = np.array([0, 1] * 10)
    chances = np.random.default_rng(0).dirichlet([1, 1, 1], len(truth))
    found = measure(Problem.MULTICLASS, truth, Predictions.of_probabilities(chances))
    areas = [metrics.roc_auc_score(truth == number, chances[:, number]) for number in (0, 1)]
    assert found[Metric.ROC_AUC] == pytest.approx(np.mean(areas))
    assert all(np.isfinite(value) for value in found.values())
