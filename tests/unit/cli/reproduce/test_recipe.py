"""What a model package tells of how its model was made."""

from collections.abc import Mapping
from typing import Any

import pytest

from cli.reproduce.recipe import Recipe, recipe
from cli.reproduce.workshop import check_libraries
from contracts.config import Data
from contracts.errors import StateError
from contracts.manifest import DataFile, Manifest
from contracts.metadata import ModelMetadata

FILE = DataFile(bucket="b", key="uploads/tides/t.csv", version_id="v", size=1, sha256="a" * 64, rows=1)
DATA = {"dataset": "tides", "target": "y", "problem": "regression", "features": {"x": "numeric", "who": "categorical"}}
MADE = {
    "DatasetVersion": "0123456789abcdef",
    "Run": "run-1",
    "GitCommit": "c" * 40,
    "Image": "i",
    "Seed": "5",
    "Libraries": "python=3.11.4 numpy=2.0.1",
    "ArtifactSha256": "d" * 64,
    "Metric": "rmse",
    "Score": "0.5",
    "Dataset": "tides",
    "PrepareArguments": "--seed 5 --holdout 0.2 --folds 3",
    "Hyperparameters": "seed=5 folds=3 candidates=8 metric=rmse",
}


def told(data: Mapping[str, Any] = DATA, /, **changes: str) -> Recipe:
    manifest = Manifest(dataset="tides", files=(FILE,), columns=(), contract=Data.model_validate(data))
    return recipe(ModelMetadata.from_properties(MADE | changes), 2, manifest.to_json().encode(), "s3://b/model.tar.gz", "tides-dev")


def test_the_package_tells_what_the_jobs_were_told() -> None:
    found = told()
    assert found.prepare == ("--dataset-version", "0123456789abcdef", "--seed", "5", "--holdout", "0.2", "--folds", "3")
    assert found.hyperparameters == {"seed": "5", "folds": "3", "candidates": "8", "metric": "rmse"}
    assert (found.commit, found.is_committed, found.sha256, found.environment) == ("c" * 40, True, "d" * 64, {})


def test_hashed_columns_need_the_project_s_key() -> None:
    assert list(told(DATA | {"privacy": {"hash": ["who"]}}).environment.values()) == ["tides-dev-hash-key"]


def test_code_that_was_never_committed_is_told_apart() -> None:
    found = told(GitCommit="c" * 40 + "-dirty")
    assert (found.commit, found.is_committed) == ("c" * 40, False)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"Seed": "6"}, "its metadata tell the seeds 5, 6. Next:"),
        ({"PrepareArguments": "--seed 7 --holdout 0.2"}, "its metadata tell the seeds 5, 7. Next:"),
        ({"PrepareArguments": "--holdout 0.2"}, "its metadata tell the seeds 5, none. Next:"),
        ({"GitCommit": "unknown"}, "outside git, so nobody has it. Next:"),
    ],
)
def test_a_package_that_contradicts_itself_is_not_made_again(changes: dict[str, str], why: str) -> None:
    with pytest.raises(StateError, match=why):
        told(**changes)


@pytest.mark.parametrize(
    ("name", "told_instead"),
    [
        ("GitCommit", "--output=/home/ann/.profile"),
        ("GitCommit", "HEAD"),
        ("GitCommit", "c" * 41),
        ("GitCommit", "c" * 40 + "\n"),
        ("DatasetVersion", "--folds=3"),
        ("PrepareArguments", "--seed 5 --holdout=0.2"),
        ("Libraries", "python=/tmp/python numpy=2.0.1"),
        ("Libraries", "numpy=2.0.1"),
        ("Libraries", "python numpy"),
        ("Hyperparameters", "seed"),
        ("ArtifactSha256", "--archive=/tmp/other"),
    ],
)
def test_what_would_mean_something_else_in_a_command_line_is_refused(name: str, told_instead: str) -> None:
    with pytest.raises(StateError, match=r"version 2 was changed: its metadata tell .*, which is not .*Next: reproduce another version"):
        told(**{name: told_instead})


@pytest.mark.parametrize("commit", ["c" * 7, "c" * 64, "0123456789abcdef-dirty"])
def test_a_commit_may_be_abbreviated_or_of_sha_256(commit: str) -> None:
    assert told(GitCommit=commit).commit == commit.removesuffix("-dirty")


def test_an_environment_with_other_libraries_is_not_the_model_s() -> None:
    check_libraries(told(), {"python": "3.11.4", "numpy": "2.0.1"})
    with pytest.raises(StateError, match=r"give numpy 2\.1\.0 in place of 2\.0\.1, so .* Next:"):
        check_libraries(told(), {"python": "3.11.4", "numpy": "2.1.0"})
