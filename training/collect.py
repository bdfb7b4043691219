"""collect: captured requests and their labels become a dataset version, the champion's own rows and the new ones behind them.

Outputs, in the data bucket: collected/<name>/labelled.csv, the rows in order of their time; the manifest of the dataset version; and
collected/<name>/collection.json, which says what was found. Too few labels make no version, and collection.json says why: that is a
result, not a failure. The same captures and labels give the same bytes and the same version, and each file is written once.

The fresh rows end with the newest that has a label: what was asked later, and has none yet, is the next collection's.

An hour of captures is held in memory, and every label since the first hour.
"""

import argparse
import hashlib
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from contracts.collection import Collection
from contracts.errors import StateError
from contracts.layout import COLLECTION, LABELLED, collection_prefix, manifest_key
from contracts.manifest import ColumnSummary, DataFile, Fresh, FreshHour, Manifest
from contracts.statistics import Statistics
from training.freshness import too_few
from training.joining import Joiner, Labels, to_line
from training.monitoring.captures import find_shards, read_blocks
from training.monitoring.fetch import SCHEME, fetch, make_client
from training.paths import Paths

_INSTANT = timedelta(microseconds=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Table:
    """What was joined: a CSV file, and what its columns and rows are."""

    path: Path
    sha256: str
    targets: list[str]
    hours: tuple[FreshHour, ...]
    missing: dict[str, int]
    statistics: dict[str, Statistics]
    newest: datetime  # the time of its last row
    unlabelled: int
    unreadable: int


def main(_paths: Paths, options: list[str]) -> None:
    """Run the job. Raises StateError when the collection was made before, of something else; botocore's ClientError."""
    parser = argparse.ArgumentParser(prog="collect")
    parser.add_argument("--name", required=True)
    parser.add_argument("--captures", required=True, help="s3://.../<endpoint>/<variant>, above the hours")
    parser.add_argument("--labels", required=True, help="s3://.../ground-truth")
    parser.add_argument("--start", type=_moment, required=True, help="of the requests' times, ISO 8601")
    parser.add_argument("--end", type=_moment, required=True, help="not included")
    parser.add_argument("--parent", required=True, help="the manifest of the champion's dataset version, as an S3 URI")
    parser.add_argument("--data-bucket", required=True)
    parser.add_argument("--minimum-labels", type=int, required=True)
    given = parser.parse_args(options)
    s3 = make_client("s3")
    parent = read_manifest(s3, given.parent)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        captures = fetch(given.captures, given.start, given.end, folder / "captures", s3)
        labels = fetch(given.labels, given.start, None, folder / "labels", s3)
        table = join(parent, captures, labels, given.start, given.end, folder / LABELLED)
        made = store(Bucket(s3, given.data_bucket), given.name, parent, table, given.start, given.end, given.minimum_labels)
    log.info("%d labelled rows; %s", made.rows, made.why or f"dataset version {made.dataset_version}")


def _moment(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def read_manifest(s3: Any, uri: str) -> Manifest:
    """The manifest at an S3 URI."""
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    return Manifest.from_json(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def join(parent: Manifest, captures: Path, labels: Path, start: datetime, end: datetime, target: Path) -> Table:
    """Write the labelled rows of local captures, hour by hour, to `target`."""
    known = Labels(parent.contract)
    for block in _blocks(labels):
        known.add(block)
    joiner = Joiner(parent.contract, known, start, end)
    digest = hashlib.sha256()
    hours: list[FreshHour] = []
    with target.open("wb") as file:
        for line in _lines(joiner, captures, hours):
            digest.update(line)
            file.write(line)
    unreadable = joiner.unreadable + known.unreadable
    return Table(
        path=target,
        sha256=digest.hexdigest(),
        targets=joiner.targets,
        hours=tuple(hours),
        missing=joiner.missing,
        statistics={name: tally.result()[1] for name, tally in joiner.tallies.items()},
        newest=joiner.newest,
        unlabelled=joiner.unlabelled,
        unreadable=unreadable,
    )


def _lines(joiner: Joiner, captures: Path, hours: list[FreshHour]) -> Iterator[bytes]:
    """The file's lines; `hours` is told how many rows each hour has."""
    yield to_line(joiner.header)
    for folder in sorted({shard.path.parent for shard in find_shards(captures)}):
        before = len(joiner.targets)
        yield from map(to_line, joiner.join(_blocks(folder)))
        if len(joiner.targets) > before:
            hours.append(FreshHour(start=parse_hour(folder), rows=len(joiner.targets) - before))


def _blocks(folder: Path) -> Iterator[bytes]:
    for shard in find_shards(folder):
        yield from read_blocks(shard)


def parse_hour(folder: Path) -> datetime:
    """The hour whose folder .../yyyy/mm/dd/hh is."""
    return datetime.strptime("/".join(folder.parts[-4:]), "%Y/%m/%d/%H").replace(tzinfo=UTC)


class Bucket:
    """The data bucket, in which a collection's files are written once."""

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self.name = name

    def put(self, key: str, body: bytes) -> str | None:
        """Write a file; its VersionId, or None when there is one already."""
        try:
            version: str = self._s3.put_object(Bucket=self.name, Key=key, Body=body, IfNoneMatch="*")["VersionId"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return None
        return version

    def put_same(self, key: str, body: bytes) -> str:
        """Write a file, or find it written; its VersionId. Raises StateError when it was written with another content."""
        version = self.put(key, body)
        if version is not None:
            return version
        found = self._s3.get_object(Bucket=self.name, Key=key)
        if found["Body"].read() != body:
            raise StateError(f"s3://{self.name}/{key} holds another collection's content. Next: collect under another name")
        return str(found["VersionId"])


def store(bucket: Bucket, name: str, parent: Manifest, table: Table, start: datetime, end: datetime, minimum: int) -> Collection:
    """Write the files of a collection. The manifest, which starts a run, comes when all that it names is there."""
    prefix = collection_prefix(name)
    body = table.path.read_bytes()
    version_id = bucket.put_same(prefix + LABELLED, body)
    rows = len(table.targets)
    why = too_few(parent.contract, table.targets, parent.rows, minimum)
    found = Collection(name=name, start=start, end=end, rows=rows, unlabelled=table.unlabelled, unreadable=table.unreadable, why=why)
    if not why:
        file = DataFile(bucket=bucket.name, key=prefix + LABELLED, version_id=version_id, size=len(body), sha256=table.sha256, rows=rows)
        manifest = extend(parent, file, table, Fresh(rows=rows, start=start, end=table.newest + _INSTANT, hours=table.hours))
        key = manifest_key(manifest.dataset, manifest.version)
        bucket.put(key, manifest.to_json().encode())  # a version's first manifest stays
        found = found.model_copy(update={"dataset_version": manifest.version, "manifest_key": key})
    bucket.put_same(prefix + COLLECTION, found.model_dump_json(indent=2).encode())
    return found


def extend(parent: Manifest, file: DataFile, table: Table, fresh: Fresh) -> Manifest:
    """The parent's rows and the fresh ones behind them. The contract is the parent's: its model took the requests."""
    columns = tuple(_add(column, table) for column in parent.columns)
    return Manifest(
        dataset=parent.dataset,
        files=(*parent.files, file),
        columns=columns,
        contract=parent.contract,
        parents=(parent.version,),
        fresh=fresh,
    )


def _add(column: ColumnSummary, table: Table) -> ColumnSummary:
    """A column of both. Statistics that the parent has not, for it is of before they were kept, the version has not either."""
    more = table.statistics.get(column.name)
    both = column.statistics.merged(more) if column.statistics and more else None
    return column.model_copy(update={"missing": column.missing + table.missing.get(column.name, 0), "statistics": both})
