"""A graph serves when it answers as scikit-learn does; else the pipeline does, and everybody can read why."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

from contracts.evaluation import Evaluation, Outcome, Problem
from contracts.layout import EVALUATION, EVALUATION_CHANNEL, HOLDOUT_CHANNEL, MODEL_ARCHIVE, MODEL_CHANNEL, OUTCOME
from contracts.runtime import TOLERANCE, RuntimeName
from contracts.signature import Signature
from tests.unit.training.tables import METRIC
from training.__main__ import main
from training.artifact import MODEL_FILE, artifact_digest, pack, unpack
from training.export import export
from training.export.check import check, compare
from training.judging import Holdout
from training.paths import Paths
from training.predictor import PipelinePredictor
from training.runtime import ENCODER, GRAPH_FILE, RUNTIME, read_runtime
from training.serving.media import JSON
from training.serving.model import load
from training.stored import load_pipeline

Model = Callable[[str], Paths]
RECORD = b'{"size": 1.5, "colour": "red", "used": true, "sold at": "2024-01-02T03:00"}'


def evaluated(paths: Paths, problem: str, folder: Path) -> tuple[Evaluation, Outcome, Path]:
    """Evaluate what is in the model's folder now; the reports, and the model as it is registered."""
    pack(paths.model, paths.processing_input(MODEL_CHANNEL) / MODEL_ARCHIVE)
    assert main(["evaluate", "--metric", METRIC[problem], "--gate", "{}"], paths) == 0, paths.message.read_text()
    output = paths.processing_output(EVALUATION_CHANNEL)
    unpack(output / MODEL_ARCHIVE, folder)
    report = Evaluation.model_validate_json((output / EVALUATION).read_bytes())
    return report, Outcome.model_validate_json((output / OUTCOME).read_bytes()), folder


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_a_graph_that_answers_alike_is_registered_and_served(model: Model, problem: str, tmp_path: Path) -> None:
    report, outcome, registered = evaluated(model(problem), problem, tmp_path / "registered")
    assert (report.runtime.name, report.runtime.changed_decisions, outcome.runtime) == (RuntimeName.ONNX, 0, "onnx")
    assert report.runtime.largest_difference is not None
    assert report.runtime.largest_difference <= TOLERANCE
    assert float(outcome.runtime_difference) == pytest.approx(report.runtime.largest_difference, rel=0.01)
    served = load(registered, report.artifact_sha256)
    assert (served.runtime, served.details["runtime"]) == ("onnx", "onnx")


def spoil_a_number(folder: Path) -> None:
    """One median is another one: rows without a size are answered otherwise."""
    encoding = json.loads((folder / ENCODER).read_text())
    encoding["numbers"]["size"][0]["fill"] += 1000.0
    (folder / ENCODER).write_text(json.dumps(encoding))


def break_the_graph(folder: Path) -> None:
    (folder / GRAPH_FILE).write_bytes(b"no graph")


