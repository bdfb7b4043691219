"""A model beside one that was made again: what the grades mean."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.layout import HOLDOUT_CHANNEL
from contracts.reproduction import REPRODUCTION, Grade, Reproduction
from tests.unit.training.tables import contract, table, trained
from training.__main__ import main
from training.artifact import MODEL_FILE, pack, unpack
from training.compare import compare
from training.paths import Paths
from training.record import TrainingRecord

Model = Callable[[str], Paths]


def test_the_same_training_gives_the_same_bytes_and_grade_a(model: Model, tmp_path: Path) -> None:
    first, again = model("binary"), Paths(tmp_path / "again")
    for channel in ("input", "processing"):
        shutil.copytree(first.root / channel, again.root / channel)
    assert main(["train"], again) == 0
    archives = [tmp_path / f"{name}.tar.gz" for name in ("first", "again")]
    for paths, archive in zip((first, again), archives, strict=True):
        pack(paths.model, archive)
    output = tmp_path / "out"
    folders = ["--again", str(again.model), "--holdout", str(first.processing_output(HOLDOUT_CHANNEL)), "--output", str(output)]
    assert main(["compare", "--registered", str(archives[0]), *folders], Paths(tmp_path / "root")) == 0
    found = Reproduction.model_validate_json((output / REPRODUCTION).read_bytes())
    assert (found.grade, found.archive_is_the_same, found.files) == (Grade.A, True, ())
    for sha256, status in ((found.registered_sha256, 0), ("0" * 64, 1)):
        assert main(["verify", "--archive", str(archives[0]), "--sha256", sha256], Paths(tmp_path / "root")) == status


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_other_bytes_and_the_same_answers_are_grade_b(model: Model, tmp_path: Path, problem: str) -> None:
    first = model(problem)
    again = shutil.copytree(first.model, tmp_path / "again")
    record = TrainingRecord.read(again)
    record.model_copy(update={"libraries": record.libraries | {"numpy": "0.1"}}).write(again)
    found = compare(first.model, again, first.processing_output(HOLDOUT_CHANNEL), archive_is_the_same=False)
    assert (found.grade, found.changed_predictions, found.largest_difference) == (Grade.B, 0, 0.0)
    assert found.probe_rows > 0
    assert found.libraries == {"numpy": (record.libraries["numpy"], "0.1")}
    assert [file.name for file in found.files] == ["training.json"]


def test_another_model_is_different_and_says_where(model: Model, tmp_path: Path) -> None:
    first = model("binary")
    other = trained(tmp_path / "other", table("binary", seed=9), contract("binary"))
    found = compare(first.model, other.model, first.processing_output(HOLDOUT_CHANNEL), archive_is_the_same=False)
    assert found.grade is Grade.DIFFERENT
    assert found.largest_difference
    assert MODEL_FILE in [file.name for file in found.files]


def test_a_model_that_answers_another_question_is_different_and_says_so(model: Model) -> None:
    first, other = model("binary"), model("multiclass")
    found = compare(first.model, other.model, first.processing_output(HOLDOUT_CHANNEL), archive_is_the_same=False)
    assert found.grade is Grade.DIFFERENT
    assert "cannot be compared" in found.why


def test_an_archive_is_canonical(tmp_path: Path) -> None:
    digests = []
    for number, order in enumerate((("a", "b/c"), ("b/c", "a"))):
        folder = tmp_path / str(number)
        for name in order:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
        (folder / "a").chmod(0o600 if number else 0o644)
        pack(folder, tmp_path / f"archive{number}.tar.gz")
        digests.append(hashlib.sha256((tmp_path / f"archive{number}.tar.gz").read_bytes()).hexdigest())
    assert digests[0] == digests[1]
    unpack(tmp_path / "archive0.tar.gz", tmp_path / "out")
    assert (tmp_path / "out" / "b" / "c").read_text() == "b/c"
