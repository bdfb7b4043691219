"""The search: the best candidate wins, and its predictions are of rows that it has not seen."""

from statistics import fmean

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import ColumnKind
from contracts.evaluation import Metric, Problem
from contracts.signature import Signature
from training.candidates import Candidate, Family
from training.search import choose, search

FEATURES = {"size": ColumnKind.NUMERIC}
SIGNATURE = Signature(problem=Problem.BINARY, target="answer", positive="yes", features=FEATURES, classes=("no", "yes"))
GREEDY = Candidate(family=Family.BOOSTING, parameters={"learning_rate": 0.5, "max_iter": 100, "min_samples_leaf": 2})
generator = np.random.default_rng(0)


def test_predictions_of_noise_are_noise() -> None:
    """A greedy model knows its training rows by heart; of unseen rows of noise nobody knows anything."""
    frame, target = pd.DataFrame({"size": generator.normal(size=200)}), generator.integers(2, size=200)
    found = search([GREEDY], SIGNATURE, frame, target, Metric.ACCURACY, folds=4, seed=1)
    assert (found.predictions.values == target).mean() < 0.65
    assert found.best.score < 0.65
    assert found.predictions.probabilities is not None
    assert np.allclose(found.predictions.probabilities.sum(axis=1), 1)


def test_the_better_direction_depends_on_the_metric() -> None:
    frame = pd.DataFrame({"size": generator.normal(size=200)})
    target = (frame["size"].to_numpy() > 0).astype(int)
    blind = Candidate(family=Family.LINEAR, parameters={"C": 1e-9})
    sharp = Candidate(family=Family.LINEAR, parameters={"C": 100.0})
    for metric in (Metric.ACCURACY, Metric.LOG_LOSS):
        found = search([blind, sharp], SIGNATURE, frame, target, metric, folds=3, seed=1)
        assert found.best.candidate == sharp
        assert [trial.candidate for trial in found.trials] == [blind, sharp]
        assert all(len(trial.scores) == 3 for trial in found.trials)


def test_a_fold_is_a_stretch_so_what_neighbours_share_does_not_help() -> None:
    """Twenty rows of an hour have the same label, which is nothing but luck: a model that knows the hour knows only what is past."""
    hours = np.repeat(np.arange(20), 20)
    frame, target = pd.DataFrame({"size": hours + generator.uniform(size=400)}), generator.integers(2, size=20)[hours]
    found = search([GREEDY], SIGNATURE, frame, target, Metric.ACCURACY, folds=4, seed=1)
    assert found.best.score < 0.7


def test_of_equals_the_earlier_one_wins() -> None:
    frame, target = pd.DataFrame({"size": generator.normal(size=60)}), generator.integers(2, size=60)
    first, second = (Candidate(family=Family.LINEAR, parameters={"C": 1.0, "tol": tolerance}) for tolerance in (1e-4, 1e-5))
    found = search([first, second], SIGNATURE, frame, target, Metric.ACCURACY, folds=2, seed=1)
    assert found.best.candidate == first


@pytest.mark.parametrize(
    ("scores", "metric", "chosen"),
    [
        ([(0.80, 0.82, 0.78), (0.81, 0.79, 0.83)], Metric.ROC_AUC, 0),
        ([(0.70, 0.72, 0.68), (0.81, 0.82, 0.80)], Metric.ROC_AUC, 1),
        ([(0.70, 0.72, 0.68), (0.71, 0.73, 0.69)], Metric.ROC_AUC, 1),
        ([(5.0, 5.2, 4.8), (4.0, 4.3, 3.9), (3.9, 4.4, 3.8)], Metric.RMSE, 1),
    ],
    ids=["luck", "clearly better", "better on every fold alike", "errors are better when lower"],
)
def test_the_earliest_that_the_folds_cannot_tell_from_the_best_wins(scores: list[tuple[float, ...]], metric: Metric, chosen: int) -> None:
    assert choose(scores, metric) == chosen


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=6), st.sampled_from([Metric.ACCURACY, Metric.RMSE]))
def test_somebody_always_wins_and_never_one_that_loses_every_fold(scores: list[tuple[float, ...]], metric: Metric) -> None:
    winner = scores[choose(scores, metric)]
    best = max(scores, key=lambda each: metric.gain(fmean(each), 0.0))
    margins = [metric.gain(mine, theirs) for mine, theirs in zip(best, winner, strict=True)]
    assert winner == best or min(margins) < max(margins)
