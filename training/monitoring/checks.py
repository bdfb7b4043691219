"""Data quality: what in a window breaks the baseline's constraints. Pure.

A share breaks a constraint when it exceeds what the baseline lets expect by more than the threshold and by more than chance explains in a
window, and a baseline, of these sizes. What to expect of values that the baseline never held is estimated from it: of unknown categories
the share of categories that it holds once (Good and Turing), of numbers beyond its range 2 in its rows + 1.
"""

from collections.abc import Iterator, Mapping
from math import sqrt
from statistics import NormalDist

from contracts.baseline import Constraints, FeatureConstraints, FeatureStatistics, InferredType, Statistics
from contracts.columns import ColumnKind
from contracts.monitoring import CheckType, Thresholds, Violation
from training.monitoring.scan import WindowSummary
from training.monitoring.summary import FirstNames, NumberSummary, Summary


class Checker:
    """Checks one window's features. The model's answers have no constraints to keep."""

    def __init__(self, baseline: Statistics, constraints: Constraints, kinds: Mapping[str, ColumnKind], thresholds: Thresholds) -> None:
        self._features = [feature for feature in baseline.features if feature.name in kinds]
        self._constraints = {feature.name: feature for feature in constraints.features}
        self._kinds = kinds
        self._rows = max(1, baseline.dataset.item_count)
        self._thresholds = thresholds
        self._z = NormalDist().inv_cdf(1 - thresholds.significance / max(1, len(self._features)))

    def check(self, window: WindowSummary) -> list[Violation]:
        """Everything that is wrong, in the order of the features; nothing when there are too few rows to say."""
        rows = window.tally.rows
        if rows < self._thresholds.minimum_rows:
            return []
        found: list[Violation] = []
        for feature in self._features:
            summary, constraint = window.columns[feature.name], self._constraints[feature.name]
            found += self._wrong_type(feature, constraint, summary)
            found += self._incomplete(feature, constraint, summary)
            found += self._outside(feature, constraint, summary)
            absent = window.absent[feature.name]
            if self._exceeds(absent, rows, 0, self._thresholds.wrong_columns):
                found.append(_violation(feature.name, CheckType.MISSING_COLUMN, f"{_percent(absent, rows)} of the rows lack this column"))
        for name in sorted(window.extra.counts):
            count = window.extra.counts[name]
            if self._exceeds(count, rows, 0, self._thresholds.wrong_columns):
                found.append(_violation(name, CheckType.EXTRA_COLUMN, f"{_percent(count, rows)} of the rows have this unknown column"))
        return found

    def _wrong_type(self, feature: FeatureStatistics, constraint: FeatureConstraints, summary: Summary) -> Iterator[Violation]:
        cells = summary.present + summary.missing + summary.invalid
        wrong = summary.invalid
        if isinstance(summary, NumberSummary) and constraint.inferred_type is InferredType.INTEGRAL:
            wrong += summary.fractional
        if self._exceeds(wrong, cells, 0, self._thresholds.wrong_type):
            yield _violation(feature.name, CheckType.DATA_TYPE, f"{_percent(wrong, cells)} of the cells are not {constraint.inferred_type}")

    def _incomplete(self, feature: FeatureStatistics, constraint: FeatureConstraints, summary: Summary) -> Iterator[Violation]:
        cells = summary.present + summary.missing
        if self._exceeds(summary.missing, cells, 1 - constraint.completeness, self._thresholds.completeness):
            yield _violation(
                feature.name,
                CheckType.COMPLETENESS,
                f"{_percent(summary.missing, cells)} of the cells are empty, in the baseline {1 - constraint.completeness:.1%}",
            )

    def _outside(self, feature: FeatureStatistics, constraint: FeatureConstraints, summary: Summary) -> Iterator[Violation]:
        if isinstance(summary, NumberSummary):
            numbers = feature.numerical_statistics
            if numbers is None or not numbers.common.num_present or self._kinds[feature.name] is ColumnKind.DATETIME:
                return
            expected = min(1.0, 2 / (numbers.common.num_present + 1))
            if self._exceeds(summary.outside, summary.present, expected, self._thresholds.outside):
                yield _violation(
                    feature.name,
                    CheckType.RANGE,
                    f"{_percent(summary.outside, summary.present)} of the numbers are not between {numbers.min:g} and {numbers.max:g}; "
                    f"they go from {summary.minimum:g} to {summary.maximum:g}",
                )
        elif constraint.string_constraints is not None and constraint.string_constraints.domains:
            unknown = summary.unknown.total
            if self._exceeds(unknown, summary.present, _unseen(feature), self._thresholds.outside):
                yield _violation(
                    feature.name,
                    CheckType.CATEGORICAL_VALUES,
                    f"{_percent(unknown, summary.present)} of the values are unknown: {_some(summary.unknown)}",
                )

    def _exceeds(self, part: int, whole: int, expected: float, tolerance: float) -> bool:
        if not whole:
            return False
        error = self._z * sqrt(expected * (1 - expected) * (1 / whole + 1 / self._rows))
        return part / whole > expected + max(tolerance, error)


def check_labels(target: str, window: WindowSummary, thresholds: Thresholds) -> list[Violation]:
    """Labels of classes that the model does not know: it was trained on none of them, so they are all wrong; nothing of too few labels."""
    labels, unknown = window.tally.labels, window.unknown_labels
    if labels < thresholds.minimum_labels or unknown.total <= thresholds.outside * labels:
        return []
    what = f"{_percent(unknown.total, labels)} of the labels are of classes that the model does not know: {_some(unknown)}"
    return [_violation(target, CheckType.CATEGORICAL_VALUES, what)]


def _unseen(feature: FeatureStatistics) -> float:
    texts = feature.string_statistics
    if texts is None or not texts.common.num_present:
        return 0.0
    return sum(1 for category in texts.distribution.categorical.buckets if category.count == 1) / texts.common.num_present


def _some(unknown: FirstNames) -> str:
    names = sorted(unknown.counts, key=lambda name: (-unknown.counts[name], name))
    shown = ", ".join(repr(name[:40]) for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}"


def _violation(name: str, check: CheckType, description: str) -> Violation:
    return Violation(feature_name=name, constraint_check_type=check, description=description)
