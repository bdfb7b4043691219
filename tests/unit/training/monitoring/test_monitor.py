"""The job as SageMaker runs it: by environment variables, in a process, into files that other tools read."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from contracts.baseline import Statistics
from contracts.errors import StateError
from contracts.evaluation import Metric
from contracts.monitoring import CheckType, DriftVerdict, MonitoringVerdict, QualityVerdict, Violations
from tests.unit.training.monitoring import traffic
from training import monitor
from training.monitoring.job import MonitorJob
from training.paths import Paths

REPOSITORY = Path(__file__).parents[4]


def environment(folder: Path) -> dict[str, str]:
    """Of a job whose folders are below `folder`."""
    traffic.write_baseline(folder / "processing" / "baseline")
    return {
        "ML_ROOT": str(folder),
        "dataset_source": "/opt/ml/processing/input/captures",
        "dataset_format": '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}',
        "start_time": "2026-11-20T10:00:00Z",
        "end_time": "2026-11-20T12:00:00Z",
        "baseline_statistics": "/opt/ml/processing/baseline/statistics.json",
        "baseline_constraints": "/opt/ml/processing/baseline/constraints.json",
        "ground_truth_source": "/opt/ml/processing/input/truth",
        "output_path": "/opt/ml/processing/output/report",
        "publish_cloudwatch_metrics": "Enabled",
        "sagemaker_endpoint_name": "shop-dev",
        "sagemaker_monitoring_schedule_name": "shop-dev-hourly",
    }


def run(folder: Path, **changes: str) -> tuple[MonitoringVerdict, Violations]:
    """Run the job in this process, and read what it wrote."""
    job = MonitorJob.of(environment(folder) | changes, Paths(folder))
    monitor.run(job, 1, Paths(folder).cloudwatch)
    output = folder / "processing" / "output" / "report"
    Statistics.model_validate_json((output / "statistics.json").read_bytes())
    return (
        MonitoringVerdict.model_validate_json((output / "verdict.json").read_bytes()),
        Violations.model_validate_json((output / "constraint_violations.json").read_bytes()),
    )


def captures(folder: Path, count: int = 300, shift: float = 0.0, change: Callable[[int, traffic.Record], object] = lambda *_: None) -> None:
    """Requests of one row, and labels that agree with what the baseline's model would say nine times in ten."""
    lines, labels = [], []
    for number, row in enumerate(traffic.rows(count, 9, shift)):
        change(number, row)
        lines.append(traffic.line([row], number))
        said = json.loads(traffic.answer(1, number))["predictions"][0]["prediction"]
        labels.append(traffic.truth(f"inference-{number}", said if number % 10 else {"yes": "no", "no": "yes"}[said]))
    traffic.write(folder / "processing" / "input" / "captures", lines)
    traffic.write(folder / "processing" / "input" / "truth", labels)


def metrics(folder: Path) -> dict[str, dict[str, object]]:
    """What CloudWatch gets."""
    lines = (folder / "output" / "metrics" / "cloudwatch" / "metrics.jsonl").read_text().splitlines()
    return {line["MetricName"]: line for line in map(json.loads, lines)}


def test_a_window_like_the_baseline_raises_nothing(tmp_path: Path) -> None:
    captures(tmp_path)
    verdict, violations = run(tmp_path)
    assert (verdict.drift, verdict.quality.verdict, violations.violations) == (DriftVerdict.NO_DRIFT, QualityVerdict.HELD, ())
    assert (verdict.counts.rows, verdict.counts.labels, verdict.counts.files) == (300, 300, 1)
    found = metrics(tmp_path)
    assert found["drift"]["Value"] == 0
    assert found["quality_fell"]["Value"] == 0
    assert found["feature_baseline_drift_income"]["Timestamp"] == "2026-11-20T12:00:00Z"
    assert found["rows"]["Dimensions"] == [
        {"Name": "Endpoint", "Value": "shop-dev"},
        {"Name": "MonitoringSchedule", "Value": "shop-dev-hourly"},
    ]
    assert found["feature_data_age"]["StatisticValues"]["SampleCount"] == 300  # type: ignore[index]  # a statistic set


