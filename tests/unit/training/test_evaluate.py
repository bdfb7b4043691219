"""evaluate: honest scores, a champion on the same rows, and a gate that decides."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from contracts.config import Data
from contracts.errors import DataError
from contracts.evaluation import METRICS, Evaluation, GateRules, Metric, Outcome, Problem, Verdict
from contracts.layout import (
    CHAMPION,
    CHAMPION_CHANNEL,
    CONSTRAINTS,
    EVALUATION,
    EVALUATION_CHANNEL,
    OUTCOME,
    STATISTICS,
)
from contracts.signature import Signature
from tests.unit.training.tables import ARN, FEATURES, METRIC, contract, enthrone, table, trained
from training.__main__ import main
from training.artifact import artifact_digest
from training.judging import in_order_of, without_features
from training.paths import Paths
from training.record import Prior
from training.scoring import Predictions, measure

Model = Callable[[str], Paths]


def evaluate(paths: Paths, problem: str, rules: GateRules | None = None, status: int = 0) -> Path:
    gate = (rules or GateRules()).model_dump_json()
    found = main(["evaluate", "--metric", METRIC[problem], "--gate", gate], paths)
    assert found == status, paths.message.read_text()
    return paths.processing_output(EVALUATION_CHANNEL)


def report_of(folder: Path) -> Evaluation:
    return Evaluation.model_validate_json((folder / EVALUATION).read_bytes())


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_the_report_the_outcome_and_the_baseline_are_written(model: Model, problem: str) -> None:
    paths = model(problem)
    folder = evaluate(paths, problem)
    report = report_of(folder)
    assert set(report.metrics) == set(report.baseline) == set(METRICS[Problem(problem)])
    assert report.metric.gain(report.score, report.baseline[report.metric]) > 0
    assert (report.champion, report.gate.passed) == (None, True)
    assert report.notes == (f"scored before it was fitted again, in the same way, on the {report.rows} held out rows too",)
    assert report.artifact_sha256 == artifact_digest(paths.model)
    outcome = Outcome.model_validate_json((folder / OUTCOME).read_bytes())
    assert (outcome.gate, outcome.reasons, outcome.artifact_sha256) == (Verdict.PASSED, "", report.artifact_sha256)
    assert float(outcome.score) == report.score
    assert "scikit-learn=" in outcome.libraries
    assert len(outcome.libraries) <= 256  # what the registry's metadata can hold
    assert all(isinstance(value, str) for value in json.loads((folder / OUTCOME).read_text()).values())
    for name in (STATISTICS, CONSTRAINTS):
        assert (folder / name).read_bytes() == (paths.model / name).read_bytes()


def test_a_model_below_the_minimum_fails_the_gate_and_says_so(model: Model) -> None:
    folder = evaluate(model("binary"), "binary", GateRules(minimum=0.9999))
    outcome = Outcome.model_validate_json((folder / OUTCOME).read_bytes())
    assert outcome.gate is Verdict.FAILED
    assert "worse than the minimum of 0.9999" in outcome.reasons
    assert outcome.reasons == "; ".join(report_of(folder).gate.reasons)


def test_the_champion_is_scored_on_the_same_rows(model: Model) -> None:
    paths = model("binary")
    enthrone(paths, paths)
    report = report_of(evaluate(paths, "binary"))
    assert report.champion is not None
    assert (report.champion.model_package_arn, report.champion.metrics) == (ARN, report.metrics)


def test_a_much_better_champion_stops_the_challenger(model: Model, tmp_path: Path) -> None:
    """The challenger learned from labels that were turned around for half of the rows; the champion did not."""
    champion = model("regression")
    lines = table("regression").splitlines()
    spoiled = [",".join([*line.split(",")[:-2], "0.0", "seen"]) if number % 2 else line for number, line in enumerate(lines)]
    challenger = trained(tmp_path / "spoiled", "\n".join(spoiled), contract("regression"))
    shutil.copytree(champion.processing_input("holdout"), challenger.processing_input("holdout"), dirs_exist_ok=True)
    enthrone(challenger, champion)
    report = report_of(evaluate(challenger, "regression"))
    assert not report.gate.passed
    assert "worse than the champion's" in report.gate.reasons[0]


OTHER_COLUMN = table("multiclass").replace("size", "weight", 1)


@pytest.mark.parametrize(
    ("data", "text", "why"),
    [
        (contract("multiclass", features={"weight": "numeric"}), OTHER_COLUMN, "column 'weight' is missing"),
        (contract("multiclass"), table("multiclass").replace("middle", "medium"), "answers a multiclass problem of high, low, medium"),
        (contract("regression"), table("regression"), "answers a regression problem"),
    ],
    ids=["another feature", "another class", "another problem"],
)
def test_a_champion_that_cannot_be_compared_is_noted_and_the_challenger_judged_without_it(
    model: Model, tmp_path: Path, data: Data, text: str, why: str
) -> None:
    paths = model("multiclass")
    enthrone(paths, trained(tmp_path / "champion", text, data))
    report = report_of(evaluate(paths, "multiclass"))
    assert report.champion is None
    assert why in report.notes[0]
    assert ARN in report.notes[0]
    assert report.gate.passed


def test_a_champion_that_was_changed_stops_the_job(model: Model) -> None:
    paths = model("binary")
    enthrone(paths, paths, digest="0" * 64)
    evaluate(paths, "binary", status=1)
    assert "not the model that was registered" in paths.message.read_text()


def test_a_champion_without_its_digest_stops_the_job(model: Model) -> None:
    paths = model("binary")
    (paths.processing_input(CHAMPION_CHANNEL) / CHAMPION).write_text(json.dumps({"model_package_arn": ARN}))
    evaluate(paths, "binary", status=1)
    assert "cannot be verified" in paths.message.read_text()


def test_classes_in_another_order_are_the_same_classes() -> None:
    wanted = Signature(problem=Problem.BINARY, target="answer", positive="yes", features=FEATURES, classes=("no", "yes"))
    given = Signature(problem=Problem.BINARY, target="answer", positive="no", features=FEATURES, classes=("yes", "no"))
    said = in_order_of(wanted, given, Predictions.of_probabilities(np.array([[0.9, 0.1], [0.2, 0.8]])))
    assert said.values.tolist() == [1, 0]
    assert said.probabilities is not None
    assert said.probabilities.tolist() == [[0.1, 0.9], [0.8, 0.2]]


def test_a_class_that_is_new_since_the_champion_it_never_predicts() -> None:
    wanted = Signature(problem=Problem.MULTICLASS, target="answer", features=FEATURES, classes=("a", "b", "c"))
    given = Signature(problem=Problem.MULTICLASS, target="answer", features=FEATURES, classes=("c", "a"))
    said = in_order_of(wanted, given, Predictions.of_probabilities(np.array([[0.9, 0.1], [0.2, 0.8]])))
    assert said.probabilities is not None
    assert said.probabilities.tolist() == [[0.1, 0, 0.9], [0.8, 0, 0.2]]
    with pytest.raises(DataError):
        in_order_of(given, wanted, Predictions.of_probabilities(np.eye(3)))


def test_the_metrics_are_scikit_learns() -> None:
    truth = np.array([0, 1, 1, 0, 1, 0])
    chances = np.array([0.1, 0.8, 0.4, 0.6, 0.9, 0.2])
    found = measure(Problem.BINARY, truth, Predictions.of_probabilities(np.column_stack([1 - chances, chances])))
    assert found[Metric.ROC_AUC] == pytest.approx(metrics.roc_auc_score(truth, chances))
    assert found[Metric.LOG_LOSS] == pytest.approx(metrics.log_loss(truth, chances))
    assert found[Metric.ACCURACY] == pytest.approx(4 / 6)
    assert found[Metric.F1] == pytest.approx(4 / 6)


def test_the_baseline_knows_only_the_training_rows() -> None:
    assert without_features(Prior(mean=2.5), 3).values.tolist() == [2.5, 2.5, 2.5]
    said = without_features(Prior(class_rows=(1, 3)), 2)
    assert said.values.tolist() == [1, 1]
    assert said.probabilities is not None
    assert said.probabilities.tolist() == [[0.25, 0.75], [0.25, 0.75]]
