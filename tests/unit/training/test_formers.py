"""A model that was live before goes live again when fresh rows show that it is the better one, and only then."""

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from moto import mock_aws

from contracts.evaluation import CHANCE, Evaluation, GateRules, Metric, Outcome, Verdict
from contracts.layout import (
    CHAMPION,
    CHAMPION_CHANNEL,
    EVALUATION,
    EVALUATION_CHANNEL,
    MODEL_ARCHIVE,
    MODEL_CHANNEL,
    OUTCOME,
    former_folder,
)
from contracts.runtime import RuntimeName
from tests.unit.training.tables import contract, enthrone, hand_over, prepare, stretch, table, trained, upload, upload_more
from training.__main__ import main
from training.artifact import artifact_digest, unpack
from training.paths import Paths
from training.record import TrainingRecord
from training.runtime import ENCODER, GRAPH_FILE, RUNTIME

pytestmark = pytest.mark.usefixtures("few_trees")
FORMER = "arn:aws:sagemaker:us-east-1:123456789012:model-package/demo/1"


def turned(text: str) -> str:
    """The same rows with yes for no, and no for yes."""
    swap = {"yes": "no", "no": "yes"}
    header, *lines = text.splitlines()
    return "\n".join([header, *(re.sub(",(yes|no),seen$", lambda found: f",{swap[found[1]]},seen", line) for line in lines)]) + "\n"


def remember(paths: Paths, former: Paths, digest: str | None = None) -> None:
    """Name a former champion of this run."""
    folder = paths.processing_input(CHAMPION_CHANNEL)
    place = folder / former_folder(1)
    place.mkdir()
    shutil.copyfile(former.processing_input(MODEL_CHANNEL) / MODEL_ARCHIVE, place / MODEL_ARCHIVE)
    named = json.loads((folder / CHAMPION).read_text())
    named["formers"] = [{"model_package_arn": FORMER, "artifact_sha256": digest or artifact_digest(former.model)}]
    (folder / CHAMPION).write_text(json.dumps(named))


def late(former: Paths, until: datetime) -> None:
    """Say of a former that it has learnt from traffic until then."""
    record = TrainingRecord.read(former.model).model_copy(update={"learnt_until": until})
    record.write(former.model)
    shutil.make_archive(str(former.processing_input(MODEL_CHANNEL) / "model"), "gztar", former.model)


@pytest.fixture
def run(tmp_path: Path) -> Paths:
    """A run on fresh rows in which the concept has turned over, while challenger and champion know nothing of that."""
    data, paths = contract("binary"), Paths(tmp_path / "run")
    with mock_aws():
        manifest = upload(table("binary").encode(), data, rows=160)
        behind = upload_more(turned(table("binary", seed=2)).replace("row-", "new-").encode(), "collected/r1/labelled.csv", rows=160)
        whole = manifest.model_copy(update={"files": (*manifest.files, behind), "parents": (manifest.version,), "fresh": stretch(160)})
        assert prepare(paths, whole) == 0, paths.message.read_text()
    hand_over(paths, data)
    same = trained(tmp_path / "same", table("binary"), data)
    shutil.copytree(same.processing_input(MODEL_CHANNEL), paths.processing_input(MODEL_CHANNEL))
    paths.processing_input(CHAMPION_CHANNEL).mkdir()
    enthrone(paths, same)
    return paths


@pytest.fixture
def former(tmp_path: Path) -> Paths:
    """A model of the turned concept."""
    return trained(tmp_path / "former", turned(table("binary", seed=3)), contract("binary"))


def evaluated(paths: Paths, status: int = 0) -> Evaluation:
    gate = GateRules().model_dump_json()
    assert main(["evaluate", "--metric", "roc_auc", "--gate", gate], paths) == status
    return Evaluation.model_validate_json((paths.processing_output(EVALUATION_CHANNEL) / EVALUATION).read_bytes())


def test_a_former_that_fits_again_is_what_is_registered(run: Paths, former: Paths, tmp_path: Path) -> None:
    remember(run, former)
    report = evaluated(run)
    assert report.former == FORMER
    assert report.gate.passed
    assert report.champion is not None
    assert report.score > report.champion.metrics[Metric.ROC_AUC] + CHANCE * report.champion.gain_errors[Metric.ROC_AUC]
    assert report.notes[0].startswith(f"{FORMER} was live before")
    output = run.processing_output(EVALUATION_CHANNEL)
    unpack(output / MODEL_ARCHIVE, tmp_path / "registered")
    assert artifact_digest(tmp_path / "registered") == artifact_digest(former.model) == report.artifact_sha256
    outcome = Outcome.model_validate_json((output / OUTCOME).read_bytes())
    assert (outcome.gate, outcome.artifact_sha256) == (Verdict.PASSED, report.artifact_sha256)


@pytest.mark.parametrize(("hours", "taken"), [(0, True), (1, False)])
def test_a_former_that_may_have_seen_the_holdout_is_not_asked(run: Paths, former: Paths, hours: int, taken: bool) -> None:
    late(former, datetime(2026, 11, 20, 10, tzinfo=UTC) + timedelta(hours=hours))
    remember(run, former)
    assert (evaluated(run).former is not None) is taken


def spoil(folder: Path) -> None:
    """Its encoder has another median."""
    encoding = json.loads((folder / ENCODER).read_text())
    encoding["numbers"]["size"][0]["fill"] += 1000.0
    (folder / ENCODER).write_text(json.dumps(encoding))


def age(folder: Path) -> None:
    """It was registered before models were exported."""
    for name in (RUNTIME, ENCODER, GRAPH_FILE):
        (folder / name).unlink()


@pytest.mark.parametrize(("change", "taken"), [(spoil, False), (age, True)])
def test_a_former_goes_live_as_it_was_or_not_at_all(run: Paths, former: Paths, change: Callable[[Path], None], taken: bool) -> None:
    change(former.model)
    shutil.make_archive(str(former.processing_input(MODEL_CHANNEL) / "model"), "gztar", former.model)
    remember(run, former)
    report = evaluated(run)
    assert (report.former is not None) is taken
    assert report.runtime.name is (RuntimeName.SKOPS if taken else RuntimeName.ONNX)


def test_a_former_that_is_no_better_stays_what_it_was(run: Paths, tmp_path: Path) -> None:
    remember(run, trained(tmp_path / "other", table("binary", seed=4), contract("binary")))
    report = evaluated(run)
    assert report.former is None
    registered = run.processing_output(EVALUATION_CHANNEL) / MODEL_ARCHIVE
    unpack(registered, tmp_path / "registered")
    unpack(run.processing_input(MODEL_CHANNEL) / MODEL_ARCHIVE, tmp_path / "challenger")
    assert artifact_digest(tmp_path / "registered") == artifact_digest(tmp_path / "challenger")


def test_a_former_that_was_changed_stops_the_job(run: Paths, former: Paths) -> None:
    remember(run, former, digest="0" * 64)
    assert main(["evaluate", "--metric", "roc_auc", "--gate", GateRules().model_dump_json()], run) == 1
    assert "not the model that was registered" in run.message.read_text()
