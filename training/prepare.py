"""prepare: a dataset version becomes a training table and a holdout table.

Input `dataset` is manifest.json; the files that it names are fetched at their object versions, and checked by size and SHA-256. Rows
without a target are dropped, and so are the rows of a multiclass target's classes that are too rare to be learnt and judged; schema.json
and the evaluation name them. Rows that repeat another one cell by cell are dropped when the table has an id (it is the same record,
delivered twice) and kept when it has none (two different things may look alike); either way they lie on one side of the split.
Outputs `train` and `holdout` hold the table's texts as they came (contracts/tables says what a typed cell is as text), in the manifest's
order, beside schema.json. The held out rows are in `train` too, in a table of their own, for the last fit.

Cells of hashed columns are replaced by their hash; dropped columns are not read, and cells are not quoted where there are private columns.

Of a version with fresh rows the newest of those are held out, and all the others are to train on, in order of their time. A row to train
on that has the id of a held out one is dropped. The target of a binary problem has the two classes that the older rows have: fresh rows
with another label are dropped.

The whole table is held in memory, as text: choose an instance type with some five times its size.
"""

import argparse
import hashlib
import io
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
from botocore.exceptions import ClientError

from contracts.config import Data
from contracts.errors import DataError
from contracts.evaluation import Problem
from contracts.layout import DATASET_CHANNEL, HOLDOUT_CHANNEL, MANIFEST, TRAIN_CHANNEL
from contracts.manifest import DataFile, Manifest
from contracts.tables.formats import Format
from training.frame import parse_table
from training.freshness import HOLDOUT_ROWS_OF_A_CLASS
from training.paths import Paths
from training.privacy import check_same, conceal, read_key
from training.schema import HELD_OUT_TABLE, HOLDOUT_TABLE, TRAIN_TABLE, Schema
from training.split import (
    Mask,
    by_time,
    check_fresh,
    check_split,
    fresh_mask,
    holdout_mask,
    known_again,
    rare_classes,
    unknown_classes,
)
from training.target import find_classes, target_kind
from training.text import is_missing, read_any, read_table

log = logging.getLogger(__name__)


