"""From a window's summary to its verdicts. Pure."""

from collections.abc import Mapping
from math import sqrt

import numpy as np

from contracts.baseline import PREDICTION, PROBABILITY, FeatureStatistics, Statistics
from contracts.columns import ColumnKind
from contracts.evaluation import CHANCE, Evaluation, Metric
from contracts.monitoring import DriftVerdict, FeatureVerdict, MetricVerdict, QualityReport, QualityVerdict, Thresholds
from training.monitoring.distance import Counts, compare
from training.monitoring.quality import Measured, Quality
from training.monitoring.summary import NumberSummary, Summary, TextSummary

ANSWERS = frozenset({PREDICTION, PROBABILITY})
RARE = 5
JUDGED = frozenset({Metric.ACCURACY, Metric.F1, Metric.RMSE})  # the others are reported


def histograms(feature: FeatureStatistics, summary: Summary) -> tuple[Counts, Counts]:
    """(baseline, window) counts over the same bins: below, the baseline's bins, above; or its categories and all others."""
    if isinstance(summary, NumberSummary):
        numbers = feature.numerical_statistics
        buckets = [bucket.count for bucket in numbers.distribution.kll.buckets] if numbers else []
        return np.array([0.0, *(buckets or [0.0]), 0.0]), summary.bins.astype(float)
    texts = feature.string_statistics
    known = {category.value: category.count for category in texts.distribution.categorical.buckets} if texts else {}
    baseline = np.array([*(known[name] for name in summary.known), 0.0], dtype=float)
    return baseline, np.array([*summary.known.values(), summary.unknown.total], dtype=float)


def _with_tail(baseline: Counts, window: Counts) -> tuple[Counts, Counts]:
    """Categories with what the baseline holds RARE times or never in one.

    Of a column with very many categories every window holds some that no baseline has seen, in place of others that it saw once; together
    they keep their share, and one by one they do not (Good and Turing).
    """
    rare = baseline <= RARE
    return np.append(baseline[~rare], baseline[rare].sum()), np.append(window[~rare], window[rare].sum())


def _comparable(kind: ColumnKind | None, summary: Summary, baseline: Counts) -> bool:
    """Whether values can be compared: those of a datetime move by nature, and of categories that are all rare none need come again."""
    common = isinstance(summary, NumberSummary) or bool((baseline > RARE).any())
    return kind is not ColumnKind.DATETIME and common and bool(baseline.any())


def _bins(feature: FeatureStatistics, summary: Summary, kind: ColumnKind | None, values: bool) -> tuple[Counts, Counts]:
    """(baseline, window) counts over what is compared, of the `values` or only that there is one; empty cells have the last bin.

    The model's answers, which have no kind, have no empty cells: a part that a reply leaves out tells nothing.
    """
    baseline, window = histograms(feature, summary)
    if not values:
        baseline, window = baseline.sum(keepdims=True), window.sum(keepdims=True)
    elif isinstance(summary, TextSummary):
        baseline, window = _with_tail(baseline, window)
    described = feature.numerical_statistics or feature.string_statistics
    if kind is None or described is None:
        return baseline, window
    return np.append(baseline, described.common.num_missing), np.append(window, summary.missing)


def judge_feature(
    feature: FeatureStatistics, summary: Summary, kind: ColumnKind | None, thresholds: Thresholds, family: int
) -> FeatureVerdict:
    """One column. `family`: how many columns are judged together, which share the chance of a false alarm.

    A column whose values cannot be compared drifts when it is filled more or less often, and else is not compared.
    """
    known, _ = histograms(feature, summary)
    values = _comparable(kind, summary, known)
    baseline, window = _bins(feature, summary, kind, values)
    distance = chance = None
    verdict = DriftVerdict.NOT_ENOUGH_DATA if values else DriftVerdict.NOT_COMPARED
    if known.any() and window.sum() >= thresholds.minimum_rows:
        found = compare(baseline, window)
        different = found.distance > thresholds.distance and found.chance < thresholds.significance / family
        if values or different:
            distance, chance = found
            verdict = DriftVerdict.DRIFT if different else DriftVerdict.NO_DRIFT
    return FeatureVerdict(
        name=feature.name,
        verdict=verdict,
        rows=summary.present,
        missing=summary.missing,
        invalid=summary.invalid,
        distance=distance,
        chance=chance,
        threshold=thresholds.distance,
    )


def judge_features(
    baseline: Statistics, columns: Mapping[str, Summary], kinds: Mapping[str, ColumnKind], thresholds: Thresholds
) -> list[FeatureVerdict]:
    """Every column, the model's answers among them; the furthest first."""
    verdicts = [
        judge_feature(feature, columns[feature.name], kinds.get(feature.name), thresholds, len(baseline.features))
        for feature in baseline.features
    ]
    return sorted(verdicts, key=lambda verdict: (verdict.verdict is not DriftVerdict.DRIFT, -(verdict.distance or 0), verdict.name))


def judge_window(verdicts: list[FeatureVerdict], rows: int, thresholds: Thresholds) -> DriftVerdict:
    """Drift when the answers drift, or enough features do; nothing without enough rows."""
    judged = [verdict for verdict in verdicts if verdict.verdict in {DriftVerdict.DRIFT, DriftVerdict.NO_DRIFT}]
    if rows < thresholds.minimum_rows or not judged:
        return DriftVerdict.NOT_ENOUGH_DATA
    drifted = [verdict.name for verdict in judged if verdict.verdict is DriftVerdict.DRIFT]
    features = [verdict.name for verdict in verdicts if verdict.name not in ANSWERS]
    moved = len([name for name in drifted if name not in ANSWERS])
    if ANSWERS & set(drifted) or (moved and moved >= thresholds.drifted_share * len(features)):
        return DriftVerdict.DRIFT
    return DriftVerdict.NO_DRIFT


def judge_quality(quality: Quality, holdout: Evaluation | None, thresholds: Thresholds) -> QualityReport:
    """Every metric that the labels allow, and whether one of JUDGED fell below the holdout's. Without a holdout nothing is judged."""
    found = quality.metrics()
    enough = quality.labels >= thresholds.minimum_labels
    judged = holdout if enough else None
    metrics = tuple(_judge_metric(metric, value, quality.labels, judged, thresholds) for metric, value in found.items())
    if not enough or not any(metric.fell is not None for metric in metrics):
        verdict = QualityVerdict.NOT_ENOUGH_DATA
    else:
        verdict = QualityVerdict.FELL if any(metric.fell for metric in metrics) else QualityVerdict.HELD
    return QualityReport(verdict=verdict, labels=quality.labels, metrics=metrics)


def _judge_metric(metric: Metric, found: Measured, labels: int, holdout: Evaluation | None, thresholds: Thresholds) -> MetricVerdict:
    before = holdout.metrics.get(metric) if holdout else None
    fell = None
    if holdout is not None and before is not None and metric in JUDGED:
        # The holdout's own error: this window's, were it of the holdout's size.
        error = found.error * sqrt(1 + labels / holdout.rows)
        fell = metric.gain(found.value, before) < -max(thresholds.quality_tolerance * abs(before), CHANCE * error)
    return MetricVerdict(metric=metric, value=found.value, error=found.error, holdout=before, fell=fell)
