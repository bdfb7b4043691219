"""The search: every candidate is cross-validated on the same folds, and the first that the folds cannot tell from the best one wins.

The best of many noisy scores is partly luck, and luck makes two trainings on nearly the same rows choose different models. So the earliest
candidate (the sound ones, the blend first) within one standard error of the best is taken; the error is of the paired difference over the
folds (Breiman and others, Classification and Regression Trees, 1984, section 3.4.3).

A fold is a stretch of the table, of each class one. Rows that stand together are often alike, of one hour or one customer; drawn into
different folds they tell a model what it is asked, and the largest model seems best. A stretch is as unknown as what will come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from sklearn.model_selection import KFold, StratifiedKFold

from contracts.evaluation import Metric
from contracts.signature import Signature
from training.candidates import Candidate, fit
from training.frame import Column
from training.scoring import Predictions, measure, predict


class Trial(BaseModel):
    """A candidate and the deciding metric on each fold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidate: Candidate
    scores: tuple[float, ...]

    @property
    def score(self) -> float:
        """The mean over the folds."""
        return fmean(self.scores)


@dataclass(frozen=True)
class Found:
    """The search's outcome. `predictions` are the best candidate's for every row, each made without having seen that row."""

    best: Trial
    trials: tuple[Trial, ...]
    predictions: Predictions


def search(
    candidates: list[Candidate], signature: Signature, frame: pd.DataFrame, target: Column, metric: Metric, folds: int, seed: int
) -> Found:
    """Try every candidate, and choose."""
    results = [_try(candidate, signature, frame, target, metric, folds, seed) for candidate in candidates]
    trials = tuple(trial for trial, _ in results)
    chosen = choose([trial.scores for trial in trials], metric)
    return Found(trials[chosen], trials, results[chosen][1])


def choose(scores: Sequence[Sequence[float]], metric: Metric) -> int:
    """The place of the earliest scores within one standard error of those with the best mean. Each has at least two, on the same parts."""
    best = max(scores, key=lambda each: metric.gain(fmean(each), 0.0))
    return next(number for number, each in enumerate(scores) if _is_as_good(each, best, metric))


def _is_as_good(scores: Sequence[float], best: Sequence[float], metric: Metric) -> bool:
    behind = [metric.gain(mine, theirs) for mine, theirs in zip(best, scores, strict=True)]
    return fmean(behind) <= stdev(behind) / sqrt(len(behind))


def _try(
    candidate: Candidate, signature: Signature, frame: pd.DataFrame, target: Column, metric: Metric, folds: int, seed: int
) -> tuple[Trial, Predictions]:
    values = np.zeros(len(target), dtype=target.dtype)
    probabilities = np.zeros((len(target), len(signature.classes))) if signature.classes else None
    scores = []
    splitter = (StratifiedKFold if signature.classes else KFold)(folds)
    for learn, judge in splitter.split(frame, target):
        pipeline = fit(candidate, signature, frame.iloc[learn], target[learn], seed)
        said = predict(pipeline, signature.problem, frame.iloc[judge])
        scores.append(measure(signature.problem, target[judge], said)[metric])
        values[judge] = said.values
        if probabilities is not None:
            probabilities[judge] = said.probabilities
    return Trial(candidate=candidate, scores=tuple(scores)), Predictions(values, probabilities)
