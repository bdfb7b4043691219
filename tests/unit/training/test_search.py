"""The search: the best candidate wins, and its predictions are of rows that it has not seen."""

import numpy as np
import pandas as pd

from contracts.columns import ColumnKind
from contracts.evaluation import Metric, Problem
from contracts.signature import Signature
from training.candidates import Candidate, Family
from training.search import search

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


def test_of_equals_the_earlier_one_wins() -> None:
    frame, target = pd.DataFrame({"size": generator.normal(size=60)}), generator.integers(2, size=60)
    first, second = (Candidate(family=Family.LINEAR, parameters={"C": 1.0, "tol": tolerance}) for tolerance in (1e-4, 1e-5))
    found = search([first, second], SIGNATURE, frame, target, Metric.ACCURACY, folds=2, seed=1)
    assert found.best.candidate == first