def main(paths: Paths, options: list[str]) -> None:
    """Run the job. Raises DataError when the dataset version cannot be trained on."""
    parser = argparse.ArgumentParser(prog="prepare")
    parser.add_argument("--dataset-version", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--holdout", type=float, required=True)
    parser.add_argument("--folds", type=int, required=True)
    parser.add_argument("--privacy", default="", help="the digest of the project's private columns")
    given = parser.parse_args(options)
    manifest = Manifest.from_json((paths.processing_input(DATASET_CHANNEL) / MANIFEST).read_bytes())
    if manifest.version != given.dataset_version:
        raise DataError([f"the manifest is dataset version {manifest.version}, and the run asks for {given.dataset_version}"])
    check_same(manifest.version, manifest.contract.privacy, given.privacy)
    key = read_key(boto3.client("secretsmanager"), os.environ) if manifest.contract.privacy.hash else b""
    s3 = boto3.client("s3")
    parts = [conceal(manifest.contract, file, fetch(s3, file, manifest.contract), key) for file in manifest.files]
    fresh = np.concatenate([np.full(len(part), manifest.fresh is not None and part is parts[-1]) for part in parts])
    found = divide(manifest, pd.concat(parts, ignore_index=True), fresh, given.holdout, given.folds, given.seed)
    schema = found.schema
    train, holdout = paths.processing_output(TRAIN_CHANNEL), paths.processing_output(HOLDOUT_CHANNEL)
    write(train / TRAIN_TABLE, found.train)
    write(train / HELD_OUT_TABLE, found.holdout)
    write(holdout / HOLDOUT_TABLE, found.holdout)
    for channel in (train, holdout):
        schema.write(channel)
    for note in schema.notes:
        log.warning("%s", note)
    log.info("dataset version %s: %d rows to train on, %d held out", schema.dataset_version, schema.train_rows, schema.holdout_rows)


@dataclass(frozen=True)
class Divided:
    """The rows of both sides, and what became of the others."""

    train: pd.DataFrame
    holdout: pd.DataFrame
    schema: Schema


def divide(manifest: Manifest, raw: pd.DataFrame, fresh: Mask, share: float, folds: int, seed: int) -> Divided:
    """Curate a version's rows, of which some are `fresh`, and divide them. Raises DataError when a side has too few."""
    contract = manifest.contract
    keep, without_target, repeated = curate(contract, raw)
    unknown = keep & unknown_classes(contract, raw[contract.target], fresh)
    places = np.flatnonzero(keep & ~unknown) - (len(raw) - int(fresh.sum()))  # among the fresh rows, from 0; they are the last
    table, fresh = raw[keep & ~unknown].reset_index(drop=True), fresh[keep & ~unknown]
    # A cell that does not parse stops the run here, where its reason is easiest to find.
    parse_table(contract.features, table, quoted=not contract.privacy.columns)
    find_classes(contract, table[contract.target])
    mask = fresh_mask(fresh) if manifest.fresh else holdout_mask(contract, table, share, seed)
    # Whether a class is among the newest rows is for the traffic to say.
    judged = 0 if manifest.fresh and contract.problem is Problem.MULTICLASS else HOLDOUT_ROWS_OF_A_CLASS
    rare = rare_classes(contract, table[contract.target], mask, folds, judged)
    common = (~table[contract.target].str.strip().isin(rare)).to_numpy()
    if table[contract.target][common].str.strip().nunique() > 1:
        table, mask, fresh, places = table[common], mask[common], fresh[common], places[common]
    else:
        rare = {}  # what is left is nothing to learn: the check names every class
    holdout = table[mask]
    train, fresh_rows = table[~mask], None
    if manifest.fresh:
        check_fresh(contract, holdout[contract.target])
        train, fresh_rows = in_order(contract, table, mask, fresh)
    check_split(contract, train[contract.target], holdout[contract.target], folds, judged)
    schema = Schema(
        dataset_version=manifest.version,
        contract=contract,
        train_rows=len(train),
        holdout_rows=len(holdout),
        without_target=without_target,
        repeated=repeated,
        rare_classes=rare,
        fresh_rows=fresh_rows,
        unknown_classes=int(unknown.sum()),
        holdout_start=manifest.fresh.hour_of(int(places[mask].min())) if manifest.fresh else None,
        learnt_until=manifest.fresh.end if manifest.fresh else None,
    )
    return Divided(train, holdout, schema)


def in_order(contract: Data, table: pd.DataFrame, mask: Mask, fresh: Mask) -> tuple[pd.DataFrame, int]:
    """(the rows to train on in order of their time, how many of them are fresh)."""
    learn = ~mask & ~known_again(contract, table, mask)
    fresh_rows = int((learn & fresh).sum())
    train = table[learn]
    return train.iloc[by_time(contract, train, fresh_rows)], fresh_rows


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
    if file.format is Format.CSV:
        return read_table(io.BytesIO(body), where, columns(contract))
    with tempfile.NamedTemporaryFile() as disk:  # Parquet is read from its end
        disk.write(body)
        disk.flush()
        return read_any(Path(disk.name), file.format, where, columns(contract))


def columns(contract: Data) -> list[str]:
    """The columns that the jobs need: id, time, features, target; each once."""
    named = [name for name in (contract.id, contract.time) if name is not None]
    return list(dict.fromkeys([*named, *contract.features, contract.target]))


def curate(contract: Data, table: pd.DataFrame) -> tuple[Mask, int, int]:
    """(the rows to use, how many have no target, how many are repeated)."""
    missing = is_missing(target_kind(contract.problem), table[contract.target])
    repeats = table.duplicated() & ~missing
    keep = ~missing if contract.id is None else ~missing & ~repeats
    return keep.to_numpy(), int(missing.sum()), int(repeats.sum())


def write(path: Path, rows: pd.DataFrame) -> None:
    """A table of texts."""
    rows.to_csv(path, index=False, lineterminator="\n")
