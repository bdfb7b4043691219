"""From cells and JSON values to what the estimator sees; train, evaluate and serve all go through here, so they cannot differ.

A column is an array: floats for numeric (missing: NaN), boolean (0, 1, NaN) and datetime (seconds since 1970 in UTC, NaN); objects for
categorical (text; missing: ""). A datetime column becomes five features: year, month, weekday (Monday is 0), hour, and days since 1970.
Numbers beyond +-1e30 are clipped to it, so that no arithmetic after this overflows.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.columns import CellError, ColumnKind, Value, parse, told
from contracts.errors import DataError

Column = NDArray[Any]
Columns = Mapping[str, Column]

LIMIT = 1e30
DAY = 86_400
CALENDAR = ("year", "month", "weekday", "hour", "days")


def to_column(kind: ColumnKind, values: Iterable[Value]) -> Column:
    """Values of one kind as a column."""
    if kind is ColumnKind.CATEGORICAL:
        return np.array(["" if value is None else value for value in values], dtype=object)
    numbers = np.array([_number(value) for value in values], dtype=float)
    return numbers.clip(-LIMIT, LIMIT)


def _number(value: Value) -> float:
    if value is None:
        return float("nan")
    return value.timestamp() if isinstance(value, datetime) else float(value)


def parse_column(name: str, kind: ColumnKind, cells: "pd.Series[str]", *, quoted: bool = True) -> Column:
    """A table's cells as a column. Each distinct text is parsed once. Raises DataError naming the column, and `quoted` the text."""
    codes, texts = pd.factorize(cells, use_na_sentinel=False)
    try:
        values = [parse(kind, text) for text in texts]
    except CellError as error:
        raise DataError([f"column {name!r}: {told(error, quoted=quoted)}"]) from None
    column: Column = to_column(kind, values)[codes]
    return column


def parse_table(features: Mapping[str, ColumnKind], table: pd.DataFrame, *, quoted: bool = True) -> dict[str, Column]:
    """The features of a table of texts. Raises DataError naming what is missing or wrong; `quoted`: with the text of the cell."""
    missing = [f"column {name!r} is missing" for name in features if name not in table]
    if missing:
        raise DataError(missing)
    return {name: parse_column(name, kind, table[name], quoted=quoted) for name, kind in features.items()}


def to_frame(features: Mapping[str, ColumnKind], columns: Columns) -> pd.DataFrame:
    """What the estimator sees: one column a feature, calendar features for datetimes."""
    parts: dict[str, Column] = {}
    for name, kind in features.items():
        parts |= _calendar(name, columns[name]) if kind is ColumnKind.DATETIME else {name: columns[name]}
    return pd.DataFrame(parts)


def number_names(features: Mapping[str, ColumnKind]) -> list[str]:
    """The frame's columns that hold numbers."""
    names: list[str] = []
    for name, kind in features.items():
        if kind is ColumnKind.DATETIME:
            names += [_calendar_name(name, part) for part in CALENDAR]
        elif kind is not ColumnKind.CATEGORICAL:
            names.append(name)
    return names


def text_names(features: Mapping[str, ColumnKind]) -> list[str]:
    """The frame's columns that hold categories."""
    return [name for name, kind in features.items() if kind is ColumnKind.CATEGORICAL]


def _calendar_name(name: str, part: str) -> str:
    # A unit separator: no header holds one, so a feature called "sold year" cannot collide with the year of "sold".
    return f"{name}\x1f{part}"


def _calendar(name: str, seconds: Column) -> dict[str, Column]:
    missing = np.isnan(seconds)
    moments = pd.DatetimeIndex(np.floor(np.where(missing, 0, seconds)).astype("int64").astype("datetime64[s]"))
    parts = {
        "year": moments.year,
        "month": moments.month,
        "weekday": moments.day_of_week,
        "hour": moments.hour,
        "days": seconds / DAY,
    }
    return {_calendar_name(name, part): np.where(missing, np.nan, np.asarray(parts[part], dtype=float)) for part in CALENDAR}