def test_a_shift_and_dirty_cells_are_found_each_by_its_check(tmp_path: Path) -> None:
    def spoil(number: int, row: traffic.Record) -> None:
        if number % 5 == 0:
            row["age"] = None
        if number % 6 == 0:
            row["city"] = "Atlantis"
        if number % 7 == 0:
            row["shoe"] = 42
        if number % 8 == 0:
            row["member"] = "perhaps"
        if number % 9 == 0:
            del row["since"]
        if number % 4 == 1:
            row["age"] = 50.5

    captures(tmp_path, shift=3.0, change=spoil)
    verdict, violations = run(tmp_path)
    assert verdict.drift is DriftVerdict.DRIFT
    assert {(found.feature_name, found.constraint_check_type) for found in violations.violations} >= {
        ("age", CheckType.COMPLETENESS),
        ("age", CheckType.DATA_TYPE),
        ("city", CheckType.CATEGORICAL_VALUES),
        ("shoe", CheckType.EXTRA_COLUMN),
        ("member", CheckType.DATA_TYPE),
        ("since", CheckType.MISSING_COLUMN),
        ("income", CheckType.RANGE),
        ("income", CheckType.BASELINE_DRIFT),
    }
    assert verdict.violations == len(violations.violations)
    assert verdict.features[0].name == "income"
    assert metrics(tmp_path)["drift"]["Value"] == 1


@pytest.mark.parametrize("analysis", ["", "MODEL_QUALITY"])
def test_labels_of_a_new_class_are_wrong_answers_and_a_violation_of_the_target(tmp_path: Path, analysis: str) -> None:
    captures(tmp_path)
    labels = tmp_path / "processing" / "input" / "truth"
    traffic.write(labels, [traffic.truth(f"inference-{number}", "perhaps") for number in range(0, 300, 2)], hour=11)
    verdict, violations = run(tmp_path, analysis_type=analysis)
    accuracy = next(metric.value for metric in verdict.quality.metrics if metric.metric is Metric.ACCURACY)
    assert (verdict.quality.verdict, verdict.quality.labels, accuracy) == (QualityVerdict.FELL, 300, 0.5)
    assert (verdict.counts.unknown_labels, verdict.counts.unreadable_labels) == (150, 0)
    told = {found.feature_name: found for found in violations.violations}[traffic.SIGNATURE.target]
    assert told.constraint_check_type is CheckType.CATEGORICAL_VALUES
    assert told.description == "50.0% of the labels are of classes that the model does not know: 'perhaps'"


@pytest.mark.parametrize("count", [0, 1, 99])
def test_too_few_rows_are_not_enough_data_and_no_metric_says_otherwise(tmp_path: Path, count: int) -> None:
    captures(tmp_path, count, shift=9.0)
    verdict, violations = run(tmp_path)
    assert (verdict.drift, verdict.quality.verdict) == (DriftVerdict.NOT_ENOUGH_DATA, QualityVerdict.NOT_ENOUGH_DATA)
    assert violations.violations == ()
    assert {"drift", "quality_fell"}.isdisjoint(metrics(tmp_path))
    assert metrics(tmp_path)["rows"]["Value"] == count


def test_the_report_is_one_page_that_trusts_nobody(tmp_path: Path) -> None:
    def attack(number: int, row: traffic.Record) -> None:
        if number % 3 == 0:
            row["city"] = "<script>alert(1)</script>"
            row["<img src=x>"] = 1

    captures(tmp_path, change=attack)
    run(tmp_path, sagemaker_endpoint_name="<b>shop</b>")
    page = (tmp_path / "processing" / "output" / "report" / "report.html").read_text()
    assert "Drift: the traffic has changed" in page
    assert not re.search(r"<script|<img|<b>shop|https?:|@import|url\(", page)
    assert page.count("<svg") == len(traffic.STATISTICS.features)


