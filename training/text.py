"""Tables as texts: nothing is guessed here; what a cell means is said by the data contract (contracts/columns.py)."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pandas as pd

from contracts.columns import ColumnKind, parse
from contracts.errors import DataError
from contracts.layout import LARGEST_UPLOAD_BYTES
from contracts.tables.formats import Format, FormatError
from contracts.tables.reading import file_rows
from contracts.tables.sources import Unpacked


def read_table(source: Path | IO[bytes], where: str, columns: Sequence[str]) -> pd.DataFrame:
    """The named columns of a UTF-8 CSV file (a byte order mark is fine), every cell as its text. Raises DataError."""
    try:
        table = pd.read_csv(source, dtype=str, na_filter=False, index_col=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError([f"{where} is not a CSV table in UTF-8: {error}"]) from error
    _check_columns(list(table.columns), where, columns)
    return table[list(columns)]


def read_any(path: Path, format: Format, where: str, columns: Sequence[str]) -> pd.DataFrame:  # noqa: A002 - what it is called
    """The same of a file in any format; the same table in another format gives the same texts. Raises DataError."""
    try:
        if format is Format.CSV:
            return read_table(path, where, columns)
        if format is Format.CSV_GZIP:
            with path.open("rb") as packed:
                return read_table(io.BufferedReader(Unpacked(packed, LARGEST_UPLOAD_BYTES)), where, columns)
        return _read_rows(path, format, where, columns)
    except FormatError as error:
        place = f", row {error.row}" if error.row else ""
        raise DataError([f"{where}{place}: {error}"]) from error


def _read_rows(path: Path, format: Format, where: str, columns: Sequence[str]) -> pd.DataFrame:  # noqa: A002
    rows = file_rows(format, path, LARGEST_UPLOAD_BYTES)
    _, header = next(rows, (0, []))
    _check_columns(header, where, columns)
    places = [header.index(name) for name in columns]
    cells: list[list[str]] = [[] for _ in columns]
    same: dict[str, str] = {}  # most texts repeat themselves, and are kept once
    for _, row in rows:
        for column, place in zip(cells, places, strict=True):
            column.append(same.setdefault(row[place], row[place]))
    return pd.DataFrame(dict(zip(columns, cells, strict=True)), dtype=str)


def _check_columns(header: Sequence[str], where: str, columns: Sequence[str]) -> None:
    missing = [f"{where}: column {name!r} is missing" for name in columns if name not in header]
    if missing:
        raise DataError(missing)


def is_missing(kind: ColumnKind, cells: "pd.Series[str]") -> "pd.Series[bool]":
    """True where a cell holds no value of this kind; cells that do not parse hold something."""
    empty = {text for text in cells.unique() if _is_empty(kind, text)}
    return cells.isin(empty)


def _is_empty(kind: ColumnKind, text: str) -> bool:
    try:
        return parse(kind, text) is None
    except ValueError:
        return False
