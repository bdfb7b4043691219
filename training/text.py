"""CSV tables as texts: nothing is guessed here; what a cell means is said by the data contract (contracts/columns.py)."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pandas as pd

from contracts.columns import ColumnKind, parse
from contracts.errors import DataError


def read_table(source: Path | IO[bytes], where: str, columns: Sequence[str]) -> pd.DataFrame:
    """The named columns of a UTF-8 CSV file (a byte order mark is fine), every cell as its text. Raises DataError."""
    try:
        table = pd.read_csv(source, dtype=str, na_filter=False, index_col=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError([f"{where} is not a CSV table in UTF-8: {error}"]) from error
    missing = [f"{where}: column {name!r} is missing" for name in columns if name not in table]
    if missing:
        raise DataError(missing)
    return table[list(columns)]


def is_missing(kind: ColumnKind, cells: "pd.Series[str]") -> "pd.Series[bool]":
    """True where a cell holds no value of this kind; cells that do not parse hold something."""
    empty = {text for text in cells.unique() if _is_empty(kind, text)}
    return cells.isin(empty)


def _is_empty(kind: ColumnKind, text: str) -> bool:
    try:
        return parse(kind, text) is None
    except ValueError:
        return False
