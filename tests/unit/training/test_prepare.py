"""prepare, on a mocked S3: the right bytes or none, and a split that later jobs can rely on."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from contracts.config import Data
from contracts.layout import HOLDOUT_CHANNEL, TRAIN_CHANNEL
from contracts.manifest import Manifest
from tests.unit.training.tables import BUCKET, KEY, contract, prepare, prepared, table, upload
from training.paths import Paths
from training.schema import Schema


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def rows_of(paths: Paths, channel: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((paths.processing_output(channel) / f"{channel}.csv").read_text())))


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_every_row_with_a_target_is_on_exactly_one_side_with_its_texts_untouched(tmp_path: Path, problem: str) -> None:
    text = table(problem)
    paths = prepared(tmp_path, text, contract(problem))
    train, holdout = rows_of(paths, TRAIN_CHANNEL), rows_of(paths, HOLDOUT_CHANNEL)
    source = {row["id"]: row for row in csv.DictReader(io.StringIO(text))}
    for row in source.values():
        del row["remark"]  # not in the contract, so nobody's business
    assert {row["id"]: row for row in train + holdout} == source
    assert len(train) + len(holdout) == len(source)
    schema = Schema.read(paths.processing_output(TRAIN_CHANNEL))
    assert (schema.train_rows, schema.holdout_rows) == (len(train), len(holdout))
    assert schema == Schema.read(paths.processing_output(HOLDOUT_CHANNEL))


def test_rows_without_a_target_and_records_delivered_twice_are_dropped_and_counted(tmp_path: Path) -> None:
    lines = table("binary").splitlines()
    lines += [lines[1], "row-900,1.0,red,yes,,,seen"]
    paths = prepared(tmp_path, "\n".join(lines), contract("binary"))
    schema = Schema.read(paths.processing_output(TRAIN_CHANNEL))
    assert (schema.without_target, schema.repeated, schema.train_rows + schema.holdout_rows) == (1, 1, 160)


def test_a_class_that_is_too_rare_is_left_out_and_named(tmp_path: Path) -> None:
    paths = prepared(tmp_path, table("multiclass").replace("high,seen", "rare,seen", 3), contract("multiclass"))
    schema = Schema.read(paths.processing_output(TRAIN_CHANNEL))
    assert schema.rare_classes == {"rare": 3}
    assert schema.train_rows + schema.holdout_rows == 157
    left = rows_of(paths, TRAIN_CHANNEL) + rows_of(paths, HOLDOUT_CHANNEL)
    assert "rare" not in {row["answer"] for row in left}
    assert "'rare' (3)" in schema.notes[0]


def test_rows_that_look_alike_are_kept_without_an_id_and_stay_together(tmp_path: Path) -> None:
    lines = table("binary").splitlines()
    paths = prepared(tmp_path, "\n".join([*lines, *lines[1:21]]), contract("binary", id=None))
    schema = Schema.read(paths.processing_output(TRAIN_CHANNEL))
    assert schema.repeated >= 20
    assert schema.train_rows + schema.holdout_rows == 180
    features = list(contract("binary").features)
    sides = [{tuple(row[name] for name in features) for row in rows_of(paths, channel)} for channel in (TRAIN_CHANNEL, HOLDOUT_CHANNEL)]
    assert not sides[0] & sides[1]


def fail(tmp_path: Path, manifest: Manifest, version: str | None = None) -> str:
    paths = Paths(tmp_path)
    assert prepare(paths, manifest, version) == 1
    return paths.message.read_text()


def test_the_files_are_read_at_their_versions(tmp_path: Path) -> None:
    manifest = upload(table("binary").encode(), contract("binary"))
    boto3.client("s3", region_name="us-east-1").put_object(Bucket=BUCKET, Key=KEY, Body=b"something newer")
    assert prepare(Paths(tmp_path), manifest) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [({"size": 3}, "the manifest says 3"), ({"sha256": "0" * 64}, "has SHA-256"), ({"version_id": "no-such-version"}, "cannot be read")],
)
def test_a_file_that_is_not_the_manifests_stops_the_job(tmp_path: Path, change: dict[str, object], message: str) -> None:
    manifest = upload(table("binary").encode(), contract("binary"))
    wrong = manifest.files[0].model_copy(update=change)
    said = fail(tmp_path, manifest.model_copy(update={"files": (wrong,)}))
    assert message in said
    assert f"s3://{BUCKET}/{KEY}" in said


def test_a_run_for_another_dataset_version_stops_the_job(tmp_path: Path) -> None:
    assert "the run asks for 0123" in fail(tmp_path, upload(table("binary").encode(), contract("binary")), version="0123")


@pytest.mark.parametrize(
    ("text", "data", "message"),
    [
        ("id,answer\n1,yes\n", contract("binary"), "column 'size' is missing"),
        (table("binary").replace("0.", "zero.", 1), contract("binary"), "column 'size'"),
        (table("binary", rows=20), contract("binary"), "rows, and needs at least"),
        (table("binary").replace(",no,seen", ",yes,seen"), contract("binary"), "must hold 'yes' and one other value"),
        (table("multiclass", rows=12), contract("multiclass"), "rows, and needs at least"),
    ],
)
def test_a_table_that_cannot_be_trained_on_says_why(tmp_path: Path, text: str, data: Data, message: str) -> None:
    assert message in fail(tmp_path, upload(text.encode(), data))
