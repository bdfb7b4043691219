"""Tables on this machine, in any format (contracts/tables): read as a stream, sampled, and turned into prediction records.

The rules are ingest_dataset's: a header of unique, non-empty names, as many cells in every row, texts in UTF-8. A file whose name tells no
format is read as CSV.
"""

import csv
import hashlib
import random
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from contracts.batch.rows import json_value
from contracts.columns import ColumnKind
from contracts.errors import DataError
from contracts.folder import folder_problems, is_data
from contracts.layout import LARGEST_UPLOAD_BYTES
from contracts.tables.formats import SUFFIXES, Format, FormatError, format_of
from contracts.tables.reading import Row, file_rows

_MEGABYTE = 1 << 20
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Table:
    """An open table: its header, and its rows as they are read. Reading raises DataError at the first row that is not one."""

    path: Path
    header: list[str]
    rows: Iterator[list[str]]


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a table, of a file or of a folder of files. Raises DataError for one that is missing, empty, or has no usable header."""
    if not path.exists():
        raise DataError([f"{path} is not there. Next: give the path of a table ({', '.join(SUFFIXES)}), or of a folder of them"])
    files = table_files(path) if path.is_dir() else [path]
    rows = _file(files[0])
    header = next(rows)
    try:
        yield Table(path, header, chain(rows, (row for file in files[1:] for row in _same(file, files[0], header))))
    finally:
        rows.close()  # whoever wanted the columns alone leaves nothing open


def _file(path: Path) -> Generator[list[str], None, None]:
    """A file's columns, then its rows. Raises DataError where it is not what its format says."""
    try:
        rows = file_rows(format_of(path.name) or Format.CSV, path, LARGEST_UPLOAD_BYTES)
        _, header = next(rows, (0, []))
        if not header:
            raise DataError([f"{path} is empty. Next: give a table with columns and rows"])
        _check_header(path, header)
        yield header
        yield from _rows(path, rows, len(header))
    except FormatError as error:
        raise DataError([told(path, error)]) from None


def _same(path: Path, first: Path, header: list[str]) -> Iterator[list[str]]:
    """The rows of another file of the table, in the first one's order of columns."""
    rows = _file(path)
    found = next(rows)
    if set(found) != set(header):
        other = sorted(set(found) ^ set(header))[0]
        raise DataError([f"{path} and {first} do not both have a column {other!r}. Next: the same columns in every file"])
    places = [found.index(name) for name in header]
    for row in rows:
        yield [row[place] for place in places]


def table_files(folder: Path) -> list[Path]:
    """A folder's files that are one table's, by name. Raises DataError for what cannot be one; what begins with `_` or `.` is no data."""
    entries = sorted((path for path in folder.iterdir() if is_data(path.name)), key=lambda path: path.name.encode())
    problems = [f"{path} is no file. Next: all files of the table in one folder" for path in entries if not path.is_file()]
    files = [path for path in entries if path.is_file()]
    problems += folder_problems((path.name, path.stat().st_size) for path in files)
    if problems:
        raise DataError([f"{folder}: {problem}" for problem in problems])
    return files


def told(path: Path, error: FormatError) -> str:
    """What is wrong with a file, where, and what to do about it."""
    place = f", row {error.row}" if error.row else ""
    place += f", column {error.column!r}" if error.column else ""
    step = {
        "the file is not UTF-8 text": ". Next: iconv -f LATIN1 -t UTF-8, or from what it is in",
        "the file is not valid CSV": ". Next: save it with commas between cells and double quotes around texts",
    }
    following = next((each for problem, each in step.items() if str(error).startswith(problem)), "")
    return f"{path}{place}: {error}{following}"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_MEGABYTE):
            digest.update(chunk)
    return digest.hexdigest()


def write_sample(path: Path, to: Path, share: float, seed: int) -> int:
    """Write a seeded sample of a table's rows, in their order; the number of rows written."""
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    count = 0
    with open_table(path) as table, to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.header)
        for row in table.rows:
            if chance.random() < share:
                writer.writerow(row)
                count += 1
    return count


def read_records(path: Path, features: dict[str, ColumnKind], limit: int) -> list[dict[str, Any]]:
    """The first `limit` rows as prediction records: the model's features only, numbers and booleans as JSON has them, missing as None."""
    records = []
    with open_table(path) as table:
        missing = [name for name in features if name not in table.header]
        if missing:
            raise DataError([f"{path} has no column {', '.join(missing)}, which the model takes"])
        for row in table.rows:
            cells = dict(zip(table.header, row, strict=True))
            records.append({name: json_value(kind, cells[name]) for name, kind in features.items()})
            if len(records) == limit:
                break
    return records


def _check_header(path: Path, header: list[str]) -> None:
    if len(header) == 1:
        for separator, name in _SEPARATORS.items():
            if separator in header[0]:
                step = "save it with commas (in pandas: pd.read_csv(FILE, sep=...).to_csv(FILE, index=False))"
                raise DataError([f"{path} has {name} between its cells, where commas are needed. Next: {step}"])
    problems = [f"column {number} of {path} has no name" for number, name in enumerate(header, 1) if not name.strip()]
    problems += [
        f"{path} has more than one column {name!r}" for name in sorted({name for name in header if header.count(name) > 1 and name})
    ]
    if problems:
        raise DataError([f"{'; '.join(problems)}. Next: give every column a name of its own"])


def _rows(path: Path, rows: Iterator[Row], width: int) -> Iterator[list[str]]:
    for number, row in rows:
        if len(row) != width:
            raise DataError([f"row {number} of {path} has {len(row)} cells; the header has {width}"])
        yield row
