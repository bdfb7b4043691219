"""Scores of answers against labels: accuracy for classes, RMSE for numbers. Rows without a label or an answer do not count."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.evaluation import CHANCE, Metric, Problem
from contracts.monitoring import Thresholds

Pair = tuple[str | float, str]
"""(prediction, label)"""


def metric_of(problem: Problem) -> Metric:
    """Numbers by RMSE, classes by accuracy."""
    return Metric.RMSE if problem is Problem.REGRESSION else Metric.ACCURACY


@dataclass(frozen=True)
class Tally:
    """Scored rows, and the sums of their losses (wrong or not, or the squared error) and of the squares of these."""

    metric: Metric
    rows: int = 0
    loss: float = 0.0
    squares: float = 0.0

    @property
    def score(self) -> float | None:
        """The metric; None without rows."""
        return _score(self.metric, self.loss / self.rows) if self.rows else None

    def fell(self, reference: float, reference_rows: int | None = None) -> bool:
        """Whether the score is worse than a reference by more than monitoring tolerates, and by more than chance explains.

        The reference's own rows have their chance too, as in training/monitoring/judge.py; None takes it as exact.
        """
        score = self.score
        if score is None or self.rows < 2:
            return False
        mean = self.loss / self.rows
        error = math.sqrt(max(0.0, self.squares / self.rows - mean**2) / self.rows)
        if reference_rows is not None:
            error *= math.sqrt(1 + self.rows / reference_rows)
        tolerated = Thresholds().quality_tolerance * abs(reference)
        return self.metric.gain(reference, score) > tolerated and mean - _mean_loss(self.metric, reference) > CHANCE * error


def tally(metric: Metric, pairs: Iterable[Pair]) -> Tally:
    """Score predictions."""
    losses = [_loss(metric, predicted, label) for predicted, label in pairs]
    return Tally(metric, len(losses), math.fsum(losses), math.fsum(loss**2 for loss in losses))


def together(metric: Metric, tallies: Sequence[Tally]) -> Tally:
    """The score over all of them."""
    sums = [math.fsum(values) for values in ((each.loss for each in tallies), (each.squares for each in tallies))]
    return Tally(metric, sum(each.rows for each in tallies), *sums)


def _score(metric: Metric, mean_loss: float) -> float:
    return math.sqrt(mean_loss) if metric is Metric.RMSE else 1 - mean_loss


def _mean_loss(metric: Metric, score: float) -> float:
    return score**2 if metric is Metric.RMSE else 1 - score


def _loss(metric: Metric, predicted: str | float, label: str) -> float:
    if metric is Metric.RMSE:
        return (float(predicted) - float(label)) ** 2
    return 0.0 if str(predicted) == label else 1.0
