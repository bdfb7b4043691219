"""A verdict in words, and how the newest one is found."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli.output import Output
from cli.verdict import keep_report, newest_verdicts, show_verdict
from contracts.config import Monitoring, MonitoringBackend
from contracts.evaluation import Metric
from contracts.layout import by_hand_prefix, monitoring_prefix
from contracts.monitoring import (
    Counts,
    DriftVerdict,
    FeatureVerdict,
    MetricVerdict,
    MonitoringVerdict,
    QualityReport,
    QualityVerdict,
    Thresholds,
    Window,
)
from tests.unit.cli.conftest import Tide

START, END = datetime(2026, 11, 20, 9, tzinfo=UTC), datetime(2026, 11, 20, 10, tzinfo=UTC)


def _feature(name: str, distance: float, verdict: DriftVerdict) -> FeatureVerdict:
    return FeatureVerdict(name=name, verdict=verdict, rows=500, missing=0, invalid=0, distance=distance, threshold=0.1)


def _verdict(drifted: int, steady: int, **changes: Any) -> MonitoringVerdict:
    features = [_feature(f"moved_{number}", 0.9, DriftVerdict.DRIFT) for number in range(drifted)]
    verdict = MonitoringVerdict(
        window=Window(start=START, end=END),
        drift=DriftVerdict.DRIFT if drifted else DriftVerdict.NO_DRIFT,
        drifted=tuple(feature.name for feature in features),
        features=(*features, *(_feature(f"still_{number}", 0.01, DriftVerdict.NO_DRIFT) for number in range(steady))),
        predictions=(_feature("prediction", 0.02, DriftVerdict.NO_DRIFT),),
        quality=QualityReport(start=START, end=END, verdict=QualityVerdict.NOT_ENOUGH_DATA, labels=7),
        violations=0,
        counts=Counts(records=250, rows=500),
        thresholds=Thresholds(),
    )
    return verdict.model_copy(update=changes)


def _said(verdict: MonitoringVerdict, capsys: pytest.CaptureFixture[str]) -> str:
    show_verdict(Output(), verdict)
    return capsys.readouterr().out


def test_every_column_that_drifted_is_shown_and_some_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    said = _said(_verdict(12, 30), capsys)
    assert "drift in moved_0, moved_1, moved_2, moved_3, moved_4 and 7 more" in said
    assert "moved_11" in said
    assert "still_0" not in said
    assert "prediction" in said
    said = _said(_verdict(1, 30), capsys)
    assert "drift in moved_0" in said
    assert ("still_8" in said, "still_9" in said) == (True, False)


def test_a_distance_that_chance_explains_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    steady = (_feature("by_luck", 0.13, DriftVerdict.NO_DRIFT), _feature("still", 0.02, DriftVerdict.NO_DRIFT))
    said = _said(_verdict(0, 0, features=steady), capsys)
    lines = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    assert "no drift: by chance" in lines["by_luck"]
    assert "by chance" not in lines["still"]


def test_quality_says_what_it_is_compared_with_and_which_answers_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not enough data: 7 labels; at least 100 are needed" in _said(_verdict(0, 1), capsys)
    fell = QualityReport(
        start=datetime(2026, 11, 18, 9, tzinfo=UTC),
        end=datetime(2026, 11, 18, 10, tzinfo=UTC),
        verdict=QualityVerdict.FELL,
        labels=400,
        metrics=(MetricVerdict(metric=Metric.ACCURACY, value=0.71, error=0.02, holdout=0.93, fell=True),),
    )
    said = _said(_verdict(0, 1, quality=fell), capsys)
    assert "quality of 2026-11-18 09:00 to 2026-11-18 10:00 UTC: fell, by 400 labels" in said
    assert all(text in said for text in ("accuracy", "0.7100", "0.9300", "fell"))


def test_too_little_is_not_called_no_drift_and_what_was_left_out_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counts(records=3, rows=5, unreadable_lines=2, other_models=4)
    said = _said(_verdict(0, 1, drift=DriftVerdict.NOT_ENOUGH_DATA, counts=counts), capsys)
    assert "not enough data: at least 100 rows are needed" in said
    assert "no drift\n" not in said.split("column")[0]
    assert "2 unreadable lines, 4 answers of other models" in said


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What is read of an app: S3."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="artifacts")
        project = SimpleNamespace(config=SimpleNamespace(monitoring=Monitoring()))
        yield SimpleNamespace(s3=s3, artifacts_bucket="artifacts", prefix="shop-dev", project=project)


def test_the_newest_verdict_is_the_schedules_last_window(app: Any, tmp_path: Path) -> None:
    assert newest_verdicts(app) == []
    app.s3.put_object(Bucket="artifacts", Key=by_hand_prefix("job") + "verdict.json", Body=b"{}")
    assert newest_verdicts(app) == []
    for moment in (datetime(2025, 12, 31, 23, tzinfo=UTC), END, datetime(2026, 9, 30, 22, tzinfo=UTC), START):
        app.s3.put_object(Bucket="artifacts", Key=monitoring_prefix(moment) + "report.html", Body=str(moment).encode())
    (found,) = newest_verdicts(app)
    assert found == monitoring_prefix(END)
    report = keep_report(app, found, tmp_path)
    assert (report.name, report.read_text()) == ("2026-11-20-10.html", str(END))


def test_each_schedule_of_model_monitor_has_a_newest_verdict(app: Any) -> None:
    app.project.config.monitoring = Monitoring(backend=MonitoringBackend.MODEL_MONITOR)
    for place in ("shop-dev/shop-dev-data-quality", "shop-dev/shop-dev-model-quality", "shop-prod/shop-prod-data-quality"):
        for hour in ("2026/11/20/09", "2026/11/20/10"):
            app.s3.put_object(Bucket="artifacts", Key=f"monitoring/{place}/{hour}/verdict.json", Body=b"{}")
    kinds = ("data", "model")
    assert newest_verdicts(app) == [f"monitoring/shop-dev/shop-dev-{kind}-quality/2026/11/20/10/" for kind in kinds]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--now", "--window", "2026-11-20T10:00", "2026-11-20T11:00"], "name two windows"),
        (["--window", "2026-11-20T10:00", "2026-11-20T10:00"], "is empty"),
        (["--window", "yesterday", "today"], "'yesterday' is no time"),
    ],
)
def test_a_window_that_is_none_is_refused(tide: Tide, arguments: list[str], message: str) -> None:
    assert message in str(tide("monitor", *arguments).exception)
