"""prepare: a dataset version becomes a training table and a holdout table.

Input `dataset` is manifest.json; the files that it names are fetched at their object versions, and checked by size and SHA-256. Rows
without a target are dropped, and so are the rows of a multiclass target's classes that are too rare to be learnt and judged; schema.json
and the evaluation name them. Rows that repeat another one cell by cell are dropped when the table has an id (it is the same record,
delivered twice) and kept when it has none (two different things may look alike); either way they lie on one side of the split.
Outputs `train` and `holdout` hold the table's texts as they came, in the manifest's order, beside schema.json.

The whole table is held in memory, as text: choose an instance type with some five times its size.
"""

import argparse
import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
from botocore.exceptions import ClientError

from contracts.config import Data
from contracts.errors import DataError
from contracts.layout import DATASET_CHANNEL, HOLDOUT_CHANNEL, MANIFEST, TRAIN_CHANNEL
from contracts.manifest import DataFile, Manifest
from training.frame import parse_table
from training.paths import Paths
from training.schema import HOLDOUT_TABLE, TRAIN_TABLE, Schema
from training.split import check_split, holdout_mask, rare_classes
from training.target import find_classes, target_kind
from training.text import is_missing, read_table

log = logging.getLogger(__name__)


def main(paths: Paths, options: list[str]) -> None:
    """Run the job. Raises DataError when the dataset version cannot be trained on."""
    parser = argparse.ArgumentParser(prog="prepare")
    parser.add_argument("--dataset-version", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--holdout", type=float, required=True)
    parser.add_argument("--folds", type=int, required=True)
    given = parser.parse_args(options)
    manifest = Manifest.from_json((paths.processing_input(DATASET_CHANNEL) / MANIFEST).read_bytes())
    if manifest.version != given.dataset_version:
        raise DataError([f"the manifest is dataset version {manifest.version}, and the run asks for {given.dataset_version}"])
    contract = manifest.contract
    raw = pd.concat([fetch(boto3.client("s3"), file, contract) for file in manifest.files], ignore_index=True)
    table, without_target, repeated = curate(contract, raw)
    parse_table(contract.features, table)  # a cell that does not parse stops the run here, where its reason is easiest to find
    find_classes(contract, table[contract.target])
    mask = holdout_mask(contract, table, given.holdout, given.seed)
    rare = rare_classes(contract, table[contract.target], mask, given.folds)
    common = ~table[contract.target].str.strip().isin(rare)
    if table[contract.target][common].str.strip().nunique() > 1:
        table, mask = table[common], mask[common]
    else:
        rare = {}  # what is left is nothing to learn: the check names every class
    check_split(contract, table[contract.target], mask, given.folds)
    schema = Schema(
        dataset_version=manifest.version,
        contract=contract,
        train_rows=int((~mask).sum()),
        holdout_rows=int(mask.sum()),
        without_target=without_target,
        repeated=repeated,
        rare_classes=rare,
    )
    for channel, name, rows in ((TRAIN_CHANNEL, TRAIN_TABLE, table[~mask]), (HOLDOUT_CHANNEL, HOLDOUT_TABLE, table[mask])):
        write(paths.processing_output(channel), name, rows, schema)
    if rare:
        log.warning("%s", schema.rare_classes_in_words)
    log.info("dataset version %s: %d rows to train on, %d held out", schema.dataset_version, schema.train_rows, schema.holdout_rows)


def fetch(s3: Any, file: DataFile, contract: Data) -> pd.DataFrame:
    """One file of the manifest, at its version, as texts. Raises DataError when it is gone or not what the manifest says."""
    where = f"s3://{file.bucket}/{file.key} (version {file.version_id})"
    try:
        body: bytes = s3.get_object(Bucket=file.bucket, Key=file.key, VersionId=file.version_id)["Body"].read()
    except ClientError as error:
        raise DataError(
            [f"{where} cannot be read: {error.response['Error'].get('Code')}, {error.response['Error'].get('Message')}"]
        ) from error
    if len(body) != file.size:
        raise DataError([f"{where} has {len(body)} bytes, and the manifest says {file.size}"])
    digest = hashlib.sha256(body).hexdigest()
    if digest != file.sha256:
        raise DataError([f"{where} has SHA-256 {digest}, and the manifest says {file.sha256}"])
    return read_table(io.BytesIO(body), where, columns(contract))


def columns(contract: Data) -> list[str]:
    """The columns that the jobs need: id, time, features, target; each once."""
    named = [name for name in (contract.id, contract.time) if name is not None]
    return list(dict.fromkeys([*named, *contract.features, contract.target]))


def curate(contract: Data, table: pd.DataFrame) -> tuple[pd.DataFrame, int, int]:
    """(the rows to use, rows without a target, repeated rows)."""
    missing = is_missing(target_kind(contract.problem), table[contract.target])
    kept = table[~missing]
    repeats = kept.duplicated()
    if contract.id is not None:
        kept = kept[~repeats]
    return kept.reset_index(drop=True), int(missing.sum()), int(repeats.sum())


def write(folder: Path, name: str, rows: pd.DataFrame, schema: Schema) -> None:
    """A channel's files."""
    rows.to_csv(folder / name, index=False, lineterminator="\n")
    schema.write(folder)
