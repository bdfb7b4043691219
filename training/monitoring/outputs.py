"""What a window leaves besides its verdict: statistics.json and metrics for CloudWatch. Pure.

Metrics: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-cloudwatch.html, one JSON object a line. Their time is the
window's end, their dimensions are Endpoint and MonitoringSchedule.
"""

import json
from collections.abc import Iterator
from math import sqrt

from contracts.baseline import (
    Bucket,
    Buckets,
    Categories,
    Category,
    Counts,
    DatasetStatistics,
    FeatureStatistics,
    InferredType,
    NumericDistribution,
    NumericStatistics,
    Statistics,
    StringDistribution,
    StringStatistics,
)
from contracts.monitoring import (
    DRIFT_ALARM,
    DRIFTED,
    FEATURE_DATA,
    FEATURE_DRIFT,
    FEATURE_PRESENT,
    LONGEST_METRIC_NAME,
    QUALITY,
    QUALITY_ALARM,
    ROWS,
    UNREADABLE,
    VIOLATED,
    DriftVerdict,
    MonitoringVerdict,
    QualityVerdict,
)
from training.monitoring.scan import WindowSummary
from training.monitoring.summary import NumberSummary, Summary, TextSummary


def describe(window: WindowSummary) -> Statistics:
    """statistics.json of the window, over the baseline's bins and one more on either side where numbers lie beyond them."""
    features = tuple(_feature(name, summary) for name, summary in window.columns.items())
    return Statistics(dataset=DatasetStatistics(item_count=window.tally.rows), features=features)


def _feature(name: str, summary: Summary) -> FeatureStatistics:
    common = Counts(num_present=summary.present, num_missing=summary.missing + summary.invalid)
    if isinstance(summary, NumberSummary):
        whole = summary.present > 0 and not summary.fractional
        return FeatureStatistics(
            name=name,
            inferred_type=InferredType.INTEGRAL if whole else InferredType.FRACTIONAL,
            numerical_statistics=_numbers(common, summary),
        )
    counts = {text: count for text, count in summary.known.items() if count} | summary.unknown.counts
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return FeatureStatistics(
        name=name,
        inferred_type=InferredType.STRING,
        string_statistics=StringStatistics(
            common=common,
            distinct_count=len(counts),
            distribution=StringDistribution(
                categorical=Categories(buckets=tuple(Category(value=text, count=count) for text, count in ordered))
            ),
        ),
    )


def _numbers(common: Counts, summary: NumberSummary) -> NumericStatistics:
    count = max(1, common.num_present)
    moved = summary.total / count
    mean = summary.center + moved if common.num_present else 0.0
    return NumericStatistics(
        common=common,
        mean=mean,
        sum=mean * common.num_present,
        std_dev=sqrt(max(0.0, summary.squares / count - moved * moved)),
        min=summary.minimum if common.num_present else 0.0,
        max=summary.maximum if common.num_present else 0.0,
        distribution=NumericDistribution(kll=Buckets(buckets=tuple(_buckets(summary)))),
    )


def _buckets(summary: NumberSummary) -> Iterator[Bucket]:
    uppers = [*summary.lowers[1:].tolist(), summary.last]
    if summary.bins[0]:
        yield Bucket(lower_bound=summary.minimum, upper_bound=float(summary.lowers[0]), count=int(summary.bins[0]))
    for low, high, count in zip(summary.lowers.tolist(), uppers, summary.bins[1:-1].tolist(), strict=True):
        yield Bucket(lower_bound=low, upper_bound=high, count=count)
    if summary.bins[-1]:
        yield Bucket(lower_bound=summary.last, upper_bound=summary.maximum, count=int(summary.bins[-1]))


def metric_lines(verdict: MonitoringVerdict, window: WindowSummary) -> str:
    """The metrics of a window as JSON Lines. What could not be judged is left out, so that an alarm sees missing data and not zero.

    CloudWatch refuses a whole call for one name that is not ASCII, so other characters are written as Python escapes them.
    """
    dimensions = [
        {"Name": name, "Value": value}
        for name, value in (("Endpoint", verdict.window.endpoint), ("MonitoringSchedule", verdict.window.schedule))
        if value
    ]
    time = verdict.window.end.strftime("%Y-%m-%dT%H:%M:%SZ")
    base = {"Timestamp": time, "Dimensions": dimensions}
    lines = [base | {"MetricName": _name(text)} | value for text, value in _metrics(verdict, window)]
    return "".join(json.dumps(line) + "\n" for line in lines)


def _name(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()[:LONGEST_METRIC_NAME]


def _metrics(verdict: MonitoringVerdict, window: WindowSummary) -> Iterator[tuple[str, dict[str, object]]]:
    counts = verdict.counts
    if verdict.drift is DriftVerdict.NOT_COMPARED:  # the rest is said by the job that looks at all captures
        yield from _quality_metrics(verdict)
        return
    yield ROWS, {"Value": counts.rows, "Unit": "Count"}
    yield UNREADABLE, {"Value": counts.unreadable_lines + counts.unreadable_requests + counts.unreadable_answers, "Unit": "Count"}
    yield VIOLATED, {"Value": verdict.violations, "Unit": "Count"}
    if verdict.drift is not DriftVerdict.NOT_ENOUGH_DATA:
        yield DRIFT_ALARM, {"Value": int(verdict.drift is DriftVerdict.DRIFT)}
        yield DRIFTED, {"Value": len(verdict.drifted), "Unit": "Count"}
    yield from _quality_metrics(verdict)
    for feature in (*verdict.features, *verdict.predictions):
        if feature.distance is not None:
            yield FEATURE_DRIFT + feature.name, {"Value": feature.distance}
        yield FEATURE_PRESENT + feature.name, {"Value": feature.rows, "Unit": "Count"}
        summary = window.columns[feature.name]
        if isinstance(summary, TextSummary) or not summary.present:
            continue
        total = summary.center * summary.present + summary.total
        values = {"SampleCount": summary.present, "Sum": total, "Minimum": summary.minimum, "Maximum": summary.maximum}
        yield FEATURE_DATA + feature.name, {"StatisticValues": values}


def _quality_metrics(verdict: MonitoringVerdict) -> Iterator[tuple[str, dict[str, object]]]:
    if verdict.quality.verdict is QualityVerdict.NOT_ENOUGH_DATA:
        return
    yield QUALITY_ALARM, {"Value": int(verdict.quality.verdict is QualityVerdict.FELL)}
    for metric in verdict.quality.metrics:
        yield QUALITY + metric.metric, {"Value": metric.value}
