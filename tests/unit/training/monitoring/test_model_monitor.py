"""The analyzer under Model Monitor: a baseline that the model package names, and windows of labelled predictions alone."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import StateError
from contracts.monitoring import CheckType, DriftVerdict, QualityVerdict
from tests.unit.training.monitoring import traffic
from tests.unit.training.monitoring.test_monitor import captures, environment, metrics, run
from training import monitor
from training.monitoring import champion
from training.monitoring.publish import put_metrics
from training.paths import Paths

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/shop-dev/3"


class Registry:
    """SageMaker and S3 at once: a package, and the files of its run's evaluation."""

    def __init__(self, folder: Path, uri: str = "s3://artifacts/runs/r1/evaluation/statistics.json") -> None:
        self._folder = folder
        self._baselines = {"ModelDataQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}} if uri else {}

    def describe_model_package(self, **request: str) -> dict[str, Any]:
        assert request == {"ModelPackageName": PACKAGE}
        return {"DriftCheckBaselines": self._baselines} if self._baselines else {}

    def get_object(self, **request: str) -> dict[str, Any]:
        assert request["Bucket"] == "artifacts"
        assert request["Key"].startswith("runs/r1/evaluation/")
        return {"Body": io.BytesIO((self._folder / request["Key"].rpartition("/")[2]).read_bytes())}


def merged(folder: Path, count: int, wrong: int, shift: float = 0.0) -> None:
    """Captures with their labels merged in, every `wrong`th of which disagrees with the prediction."""
    lines = []
    for number, row in enumerate(traffic.rows(count, 9, shift)):
        said = json.loads(traffic.answer(1, number))["predictions"][0]["prediction"]
        label = {"yes": "no", "no": "yes"}[said] if number % wrong == 0 else said
        line = json.loads(traffic.line([row], number))
        lines.append(json.dumps(line | {"groundTruthData": {"data": label, "encoding": "CSV"}}))
    traffic.write(folder / "processing" / "input" / "captures", lines)


def test_the_champions_baseline_is_where_its_package_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captures(tmp_path, shift=1.0)
    registry = Registry(traffic.write_baseline(tmp_path / "runs"))
    monkeypatch.setattr(champion, "make_client", lambda _: registry)
    by_hand, violations = run(tmp_path)
    given = environment(tmp_path) | {"model_package": PACKAGE}
    for name in ("baseline_statistics", "baseline_constraints"):
        del given[name]
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for name in ("baseline_statistics", "baseline_constraints"):
        monkeypatch.delenv(name, raising=False)
    monitor.main(Paths(tmp_path), [])
    output = tmp_path / "processing" / "output" / "report"
    assert json.loads((output / "verdict.json").read_text()) == json.loads(by_hand.model_dump_json())
    assert by_hand.drift is DriftVerdict.DRIFT
    said = (tmp_path / "output" / "message").read_text()
    assert said == f"CompletedWithViolations: Job completed successfully with {len(violations.violations)} violations."


def test_a_package_without_a_baseline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="names no baseline"):
        champion.fetch_baseline(PACKAGE, tmp_path, Registry(tmp_path, ""), Registry(tmp_path, ""))


def test_labelled_predictions_alone_say_nothing_about_drift(tmp_path: Path) -> None:
    merged(tmp_path, 300, wrong=2, shift=1.0)
    verdict, violations = run(tmp_path, analysis_type="MODEL_QUALITY", ground_truth_source="")
    assert (verdict.drift, verdict.features, verdict.drifted) == (DriftVerdict.NOT_COMPARED, (), ())
    assert (verdict.quality.verdict, verdict.quality.labels) == (QualityVerdict.FELL, 300)
    assert {found.constraint_check_type for found in violations.violations} == {CheckType.QUALITY}
    assert "says nothing about drift" in (tmp_path / "processing" / "output" / "report" / "report.html").read_text()
    found = metrics(tmp_path)
    assert found["quality_fell"]["Value"] == 1
    assert all(name.startswith("quality_") for name in found)


def test_too_few_labelled_predictions_give_no_metric(tmp_path: Path) -> None:
    merged(tmp_path, 30, wrong=2)
    verdict, _ = run(tmp_path, analysis_type="MODEL_QUALITY", ground_truth_source="")
    assert verdict.quality.verdict is QualityVerdict.NOT_ENOUGH_DATA
    assert metrics(tmp_path) == {}


def test_alarms_see_the_endpoint_alone(tmp_path: Path) -> None:
    captures(tmp_path)
    run(tmp_path)
    lines = (tmp_path / "output" / "metrics" / "cloudwatch" / "metrics.jsonl").read_text()
    put: list[dict[str, Any]] = []

    class CloudWatch:
        def put_metric_data(self, **request: Any) -> None:
            put.extend(request["MetricData"])

    put_metrics(lines, "Tidewheel", CloudWatch())
    assert len(put) == len(lines.splitlines())
    assert all(metric["Dimensions"] == [{"Name": "Endpoint", "Value": "shop-dev"}] for metric in put)
