"""Scores of answers against labels: accuracy for classes, RMSE for numbers. Rows without a label or an answer do not count."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from contracts.evaluation import CHANCE, Problem
from contracts.monitoring import Thresholds

Pair = tuple[str | float, str]
"""(prediction, label)"""


class ScoreMetric(StrEnum):
    """What a replay is scored by. The values are evaluation.json's names too."""

    ACCURACY = "accuracy"
    RMSE = "rmse"

    def score(self, mean_loss: float) -> float:
        """The metric of a mean loss."""
        return math.sqrt(mean_loss) if self is ScoreMetric.RMSE else 1 - mean_loss

    def mean_loss(self, score: float) -> float:
        """The mean loss that a score stands for."""
        return score**2 if self is ScoreMetric.RMSE else 1 - score

    def gain(self, this: float, that: float) -> float:
        """How much better the first score is than the second."""
        return that - this if self is ScoreMetric.RMSE else this - that


def metric_of(problem: Problem) -> ScoreMetric:
    """Numbers by RMSE, classes by accuracy."""
    return ScoreMetric.RMSE if problem is Problem.REGRESSION else ScoreMetric.ACCURACY


@dataclass(frozen=True)
class Tally:
    """Scored rows, and the sums of their losses (wrong or not, or the squared error) and of the squares of these."""

    metric: ScoreMetric
    rows: int = 0
    loss: float = 0.0
    squares: float = 0.0

    @property
    def score(self) -> float | None:
        """The metric; None without rows."""
        return self.metric.score(self.loss / self.rows) if self.rows else None

    def fell(self, reference: float) -> bool:
        """Whether the score is worse than a reference by more than monitoring tolerates, and by more than chance explains."""
        score = self.score
        if score is None or self.rows < 2:
            return False
        mean = self.loss / self.rows
        error = math.sqrt(max(0.0, self.squares / self.rows - mean**2) / self.rows)
        tolerated = Thresholds().quality_tolerance * abs(reference)
        return self.metric.gain(reference, score) > tolerated and mean - self.metric.mean_loss(reference) > CHANCE * error


def tally(metric: ScoreMetric, pairs: Iterable[Pair]) -> Tally:
    """Score predictions."""
    losses = [_loss(metric, predicted, label) for predicted, label in pairs]
    return Tally(metric, len(losses), math.fsum(losses), math.fsum(loss**2 for loss in losses))


def together(metric: ScoreMetric, tallies: Sequence[Tally]) -> Tally:
    """The score over all of them."""
    sums = [math.fsum(values) for values in ((each.loss for each in tallies), (each.squares for each in tallies))]
    return Tally(metric, sum(each.rows for each in tallies), *sums)


def _loss(metric: ScoreMetric, predicted: str | float, label: str) -> float:
    if metric is ScoreMetric.RMSE:
        return (float(predicted) - float(label)) ** 2
    return 0.0 if str(predicted) == label else 1.0
