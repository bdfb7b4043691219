"""How much older rows count when fresh ones have come: all alike, or less and less with age.

A weight halves with every `half_life` of the rows (a share of them, so that nothing depends on a table's size): with 1 the oldest row
counts half as much as the newest, with 0.25 a sixteenth. What was true when the oldest rows were made may be wrong by now, and may as well
be what a model needs most; so the half-life is tried out on the newer half of the rows: each of BLOCKS blocks is predicted by a model of
the rows before it, as production will be, and the half-life with the least loss is taken. The loss is a proper score, because whether a
class was hit is too coarse to choose by. It is chosen by the default candidate of the family that won the search, with few bins: what old
rows are worth is a question about the data, and a quick model answers it as well.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from contracts.evaluation import Problem
from contracts.signature import Signature
from training.candidates import Candidate, Family, default, fit
from training.frame import Column

HALF_LIVES: tuple[float | None, ...] = (None, 0.5, 0.25, 0.125)
BLOCKS = 4
JUDGED = 0.5  # share of the rows, the newest
BINS = 63  # scikit-learn finds the borders of weighted bins one by one
LEAST_CHANCE = 1e-6  # of a class; nobody can be infinitely wrong


class Aged(BaseModel):
    """A half-life (None: all rows alike) and its mean loss on the rows that it was judged by: log loss, or squared error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    half_life: float | None
    loss: float


def weigh(rows: int, half_life: float | None) -> NDArray[np.float64] | None:
    """A weight a row, the oldest row first, 1 on average; None when all rows are alike."""
    if half_life is None:
        return None
    weights = np.power(0.5, np.arange(rows - 1, -1, -1) / (rows * half_life))
    return np.asarray(weights / weights.mean())


def try_half_lives(family: Family, signature: Signature, frame: pd.DataFrame, target: Column, seed: int) -> tuple[Aged, ...]:
    """Every half-life. Rows are in order of their time."""
    candidate = default(signature.problem, family)
    if family is Family.BOOSTING:
        candidate = candidate.model_copy(update={"parameters": candidate.parameters | {"max_bins": BINS}})
    return tuple(Aged(half_life=half_life, loss=_try(half_life, candidate, signature, frame, target, seed)) for half_life in HALF_LIVES)


def best(tried: Sequence[Aged]) -> Aged:
    """The one with the least loss; of equals the first, which is all rows alike."""
    return min(tried, key=lambda aged: aged.loss)


def _try(half_life: float | None, candidate: Candidate, signature: Signature, frame: pd.DataFrame, target: Column, seed: int) -> float:
    """The mean loss of the blocks; 0 when no block has two classes before it."""
    losses = []
    for start, stop in _blocks(len(target)):
        if signature.classes and len(np.unique(target[:start])) < 2:
            continue
        pipeline = fit(candidate, signature, frame.iloc[:start], target[:start], seed, weigh(start, half_life))
        losses.append(_loss(pipeline, signature, frame.iloc[start:stop], target[start:stop]))
    return float(np.mean(losses)) if losses else 0.0


def _blocks(rows: int) -> Iterator[tuple[int, int]]:
    return pairwise(int(border) for border in np.linspace(rows * (1 - JUDGED), rows, BLOCKS + 1))


def _loss(pipeline: Any, signature: Signature, frame: pd.DataFrame, truth: Column) -> float:
    """The mean squared error, or the mean negative logarithm of the chance that the true class was given."""
    if signature.problem is Problem.REGRESSION:
        return float(np.mean((pipeline.predict(frame) - truth) ** 2))
    chances = np.zeros((len(truth), len(signature.classes)))
    chances[:, pipeline.classes_] = pipeline.predict_proba(frame)  # the earlier rows need not hold every class
    return float(-np.log(chances[np.arange(len(truth)), truth].clip(LEAST_CHANCE)).mean())
