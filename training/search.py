"""The search: every candidate is cross-validated on the same seeded folds, and the best one wins."""

from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from sklearn.model_selection import KFold, StratifiedKFold

from contracts.evaluation import Metric
from contracts.signature import Signature
from training.candidates import Candidate, build
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
    """Try every candidate. Of equals the earlier one wins."""
    results = [_try(candidate, signature, frame, target, metric, folds, seed) for candidate in candidates]
    best = max(results, key=lambda result: result[0].score if metric.higher_is_better else -result[0].score)
    return Found(best[0], tuple(trial for trial, _ in results), best[1])


def _try(
    candidate: Candidate, signature: Signature, frame: pd.DataFrame, target: Column, metric: Metric, folds: int, seed: int
) -> tuple[Trial, Predictions]:
    values = np.zeros(len(target), dtype=target.dtype)
    probabilities = np.zeros((len(target), len(signature.classes))) if signature.classes else None
    scores = []
    splitter = (StratifiedKFold if signature.classes else KFold)(folds, shuffle=True, random_state=seed)
    for learn, judge in splitter.split(frame, target):
        pipeline = build(candidate, signature.problem, signature.features, seed)
        pipeline.fit(frame.iloc[learn], target[learn])
        said = predict(pipeline, signature.problem, frame.iloc[judge])
        scores.append(measure(signature.problem, target[judge], said)[metric])
        values[judge] = said.values
        if probabilities is not None:
            probabilities[judge] = said.probabilities
    return Trial(candidate=candidate, scores=tuple(scores)), Predictions(values, probabilities)
