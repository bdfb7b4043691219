"""Private columns: what prepare writes, and everything that later jobs make of it, holds hashes only."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from contracts.config import Data
from contracts.layout import HOLDOUT_CHANNEL, LABELLED, TRAIN_CHANNEL, collection_prefix
from contracts.manifest import Manifest
from contracts.privacy import KEY_VARIABLE, Privacy, hashed
from tests.unit.training.tables import contract, hand_over, prepare, stretch, table, upload, upload_more
from training.__main__ import main
from training.paths import Paths

KEY = "k" * 43
COLOURS = ("vermilion", "celadon", "blue, dark")
HASHES = {hashed(KEY.encode(), "colour", text) for text in COLOURS}
PRIVATE = {"drop": ["remark"], "hash": ["colour", "id"]}


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv(KEY_VARIABLE, "demo-dev-hash-key")
    with mock_aws():
        boto3.client("secretsmanager").create_secret(Name="demo-dev-hash-key", SecretString=KEY)
        yield


def colourful(rows: int = 160, seed: int = 1) -> str:
    """The table, with colours that nothing else is called."""
    return table("binary", rows, seed).replace(",red,", ",vermilion,").replace(",green,", ",celadon,")


def private(**changes: object) -> Data:
    return contract("binary", privacy=PRIVATE, **changes)


def written(paths: Paths) -> list[dict[str, str]]:
    return [
        row
        for channel in (TRAIN_CHANNEL, HOLDOUT_CHANNEL)
        for row in csv.DictReader(io.StringIO((paths.processing_output(channel) / f"{channel}.csv").read_text()))
    ]


def everything(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != "manifest.json")


def test_every_later_job_sees_hashes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = colourful().replace(",seen", ",Zanzibar")
    paths = Paths(tmp_path)
    assert prepare(paths, upload(text.encode(), private())) == 0, paths.message.read_text()
    assert {row["colour"] for row in written(paths)} == HASHES | {""}
    number = {row["id"]: row["colour"] for row in csv.DictReader(io.StringIO(text))}
    expected = {hashed(KEY.encode(), "id", name): hashed(KEY.encode(), "colour", colour) for name, colour in number.items()}
    assert {row["id"]: row["colour"] for row in written(paths)} == expected
    hand_over(paths, private())
    assert main(["train"], paths) == 0, paths.failure.read_text()
    files = everything(tmp_path)
    assert all(value.encode() in files for value in HASHES)
    for value in (*COLOURS, "Zanzibar", "row-1", KEY):
        assert value.encode() not in files
        assert value not in caplog.text


def test_what_the_loop_collected_is_not_hashed_twice(tmp_path: Path) -> None:
    parent = upload(colourful().encode(), private(time=None))
    lines = colourful(60, 2).splitlines()
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    for row in rows:
        del row["remark"]
        row["colour"] = hashed(KEY.encode(), "colour", row["colour"])
        row["id"] = f"inference-{row['id']}"
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    file = upload_more(out.getvalue().encode(), collection_prefix("one") + LABELLED, 60)
    fresh = parent.model_copy(update={"files": (*parent.files, file), "fresh": stretch(60)})
    paths = Paths(tmp_path)
    assert prepare(paths, fresh) == 0, paths.message.read_text()
    assert {row["colour"] for row in written(paths)} == HASHES | {""}
    assert {row["id"] for row in written(paths)} >= {hashed(KEY.encode(), "id", row["id"]) for row in rows}
    assert b"inference-" not in everything(tmp_path)


def fail(tmp_path: Path, manifest: Manifest) -> str:
    paths = Paths(tmp_path)
    assert prepare(paths, manifest) == 1
    return paths.message.read_text()


def test_a_cell_that_does_not_parse_is_not_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = colourful().replace("row-3,", "row-3,Zanzibar", 1)
    said = fail(tmp_path, upload(text.encode(), private()))
    assert said == "column 'size': a value is not a number"
    assert "Zanzibar" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("now", [Privacy(hash=("colour",)), Privacy(drop=("colour", "id"), hash=("remark",)), None])
def test_a_table_accepted_under_other_private_columns_is_not_trained_on(tmp_path: Path, now: Privacy | None) -> None:
    manifest = upload(colourful().encode(), private())
    folder = Paths(tmp_path).processing_input("dataset")
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(manifest.to_json())
    options = ["--dataset-version", manifest.version, "--seed", "1", "--holdout", "0.25", "--folds", "2"]
    assert main(["prepare", *options, *(["--privacy", now.digest] if now else [])], Paths(tmp_path)) == 1
    assert "was accepted when data.privacy named other columns" in Paths(tmp_path).message.read_text()


def test_without_the_key_nothing_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = upload(colourful().encode(), private())
    monkeypatch.delenv(KEY_VARIABLE)
    assert "the job has no HASH_KEY_SECRET" in fail(tmp_path, manifest)
    monkeypatch.setenv(KEY_VARIABLE, "another")
    assert "ResourceNotFoundException" in fail(tmp_path, manifest)
    assert not list(tmp_path.rglob("train.csv"))