def test_the_job_runs_as_a_process_without_the_slow_libraries(tmp_path: Path) -> None:
    captures(tmp_path)
    names = "import sys, training.monitor; print([name for name in ('pandas', 'sklearn', 'scipy', 'boto3') if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", names], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
    command = [sys.executable, "-m", "training", "monitor"]
    subprocess.run(command, cwd=REPOSITORY, env=os.environ | environment(tmp_path), check=True, capture_output=True)
    assert (tmp_path / "processing" / "output" / "report" / "report.html").exists()
    failed = subprocess.run(command, cwd=REPOSITORY, env={**os.environ, "ML_ROOT": str(tmp_path)}, capture_output=True, check=False)
    assert failed.returncode == 1
    assert "baseline_statistics is not set" in (tmp_path / "output" / "message").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start_time": "yesterday"}, "start_time is 'yesterday'"),
        ({"start_time": "2026-11-20T12:00:00Z"}, "the window is empty"),
        ({"dataset_format": "csv"}, "dataset_format is not JSON"),
        ({"dataset_source": ""}, "dataset_source is not set"),
        ({"dataset_format": '{"csv": {}}'}, "only sagemakerCaptureJson"),
        ({"model_signature": "/opt/ml/nowhere.json"}, "nowhere.json cannot be read"),
        ({"baseline_statistics": "/opt/ml/processing/baseline/constraints.json"}, "is not what it should be"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(StateError, match=message):
        run(tmp_path, **changes)


def test_baseline_and_signature_must_be_of_one_model(tmp_path: Path) -> None:
    environment(tmp_path)
    other = traffic.SIGNATURE.model_copy(update={"features": {"height": traffic.KINDS["age"]}})
    (tmp_path / "other.json").write_text(other.model_dump_json())
    with pytest.raises(StateError, match="not of the same model: height"):
        run(tmp_path, model_signature=str(tmp_path / "other.json"))


def test_memory_does_not_grow_with_the_window(tmp_path: Path) -> None:
    """Eight times the hours, the same memory: a window of 32 MB against one of 4."""
    lines = [traffic.line([row], number) for number, row in enumerate(traffic.rows(500, 2))]
    padding = "x" * 3000
    lines = [text.replace('\\"model\\": {', f'\\"model\\": {{\\"padding\\": \\"{padding}\\", ') for text in lines]
    text = "".join(line + "\n" for line in lines)
    program = (
        "import os, resource, sys; from pathlib import Path; from training import monitor; from training.paths import Paths;"
        "monitor.main(Paths(Path(os.environ['ML_ROOT'])), ['--workers', '1']);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for hours in (2, 16):
        folder = tmp_path / str(hours)
        for hour in range(hours):
            place = folder / "processing" / "input" / "captures" / f"{hour:02d}"
            place.mkdir(parents=True)
            (place / "a.jsonl").write_text(text.replace("event-", f"{hour}-"))
        variables = os.environ | environment(folder) | {"ground_truth_source": ""}
        done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1024)
        assert f'"rows":{500 * hours}' in (folder / "processing/output/report/verdict.json").read_text().replace(" ", "")
    assert peaks[1] < peaks[0] + 8, peaks


def test_quality_is_judged_over_its_own_window_because_labels_come_late(tmp_path: Path) -> None:
    captures(tmp_path)  # of 10 o'clock, all labelled
    later = [traffic.line([row], 1000 + number, minute=125) for number, row in enumerate(traffic.rows(200, 3, 3.0))]
    traffic.write(tmp_path / "processing" / "input" / "captures", later, hour=12)
    windows = {"start_time": "2026-11-20T12:00:00Z", "end_time": "2026-11-20T14:00:00Z"}
    late = {"quality_start_time": "2026-11-20T10:00:00Z", "quality_end_time": "2026-11-20T12:00:00Z"}
    verdict, _ = run(tmp_path, **windows, **late)
    assert (verdict.drift, verdict.counts.rows, verdict.counts.predictions) == (DriftVerdict.DRIFT, 200, 200)
    assert (verdict.quality.verdict, verdict.quality.labels, verdict.counts.labels) == (QualityVerdict.HELD, 300, 300)
    assert (str(verdict.quality.start), str(verdict.quality.end)) == ("2026-11-20 10:00:00+00:00", "2026-11-20 12:00:00+00:00")
    verdict, _ = run(tmp_path, **windows)
    assert (verdict.drift, verdict.quality.verdict, verdict.quality.labels) == (DriftVerdict.DRIFT, QualityVerdict.NOT_ENOUGH_DATA, 0)


def test_windows_that_overlap_are_read_once_and_each_counts_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captures(tmp_path)  # of 10:00
    for number, minute in enumerate((70, 110, 130)):
        lines = [traffic.line([row], 1000 * number + 1000 + place, minute=minute) for place, row in enumerate(traffic.rows(100, number))]
        traffic.write(tmp_path / "processing" / "input" / "captures", lines, name=f"{number}.jsonl", hour=10 + minute // 60)
    labels = [traffic.truth(f"inference-{number}", "no") for number in (1000, 1001, 2000, 3000)]
    traffic.write(tmp_path / "processing" / "input" / "truth", labels, hour=13)
    fetched: list[tuple[str, str]] = []

    def copy(source: str, start: datetime, end: datetime | None, folder: Path) -> Path:
        fetched.append((f"{start:%H:%M}", f"{end:%H:%M}" if end else ""))
        return shutil.copytree(tmp_path / "processing" / "input" / source.removeprefix("s3://"), folder, dirs_exist_ok=True)

    monkeypatch.setattr(monitor, "fetch", copy)
    sources = {"dataset_source": "s3://captures", "ground_truth_source": "s3://truth"}
    window = {"start_time": "2026-11-20T11:00:00Z", "end_time": "2026-11-20T12:30:00Z"}
    judged = {"quality_start_time": "2026-11-20T10:00:00Z", "quality_end_time": "2026-11-20T12:00:00Z"}
    verdict, _ = run(tmp_path, **sources, **window, **judged)
    assert fetched == [("10:00", ""), ("10:00", "12:30")]
    assert (verdict.counts.records, verdict.counts.rows, verdict.counts.predictions, verdict.counts.outside_window) == (300, 300, 300, 0)
    assert (verdict.quality.labels, verdict.counts.files) == (303, 4)
    apart = {"start_time": "2026-11-20T12:05:00Z", "end_time": "2026-11-20T12:30:00Z"}
    verdict, _ = run(tmp_path, **sources, **apart, **judged)
    assert fetched[3:] == [("10:00", "12:00"), ("12:05", "12:30")]
    assert (verdict.counts.records, verdict.quality.labels) == (100, 303)


def test_what_another_model_answered_does_not_count_against_the_champion(tmp_path: Path) -> None:
    captures(tmp_path)  # these answers do not say which model they are from
    own, other = ({"artifact_sha256": digit * 64} for digit in "01")
    lines = []
    for number, row in enumerate(traffic.rows(200, 3)):
        said = json.dumps({"predictions": [{"prediction": "yes", "probability": 0.99}] * 2, "model": own if number < 20 else other})
        lines.append(traffic.line([row, row], 1000 + number, minute=70, output=said))
    traffic.write(tmp_path / "processing" / "input" / "captures", lines, hour=11)
    labels = [traffic.truth(f"inference-{1000 + number}-{row}", "no") for number in range(200) for row in (1, 2)]
    traffic.write(tmp_path / "processing" / "input" / "truth", labels, hour=12)
    verdict, _ = run(tmp_path)
    counts = verdict.counts
    assert (counts.rows, counts.predictions, counts.other_models, counts.labels) == (700, 340, 360, 340)
    assert (counts.unreadable_answers, verdict.quality.labels) == (0, 340)
    assert "predictions of another model" in (tmp_path / "processing" / "output" / "report" / "report.html").read_text()
