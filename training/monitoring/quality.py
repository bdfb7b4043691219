"""How good labelled predictions are: sums that can be merged, and metrics with their standard errors from them.

ROC AUC comes from histograms of the probabilities in 10,000 steps, so ties within a step count as ties; everything else is exact.
Standard errors: shares are binomial, after one success and one failure more (Agresti and Coull); F1 is a function of the share
TP / (TP + FP + FN); ROC AUC as Hanley and McNeil give it; means by their own variance. They judge a difference, not the fourth digit.
"""

from dataclasses import dataclass, field
from math import sqrt
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from contracts.evaluation import Metric, Problem
from training.monitoring.summary import Numbers

STEPS = 10_000
TINY = 1e-15  # as scikit-learn clips for the log loss, in double precision


class Measured(NamedTuple):
    """A metric's value and standard error."""

    value: float
    error: float


Metrics = dict[Metric, Measured]


def share(part: float, whole: float) -> Measured:
    """A share; 0 of nothing, as scikit-learn's zero_division has it here."""
    guess = (part + 1) / (whole + 2)
    return Measured(part / whole if whole else 0.0, sqrt(guess * (1 - guess) / (whole + 2)))


def _mean(total: float, squares: float, count: int) -> Measured:
    mean = total / count
    return Measured(mean, sqrt(max(0.0, squares / count - mean * mean) / count))


@dataclass
class ClassQuality:
    """Of a classifier with `classes` classes. `confusion`: true class x predicted class, the last of both for all that it does not know."""

    classes: int
    binary: bool
    confusion: NDArray[np.int64] = field(init=False)
    scores: NDArray[np.int64] | None = None  # class x (others, the class itself) x steps; only when there are labels
    loss: float = 0.0
    squares: float = 0.0
    scored: int = 0

    def __post_init__(self) -> None:
        self.confusion = np.zeros((self.classes + 1, self.classes + 1), dtype=np.int64)

    @property
    def labels(self) -> int:
        """Labelled predictions."""
        return int(self.confusion.sum())

    def add(self, truth: Numbers, values: Numbers, chances: Numbers) -> None:
        """Labelled predictions: class numbers, and rows x classes of probabilities. A class that the model does not know it gives none."""
        true = np.minimum(truth, self.classes).astype(int)
        said = np.where(values < 0, self.classes, values).astype(int)
        np.add.at(self.confusion, (true, said), 1)
        told = ~np.isnan(chances).any(axis=1)
        if not told.any():
            return
        true, chances = true[told], chances[told]
        if self.scores is None:
            self.scores = np.zeros((self.classes, 2, STEPS), dtype=np.int64)
        steps = (chances * STEPS).astype(int).clip(0, STEPS - 1)
        for number in range(self.classes):
            np.add.at(self.scores[number], ((true == number).astype(int), steps[:, number]), 1)
        given = np.column_stack([chances, np.zeros(len(true))])
        losses = -np.log(given[np.arange(len(true)), true].clip(TINY, 1))
        self.loss += float(losses.sum())
        self.squares += float(losses @ losses)
        self.scored += len(true)

    def merge(self, other: Self) -> None:
        """Add another part's predictions."""
        self.confusion += other.confusion
        if other.scores is not None:
            self.scores = other.scores if self.scores is None else self.scores + other.scores
        self.loss += other.loss
        self.squares += other.squares
        self.scored += other.scored

    def metrics(self) -> Metrics:
        """Every metric that these labels allow; of several classes the macro average over those that occur, unknown ones being one more."""
        if not self.labels:
            return {}
        hits, said, true = self.confusion.diagonal().copy(), self.confusion.sum(axis=0), self.confusion.sum(axis=1)
        hits[-1] = 0  # that both are unknown does not make them the same
        occurring = true + np.append(said[:-1], 0)
        wanted = [1] if self.binary else np.flatnonzero(occurring).tolist()
        found = {
            Metric.ACCURACY: share(hits.sum(), self.labels),
            Metric.PRECISION: _average([share(hits[c], said[c]) for c in wanted]),
            Metric.RECALL: _average([share(hits[c], true[c]) for c in wanted]),
            Metric.F1: _average([_f1(share(hits[c], said[c] + true[c] - hits[c])) for c in wanted]),
        }
        if self.scores is not None:
            aucs = [_auc(*self.scores[c]) for c in ([1] if self.binary else range(self.classes))]
            known = [auc for auc in aucs if auc is not None]
            if len(known) == len(aucs):
                found[Metric.ROC_AUC] = _average(known)
            found[Metric.LOG_LOSS] = _mean(self.loss, self.squares, self.scored)
        return found


def _average(parts: list[Measured]) -> Measured:
    return Measured(sum(part.value for part in parts) / len(parts), sqrt(sum(part.error**2 for part in parts)) / len(parts))


def _f1(jaccard: Measured) -> Measured:
    """F1 = 2J / (1 + J)."""
    return Measured(2 * jaccard.value / (1 + jaccard.value), jaccard.error * 2 / (1 + jaccard.value) ** 2)


def _auc(others: NDArray[np.int64], own: NDArray[np.int64]) -> Measured | None:
    """None unless both kinds occur."""
    positive, negative = int(own.sum()), int(others.sum())
    if not positive or not negative:
        return None
    below = np.cumsum(others) - others
    value = float(own @ (below + others / 2)) / positive / negative
    q1, q2 = value / (2 - value), 2 * value * value / (1 + value)
    spread = value * (1 - value) + (positive - 1) * (q1 - value * value) + (negative - 1) * (q2 - value * value)
    return Measured(value, sqrt(max(0.0, spread) / positive / negative))


@dataclass
class NumberQuality:
    """Of a regression. Truths are summed about `center`, so that R2 stays precise."""

    center: float
    labels: int = 0
    sums: Numbers = field(default_factory=lambda: np.zeros(5))  # |error|, error^2, error^4, truth, truth^2

    def add(self, truth: Numbers, values: Numbers, _chances: Numbers) -> None:
        """Labelled predictions."""
        errors, moved = values - truth, truth - self.center
        self.labels += len(truth)
        self.sums += [np.abs(errors).sum(), (errors**2).sum(), (errors**4).sum(), moved.sum(), (moved**2).sum()]

    def merge(self, other: Self) -> None:
        """Add another part's predictions."""
        self.labels += other.labels
        self.sums += other.sums

    def metrics(self) -> Metrics:
        """RMSE, MAE, and R2 when the truths differ."""
        if not self.labels:
            return {}
        absolute, squares, fourths, total, total_squares = (float(value) for value in self.sums)
        mse = _mean(squares, fourths, self.labels)
        rmse = sqrt(mse.value)
        found = {
            Metric.RMSE: Measured(rmse, mse.error / (2 * rmse) if rmse else 0.0),
            Metric.MAE: _mean(absolute, squares, self.labels),
        }
        variance = total_squares / self.labels - (total / self.labels) ** 2
        if variance > 0:
            found[Metric.R2] = Measured(1 - mse.value / variance, mse.error / variance)
        return found


Quality = ClassQuality | NumberQuality


def quality_of(problem: Problem, classes: int, center: float) -> Quality:
    """Nothing yet."""
    return NumberQuality(center) if problem is Problem.REGRESSION else ClassQuality(classes, problem is Problem.BINARY)
