"""Metrics that CloudWatch takes, whatever the columns are called: it refuses a whole call for one that it does not."""

import json

import numpy as np

from contracts.columns import ColumnKind
from contracts.evaluation import Problem
from contracts.monitoring import Counts as Read
from contracts.monitoring import DriftVerdict, FeatureVerdict, MonitoringVerdict, QualityReport, QualityVerdict, Thresholds, Window
from tests.unit.training.monitoring import traffic
from training.baseline import describe
from training.monitoring.outputs import metric_lines
from training.monitoring.quality import quality_of
from training.monitoring.scan import WindowSummary
from training.monitoring.summary import NumberSummary, summary_of

NAME = "größe"


def test_names_are_ascii() -> None:
    (feature,) = describe({NAME: ColumnKind.NUMERIC}, {NAME: np.array([1.0, 2.0, 3.0])}).features
    summary = summary_of(feature)
    assert isinstance(summary, NumberSummary)
    summary.add(np.array([1.0, 2.0]))
    judged = FeatureVerdict(name=NAME, verdict=DriftVerdict.NO_DRIFT, rows=2, missing=0, invalid=0, distance=0.0, threshold=0.1)
    verdict = MonitoringVerdict(
        window=Window(start=traffic.START, end=traffic.END, endpoint="shop-dev"),
        drift=DriftVerdict.NO_DRIFT,
        features=(judged,),
        predictions=(),
        quality=QualityReport(verdict=QualityVerdict.NOT_ENOUGH_DATA, labels=0),
        violations=0,
        counts=Read(rows=2),
        thresholds=Thresholds(),
    )
    lines = metric_lines(verdict, WindowSummary({NAME: summary}, quality_of(Problem.REGRESSION, 0, 0.0)))
    names = [json.loads(line)["MetricName"] for line in lines.splitlines()]
    assert {f"feature_{what}_gr\\xf6\\xdfe" for what in ("baseline_drift", "non_null", "data")} <= set(names)
    assert all(name.isascii() for name in names)
