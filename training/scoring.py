"""Predictions and how good they are. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn import metrics

from contracts.evaluation import METRICS, Metric, Problem
from training.frame import Column

ROUNDS = 200


@dataclass(frozen=True)
class Predictions:
    """A prediction a row. `values`: floats for regression, class numbers otherwise; `probabilities`: rows x classes, else None."""

    values: Column
    probabilities: NDArray[np.float64] | None = None

    @classmethod
    def of_probabilities(cls, probabilities: NDArray[np.float64]) -> "Predictions":
        """The likeliest class of each row."""
        return cls(probabilities.argmax(axis=1), probabilities)

    def at(self, rows: NDArray[np.intp]) -> "Predictions":
        """The predictions of some rows."""
        return Predictions(self.values[rows], None if self.probabilities is None else self.probabilities[rows])

    def and_then(self, others: "Predictions") -> "Predictions":
        """These, and then the others."""
        if self.probabilities is None or others.probabilities is None:
            return Predictions(np.concatenate([self.values, others.values]))
        return Predictions.of_probabilities(np.concatenate([self.probabilities, others.probabilities]))


def predict(pipeline: Any, problem: Problem, frame: pd.DataFrame) -> Predictions:
    """What a fitted pipeline says. Its classes are the numbers 0 to n-1, all of which it saw when it was fitted."""
    if problem is Problem.REGRESSION:
        return Predictions(np.asarray(pipeline.predict(frame), dtype=float))
    return Predictions.of_probabilities(np.asarray(pipeline.predict_proba(frame), dtype=float))


def measure(problem: Problem, truth: Column, predictions: Predictions) -> dict[Metric, float]:
    """Every metric of the problem. `truth` must hold two classes at least."""
    return {metric: float(_MEASURES[metric](problem, truth, predictions)) for metric in METRICS[problem]}


def gain_error(
    problem: Problem, metric: Metric, truth: Column, challenger: Predictions, champion: Predictions, seed: int, rounds: int = ROUNDS
) -> float:
    """The standard error of the challenger's gain over the champion, by a paired bootstrap of the rows within each class.

    Both models are measured on the same drawn rows, so what makes a draw hard for both cancels out (Efron and Tibshirani, An
    Introduction to the Bootstrap, chapters 6 and 8).
    """
    generator = np.random.default_rng(seed)
    groups = [np.arange(len(truth))] if problem is Problem.REGRESSION else [np.flatnonzero(truth == value) for value in np.unique(truth)]
    gains = []
    for _ in range(rounds):
        rows = np.concatenate([generator.choice(group, len(group)) for group in groups])
        scores = [float(_MEASURES[metric](problem, truth[rows], said.at(rows))) for said in (challenger, champion)]
        gains.append(metric.gain(*scores))
    return float(np.std(gains, ddof=1))


def _roc_auc(_problem: Problem, truth: Column, predictions: Predictions) -> float:
    """Of several classes the mean of one against the rest, over the classes that the truth holds."""
    chances = _probabilities(predictions)
    classes = [1] if chances.shape[1] == 2 else np.unique(truth)
    return float(np.mean([_area(truth == number, chances[:, number]) for number in classes]))


def _area(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The chance that a positive row scores above a negative one, by Mann and Whitney's ranks: scikit-learn's value, sooner."""
    hits = int(positive.sum())
    ranks = rankdata(scores)[positive].sum()
    return float((ranks - hits * (hits + 1) / 2) / (hits * (len(positive) - hits)))


def _f1(problem: Problem, truth: Column, predictions: Predictions) -> float:
    average = "binary" if problem is Problem.BINARY else "macro"
    return float(metrics.f1_score(truth, predictions.values, average=average, zero_division=0.0))


def _log_loss(_problem: Problem, truth: Column, predictions: Predictions) -> float:
    chances = _probabilities(predictions)
    return float(metrics.log_loss(truth, chances, labels=range(chances.shape[1])))


def _probabilities(predictions: Predictions) -> NDArray[np.float64]:
    if predictions.probabilities is None:
        raise ValueError("these predictions carry no probabilities")
    return predictions.probabilities


_MEASURES: dict[Metric, Any] = {
    Metric.ACCURACY: lambda _problem, truth, said: np.mean(truth == said.values),
    Metric.F1: _f1,
    Metric.ROC_AUC: _roc_auc,
    Metric.LOG_LOSS: _log_loss,
    Metric.RMSE: lambda _problem, truth, said: np.sqrt(np.mean((truth - said.values) ** 2)),
    Metric.MAE: lambda _problem, truth, said: np.mean(np.abs(truth - said.values)),
    Metric.R2: lambda _problem, truth, said: metrics.r2_score(truth, said.values),
}