@pytest.mark.parametrize(("spoil", "why"), [(spoil_a_number, "answers otherwise"), (break_the_graph, "does not answer: ArtifactError")])
def test_a_graph_that_answers_otherwise_is_taken_out_before_the_model_is_registered(
    model: Model, tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    paths = model("binary")
    spoil(paths.model)
    report, outcome, registered = evaluated(paths, "binary", tmp_path / "registered")
    assert why in report.runtime.why
    assert (report.gate.passed, outcome.runtime) == (True, "skops")
    assert not (registered / GRAPH_FILE).exists()
    assert report.artifact_sha256 == artifact_digest(registered)
    served = load(registered, report.artifact_sha256)
    assert served.runtime == "skops"
    assert why in served.details["why_skops"]
    assert json.loads(served.answer(JSON, JSON, RECORD))["model"].keys() == {"artifact_sha256", "dataset_version"}


def test_an_estimator_without_an_export_is_served_as_it_is_and_says_so(model: Model) -> None:
    folder = model("binary").model
    pipeline = load_pipeline(folder / MODEL_FILE)
    signature = PipelinePredictor.load(folder).signature
    export(Pipeline([("encode", pipeline["encode"]), ("estimate", RandomForestClassifier())]), signature, folder)
    assert read_runtime(folder).why == "RandomForestClassifier has no export"
    assert not (folder / GRAPH_FILE).exists()
    assert load(folder, artifact_digest(folder)).runtime == "skops"


def test_a_model_from_before_the_export_is_served_as_it_was(model: Model) -> None:
    folder = model("regression").model
    with_graph = load(folder, artifact_digest(folder)).answer(JSON, JSON, RECORD)
    for name in (RUNTIME, ENCODER, GRAPH_FILE):
        (folder / name).unlink()
    served = load(folder, artifact_digest(folder))
    assert "before models were exported" in served.details["why_skops"]
    mine, theirs = (json.loads(answer)["predictions"][0]["prediction"] for answer in (with_graph, served.answer(JSON, JSON, RECORD)))
    assert mine == pytest.approx(theirs, abs=TOLERANCE)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_the_same_pipeline_gives_the_same_bytes(model: Model, problem: str, tmp_path: Path) -> None:
    folder = model(problem).model
    signature = Signature.model_validate_json((folder / "signature.json").read_bytes())
    export(load_pipeline(folder / MODEL_FILE), signature, tmp_path)
    for name in (ENCODER, GRAPH_FILE, RUNTIME):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_the_check_reads_what_the_server_reads(model: Model, tmp_path: Path) -> None:
    """Not the pipeline twice: with the holdout's rows and another encoder it finds the difference."""
    paths = model("multiclass")
    folder = tmp_path / "copy"
    shutil.copytree(paths.model, folder)
    holdout = Holdout.read(paths.processing_input(HOLDOUT_CHANNEL), PipelinePredictor.load(folder).signature)
    assert check(folder, holdout).name is RuntimeName.ONNX
    spoil_a_number(folder)
    assert check(folder, holdout).name is RuntimeName.SKOPS


@pytest.mark.parametrize(
    ("problem", "expected", "found", "name", "changed"),
    [
        (Problem.BINARY, [[0.5]], [[0.5 + 1e-12]], RuntimeName.SKOPS, 1),
        (Problem.BINARY, [[0.7]], [[0.7 + 1e-12]], RuntimeName.ONNX, 0),
        (Problem.BINARY, [[0.7]], [[0.7 + 1e-8]], RuntimeName.SKOPS, 0),
        (Problem.BINARY, [[0.7]], [[np.nan]], RuntimeName.SKOPS, 1),
        (Problem.MULTICLASS, [[0.2, 0.4, 0.4]], [[0.2, 0.4 - 1e-12, 0.4]], RuntimeName.SKOPS, 1),
        (Problem.REGRESSION, [[1e12]], [[1e12 + 1]], RuntimeName.ONNX, 0),
        (Problem.REGRESSION, [[1.0]], [[1.0 + 1e-6]], RuntimeName.SKOPS, 0),
    ],
)
def test_no_decision_may_change_and_no_number_by_much(
    problem: Problem, expected: list[list[float]], found: list[list[float]], name: RuntimeName, changed: int
) -> None:
    result = compare(problem, np.array(expected), np.array(found))
    assert (result.name, result.changed_decisions) == (name, changed)
    assert bool(result.why) is (name is RuntimeName.SKOPS)


def test_the_server_imports_nothing_that_it_can_do_without(model: Model) -> None:
    folder = model("binary").model
    script = f"""
import sys
from pathlib import Path
from training.serving.model import load
load(Path({str(folder)!r}), {artifact_digest(folder)!r})
print(*sorted({{"pandas", "sklearn", "scipy", "skops", "pyarrow", "onnx", "boto3"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path.cwd(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
