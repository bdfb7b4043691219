"""How much older rows count when fresh ones have come: all alike, or less and less with age.

A weight halves with every `half_life` of the rows (a share of them, so that nothing depends on a table's size): with 0.5 the oldest row
counts a quarter of the newest, with 0.25 a sixteenth. What was true when the oldest rows were made may be wrong by now, and may as well be
what a model needs most; so the half-life is tried out on the newer half of the rows: each of BLOCKS blocks is predicted by a model of the
rows before it, as production will be. The mildest that the blocks cannot tell from the best is taken, as in the search. Steeper ones than
these lose more, on concepts that come back, than they win.

A half-life is tried with a quick candidate, the default of the family that won the search (small trees for a blend) with few bins: what
old rows are worth is a question about the data, and a quick model answers it as well.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from contracts.evaluation import Metric, Problem
from contracts.signature import Signature
from training.candidates import Candidate, Family, default, fit
from training.frame import Column
from training.scoring import Predictions, measure, predict
from training.search import choose

HALF_LIVES: tuple[float | None, ...] = (None, 0.5, 0.25)
BLOCKS = 4
JUDGED = 0.5  # share of the rows, the newest
BINS = 63  # scikit-learn finds the borders of weighted bins one by one


class Aged(BaseModel):
    """A half-life (None: all rows alike), and the deciding metric on each block that was predicted with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    half_life: float | None
    scores: tuple[float, ...]


def weigh(rows: int, half_life: float | None) -> NDArray[np.float64] | None:
    """A weight a row, the oldest row first, 1 on average; None when all rows are alike."""
    if half_life is None:
        return None
    weights = np.power(0.5, np.arange(rows - 1, -1, -1) / (rows * half_life))
    return np.asarray(weights / weights.mean())


def try_half_lives(
    family: Family, signature: Signature, frame: pd.DataFrame, target: Column, metric: Metric, seed: int
) -> tuple[Aged, ...]:
    """Every half-life, the mildest first. Rows are in order of their time."""
    candidate = default(signature.problem, Family.LINEAR if family is Family.LINEAR else Family.BOOSTING)
    if candidate.family is Family.BOOSTING:
        candidate = candidate.model_copy(update={"parameters": candidate.parameters | {"max_bins": BINS}})
    return tuple(
        Aged(half_life=half_life, scores=tuple(_scores(half_life, candidate, signature, frame, target, metric, seed)))
        for half_life in HALF_LIVES
    )


def best(tried: Sequence[Aged], metric: Metric) -> float | None:
    """The half-life to take: all rows alike when none was tried, or fewer than two blocks could be judged."""
    if not tried or len(tried[0].scores) < 2:
        return None
    return tried[choose([aged.scores for aged in tried], metric)].half_life


def _scores(
    half_life: float | None, candidate: Candidate, signature: Signature, frame: pd.DataFrame, target: Column, metric: Metric, seed: int
) -> Iterator[float]:
    """The metric on every block that, like the rows before it, holds two classes."""
    for start, stop in _blocks(len(target)):
        if signature.classes and min(len(np.unique(part)) for part in (target[:start], target[start:stop])) < 2:
            continue
        pipeline = fit(candidate, signature, frame.iloc[:start], target[:start], seed, weigh(start, half_life))
        yield measure(signature.problem, target[start:stop], _predict(pipeline, signature, frame.iloc[start:stop]))[metric]


def _blocks(rows: int) -> Iterator[tuple[int, int]]:
    return pairwise(int(border) for border in np.linspace(rows * (1 - JUDGED), rows, BLOCKS + 1))


def _predict(pipeline: Any, signature: Signature, frame: pd.DataFrame) -> Predictions:
    """As scoring.predict, by a model that need not have seen every class."""
    if signature.problem is Problem.REGRESSION:
        return predict(pipeline, signature.problem, frame)
    chances = np.zeros((len(frame), len(signature.classes)))
    chances[:, pipeline.classes_] = pipeline.predict_proba(frame)
    return Predictions.of_probabilities(chances)
