"""Small tables with every kind of column, and a dataset version made of one, for the tests of the model image."""

import csv
import hashlib
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import numpy as np
from moto import mock_aws

from contracts.columns import ColumnKind
from contracts.config import Data, Training
from contracts.evaluation import Metric
from contracts.layout import (
    CHAMPION,
    CHAMPION_CHANNEL,
    DATASET_CHANNEL,
    HOLDOUT_CHANNEL,
    MANIFEST,
    MODEL_ARCHIVE,
    MODEL_CHANNEL,
    TRAIN_CHANNEL,
)
from contracts.manifest import DataFile, Fresh, Manifest
from training.__main__ import main
from training.artifact import artifact_digest
from training.paths import Paths
from training.train import Hyperparameters

BUCKET, KEY = "data-bucket", "uploads/demo/table.csv"
SETTINGS = Training(seed=7, holdout=0.25, folds=2, candidates=2)
ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/demo/1"
METRIC = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "rmse"}
FEATURES = {
    "size": ColumnKind.NUMERIC,
    "colour": ColumnKind.CATEGORICAL,
    "used": ColumnKind.BOOLEAN,
    "sold at": ColumnKind.DATETIME,
}


def contract(problem: str, **changes: object) -> Data:
    """The data contract of `table(problem)`."""
    values = {
        "dataset": "demo",
        "target": "answer",
        "problem": problem,
        "positive": "yes" if problem == "binary" else None,
        "id": "id",
        "features": FEATURES,
    }
    return Data.model_validate(values | changes)


def table(problem: str, rows: int = 160, seed: int = 1) -> str:
    """CSV of `rows` rows whose target follows from size and colour; every tenth cell is missing."""
    generator = np.random.default_rng(seed)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", *FEATURES, "answer", "remark"])
    for number in range(rows):
        size, colour = generator.normal(), int(generator.integers(3))
        strength = size + colour
        answer = {
            "binary": "yes" if strength > 1 else "no",
            "multiclass": ("low", "middle", "high")[int(strength > 0.3) + int(strength > 1.7)],
            "regression": f"{strength:.3f}",
        }[problem]
        cells = [
            f"{size:.4f}",
            ("red", "green", "blue, dark")[colour],
            ("yes", "no")[number % 2],
            f"2024-0{1 + number % 9}-1{number % 9}T0{number % 9}:00",
        ]
        cells = ["" if generator.random() < 0.1 else cell for cell in cells]
        writer.writerow([f"row-{number}", *cells, answer, "seen"])
    return out.getvalue()


def stretch(rows: int) -> Fresh:
    """So many fresh rows of an hour."""
    start = datetime(2026, 11, 20, 10, tzinfo=UTC)
    return Fresh(rows=rows, start=start, end=start + timedelta(hours=1))


def upload(body: bytes, data: Data, rows: int = 1) -> Manifest:
    """Put a file into the (mocked) data bucket; its dataset version. Call it inside mock_aws."""
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return Manifest(dataset="demo", files=(upload_more(body, KEY, rows),), columns=(), contract=data)


def upload_more(body: bytes, key: str, rows: int) -> DataFile:
    """Another file in the bucket."""
    version = boto3.client("s3", region_name="us-east-1").put_object(Bucket=BUCKET, Key=key, Body=body)["VersionId"]
    return DataFile(bucket=BUCKET, key=key, version_id=version, size=len(body), sha256=hashlib.sha256(body).hexdigest(), rows=rows)


def prepare(paths: Paths, manifest: Manifest, version: str | None = None, settings: Training = SETTINGS) -> int:
    """Run prepare on a manifest; its exit status. Call it inside mock_aws."""
    folder = paths.processing_input(DATASET_CHANNEL)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(manifest.to_json())
    options = ["--dataset-version", version or manifest.version, "--seed", str(settings.seed)]
    if manifest.contract.privacy.columns:
        options += ["--privacy", manifest.contract.privacy.digest]
    return main(["prepare", *options, "--holdout", str(settings.holdout), "--folds", str(settings.folds)], paths)


def prepared(root: Path, text: str, data: Data, settings: Training = SETTINGS) -> Paths:
    """A container's folder after prepare, with train's and evaluate's inputs in place."""
    paths = Paths(root)
    with mock_aws():
        assert prepare(paths, upload(text.encode(), data), settings=settings) == 0, paths.message.read_text()
    hand_over(paths, data, settings)
    return paths


def hand_over(paths: Paths, data: Data, settings: Training = SETTINGS) -> None:
    """Give prepare's output to train and evaluate, and train its settings."""
    shutil.copytree(paths.processing_output(TRAIN_CHANNEL), paths.training_input(TRAIN_CHANNEL))
    shutil.copytree(paths.processing_output(HOLDOUT_CHANNEL), paths.processing_input(HOLDOUT_CHANNEL))
    paths.hyperparameters.parent.mkdir(parents=True)
    given = Hyperparameters(seed=settings.seed, folds=settings.folds, candidates=settings.candidates, metric=Metric(METRIC[data.problem]))
    paths.hyperparameters.write_text(json.dumps(given.strings()))


def trained(root: Path, text: str, data: Data, settings: Training = SETTINGS) -> Paths:
    """The same after train, with the model's archive and no champion where evaluate looks for them."""
    paths = prepared(root, text, data, settings)
    assert main(["train"], paths) == 0, paths.failure.read_text()
    pack(paths)
    return paths


def pack(paths: Paths) -> None:
    """Give train's output to evaluate, without a champion."""
    model, champion = (paths.processing_input(channel) for channel in (MODEL_CHANNEL, CHAMPION_CHANNEL))
    model.mkdir()
    shutil.make_archive(str(model / "model"), "gztar", paths.model)
    champion.mkdir()
    (champion / CHAMPION).write_text("{}")


def enthrone(paths: Paths, champion: Paths, digest: str | None = None) -> None:
    """Make another model the champion of this run."""
    folder = paths.processing_input(CHAMPION_CHANNEL)
    shutil.copyfile(champion.processing_input(MODEL_CHANNEL) / MODEL_ARCHIVE, folder / MODEL_ARCHIVE)
    reference = {"model_package_arn": ARN, "artifact_sha256": digest or artifact_digest(champion.model)}
    (folder / CHAMPION).write_text(json.dumps(reference))
