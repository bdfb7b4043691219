"""train, end to end on small tables: the model's folder, its honesty, its reproducibility."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.baseline import Constraints, InferredType, Statistics
from contracts.evaluation import Problem
from contracts.layout import CONSTRAINTS, STATISTICS, TRAIN_CHANNEL
from contracts.signature import SIGNATURE, Signature
from tests.unit.training.tables import FEATURES, contract, prepared, table
from training.__main__ import main, settings
from training.artifact import JUDGED_FILE, MODEL_FILE, artifact_digest
from training.candidates import Family, propose
from training.paths import Paths
from training.record import TrainingRecord
from training.schema import Schema
from training.stored import load_pipeline

Model = Callable[[str], Paths]


@pytest.mark.parametrize(
    ("problem", "classes", "answers"),
    [
        ("binary", ("no", "yes"), ["prediction", "probability"]),
        ("multiclass", ("high", "low", "middle"), ["prediction"]),
        ("regression", (), ["prediction"]),
    ],
)
def test_the_models_folder_says_what_it_is(model: Model, problem: str, classes: tuple[str, ...], answers: list[str]) -> None:
    paths = model(problem)
    signature = Signature.model_validate_json((paths.model / SIGNATURE).read_bytes())
    assert (signature.problem, signature.classes, signature.features) == (problem, classes, FEATURES)
    record = TrainingRecord.read(paths.model)
    schema = Schema.read(paths.training_input(TRAIN_CHANNEL))
    assert (record.dataset_version, record.rows, record.seed, record.folds) == (schema.dataset_version, schema.train_rows, 7, 2)
    assert len(record.trials) == 2
    assert record.chosen.score == (min if problem == "regression" else max)(trial.score for trial in record.trials)
    assert all(len(trial.scores) == 2 for trial in record.trials)
    statistics = Statistics.model_validate_json((paths.model / STATISTICS).read_bytes())
    constraints = Constraints.model_validate_json((paths.model / CONSTRAINTS).read_bytes())
    assert [feature.name for feature in statistics.features] == [*FEATURES, *answers]
    assert [feature.name for feature in constraints.features] == [*FEATURES, *answers]
    assert statistics.dataset.item_count == schema.train_rows + schema.holdout_rows
    assert record.refit is not None
    assert (record.refit.held_out, record.refit.half_life, record.refit.tried) == (schema.holdout_rows, None, ())
    live, judged = (load_pipeline(paths.model / name) for name in (MODEL_FILE, JUDGED_FILE))
    rows = [each["encode"].named_transformers_["numbers"]["scale"].n_samples_seen_ for each in (live, judged)]
    assert rows == [schema.train_rows + schema.holdout_rows, schema.train_rows]
    assert {feature.inferred_type for feature in statistics.features[:2]} == {InferredType.FRACTIONAL, InferredType.STRING}


def run(paths: Paths, *arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """The real entry point, in a process of its own."""
    environment = {"ML_ROOT": str(paths.root), "PATH": os.defpath, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "training", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_same_input_gives_the_same_bytes_in_another_process(model: Model, tmp_path: Path) -> None:
    trained_once = model("binary")
    digests = set()
    for hash_seed in ("1", "2"):
        paths = Paths(tmp_path / hash_seed)
        shutil.copytree(trained_once.root / "input", paths.root / "input")
        done = run(paths, "train", hash_seed=hash_seed)
        assert done.returncode == 0, done.stderr
        digests.add(artifact_digest(paths.model))
    assert len(digests) == 1


def test_another_seed_is_another_search(model: Model) -> None:
    paths = model("regression")
    settings = json.loads(paths.hyperparameters.read_text())
    proposed = set()
    for seed in ("7", "8"):
        paths.hyperparameters.write_text(json.dumps(settings | {"seed": seed, "candidates": "5"}))
        assert main(["train"], paths) == 0
        *sound, drawn = TrainingRecord.read(paths.model).trials
        assert [trial.candidate.family for trial in sound] == [Family.BLEND, Family.LINEAR, Family.BOOSTING, Family.BOOSTING]
        proposed.add(drawn.candidate.model_dump_json())
    assert len(proposed) == 2


def test_a_longer_search_begins_with_the_shorter_one() -> None:
    for problem in Problem:
        assert propose(problem, 9, 3)[:6] == propose(problem, 6, 3)
    assert propose(Problem.BINARY, 6, 3) != propose(Problem.BINARY, 6, 4)


@pytest.mark.parametrize("features", [{"size": "numeric"}, {"colour": "categorical"}, {"sold at": "datetime"}, {"used": "boolean"}])
def test_one_feature_of_any_kind_is_enough(tmp_path: Path, features: dict[str, str]) -> None:
    paths = prepared(tmp_path, table("binary"), contract("binary", features=features))
    assert main(["train"], paths) == 0


def test_a_feature_without_a_single_value_does_no_harm(tmp_path: Path) -> None:
    lines = table("regression").splitlines()
    text = "\n".join([lines[0] + ",empty,blank", *(line + ",," for line in lines[1:])])
    data = contract("regression", features=FEATURES | {"empty": "numeric", "blank": "categorical"})
    assert main(["train"], prepared(tmp_path, text, data)) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"seed": "x"}, "seed"), ({"folds": "1"}, "folds"), ({"colour": "red"}, "colour"), ({"metric": "beauty"}, "metric")],
)
def test_wrong_hyperparameters_are_named_in_the_failure_file(model: Model, settings: dict[str, str], message: str) -> None:
    paths = model("binary")
    paths.hyperparameters.write_text(json.dumps(json.loads(paths.hyperparameters.read_text()) | settings))
    assert main(["train"], paths) == 1
    assert message in paths.failure.read_text()


def test_a_failure_is_told_in_a_kilobyte_and_in_full_on_stderr(tmp_path: Path) -> None:
    done = run(Paths(tmp_path), "train")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "hyperparameters.json" in (tmp_path / "output" / "failure").read_text()


def test_an_unknown_verb_is_refused(tmp_path: Path) -> None:
    done = run(Paths(tmp_path), "deploy")
    assert (done.returncode, done.stderr) == (
        2,
        "usage: python -m training {prepare,train,evaluate,monitor,collect,serve,verify,compare} [options]\n",
    )


def test_the_region_is_known_to_botocore_and_what_is_given_counts() -> None:
    assert settings({"AWS_REGION": "eu-west-1"})["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert settings({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-west-2"})["AWS_DEFAULT_REGION"] == "us-west-2"
    assert "AWS_DEFAULT_REGION" not in settings({})
    assert settings({"OMP_NUM_THREADS": "4"})["OMP_NUM_THREADS"] == "4"
