"""A CSV table of the tests in the other formats: numbers as numbers, texts as texts, empty cells as nulls."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

Record = dict[str, Any]


def records(text: str) -> list[Record]:
    """The rows of a CSV table, typed by their looks."""
    return [{name: _value(cell) for name, cell in row.items()} for row in csv.DictReader(io.StringIO(text))]


def as_json_lines(text: str) -> bytes:
    """The table as JSON Lines."""
    return "".join(json.dumps(record) + "\n" for record in records(text)).encode()


def as_parquet(text: str, **options: Any) -> bytes:
    """The table as Parquet; columns of numbers are float64 or int64."""
    return write_parquet(pa.Table.from_pylist(records(text)), **options)


def write_parquet(table: Any, **options: Any) -> bytes:
    """An Arrow table as Parquet."""
    target = io.BytesIO()
    parquet.write_table(table, target, **options)
    return target.getvalue()


def as_gzip(content: bytes) -> bytes:
    """Packed."""
    return gzip.compress(content, mtime=0)


def write_folder(text: str, folder: Path) -> Path:
    """The table's rows in three files, each in another format."""
    header, *lines = text.splitlines()
    third = len(lines) // 3
    parts = ["\n".join([header, *part]) + "\n" for part in (lines[:third], lines[third : 2 * third], lines[2 * third :])]
    folder.mkdir()
    (folder / "part-1.csv.gz").write_bytes(as_gzip(parts[0].encode()))
    (folder / "part-2.jsonl").write_bytes(as_json_lines(parts[1]))
    (folder / "part-3.parquet").write_bytes(as_parquet(parts[2]))
    return folder


def _value(cell: str) -> Any:
    if not cell:
        return None
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
