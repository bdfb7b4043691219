"""From a request's values to the numbers that the estimator takes, by look-ups that are made once.

encoder.json (Encoding) says in numbers what the fitted features of training/candidates.py do. Here that becomes one writer a feature. They
fill a matrix of doubles column by column, as plain Python: for a row or a hundred that is sooner done than by arrays, which cost a
microsecond an operation whatever their length.

What a value means is decided by contracts/columns.py, as everywhere. A writer takes a feature's values as they come in JSON (number, true
or false, text, null), as text where a request is all text, or as columns.parse gives them; it raises ValueError for one that is not of the
feature's kind.
"""

import time
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from contracts.columns import FALSE, TRUE, ColumnKind, parse

# What training/frame.py does to numbers and to times.
LIMIT = 1e30
DAY = 86_400

Values = Sequence[Any]
Matrix = NDArray[np.float64]
_Numbers = list[float | None]
_Writer = Callable[["array[float]", Values], None]


class Number(BaseModel):
    """A column that holds a number; `fill` is for a missing one, and `flag` the column that then is 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: int = Field(ge=0)
    fill: float
    flag: int | None = Field(default=None, ge=0)


class Categories(BaseModel):
    """The column that is 1, by category; `other`: for one that is not among them, None: then no column is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: dict[str, int]
    other: int | None = Field(default=None, ge=0)


class Encoding(BaseModel):
    """encoder.json. `numbers`: of a feature that is a number the one, of a datetime its calendar features, in frame.CALENDAR's order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(gt=0)
    numbers: dict[str, tuple[Number, ...]]
    categories: dict[str, Categories]


class Encoder:
    """An encoding, compiled."""

    def __init__(self, encoding: Encoding, features: Mapping[str, ColumnKind]) -> None:
        self._width = encoding.width
        self._row = array("d", bytes(8 * encoding.width))
        self._writers = [_writer(encoding, name, kind) for name, kind in features.items()]

    def encode(self, columns: Sequence[Values]) -> Matrix:
        """The values of each feature, in the signature's order, as rows x width. Raises ValueError."""
        rows = len(columns[0])
        cells = self._row * rows
        for write, values in zip(self._writers, columns, strict=True):
            write(cells, values)
        return np.frombuffer(cells).reshape(rows, self._width)


def _writer(encoding: Encoding, name: str, kind: ColumnKind) -> _Writer:
    if kind is ColumnKind.CATEGORICAL:
        return _categories(encoding.categories[name], encoding.width)
    numbers = encoding.numbers[name]
    if kind is ColumnKind.DATETIME:
        return _calendar(numbers, encoding.width)
    write = _number(numbers[0], encoding.width)
    if kind is ColumnKind.NUMERIC:
        return write
    flags = _Flags()
    return lambda cells, values: write(cells, [flags[value] for value in values])


def _number(number: Number, width: int) -> _Writer:
    column, fill, flag = number.column, number.fill, number.flag

    def write(cells: "array[float]", values: Values) -> None:
        cells[column::width] = array(
            "d", [fill if value is None else value if -LIMIT <= value <= LIMIT else _clip(value) for value in values]
        )
        if flag is not None and None in values:
            cells[flag::width] = array("d", [value is None for value in values])

    return write


def _clip(value: float) -> float:
    return LIMIT if value > 0 else -LIMIT


class _Flags(dict[Any, float | None]):
    """What a boolean's value is as a number. Ways to write it that nobody uses are read anew each time, so that it does not grow."""

    def __init__(self) -> None:
        for texts, number in ((TRUE, 1.0), (FALSE, 0.0)):
            self.update({written: number for text in texts for written in (text, text.capitalize(), text.upper())})
        self.update({True: 1.0, False: 0.0, None: None})

    def __missing__(self, value: Any) -> float | None:
        parsed = parse(ColumnKind.BOOLEAN, str(value))
        return None if parsed is None else float(parsed is True)


def _calendar(numbers: Sequence[Number], width: int) -> _Writer:
    """The calendar features of a moment stand side by side."""
    first, size = numbers[0].column, len(numbers)
    fills = array("d", [number.fill for number in numbers])
    flags = [number.flag - first for number in numbers if number.flag is not None]

    def write(cells: "array[float]", values: Values) -> None:
        start = first
        for value in values:
            parts = _parts(value)
            cells[start : start + size] = fills if parts is None else array("d", parts)
            if parts is None:
                for flag in flags:
                    cells[start + flag] = 1.0
            start += width

    return write


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - moments are in UTC here, without saying so: that is three times as fast


def _parts(value: Any) -> tuple[float, ...] | None:
    """Year, month, weekday, hour, days since 1970 (see frame.CALENDAR); None for a missing moment."""
    moment = _moment(value)
    if moment is None:
        return None
    since = moment - _EPOCH
    if since.microseconds:
        # As arrays have it: far from 1970 a double holds no microseconds, so that the last one of a year may be of the next.
        seconds = since.total_seconds()
        calendar = time.gmtime(floor(seconds))
        return calendar.tm_year, calendar.tm_mon, calendar.tm_wday, calendar.tm_hour, seconds / DAY
    return moment.year, moment.month, moment.weekday(), moment.hour, (since.days * DAY + since.seconds) / DAY


def _moment(value: Any) -> datetime | None:
    """What contracts.columns.parse gives, for most texts sooner."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is None and not value.isdigit():
            return moment
        value = parse(ColumnKind.DATETIME, value)
    return value.replace(tzinfo=None) if isinstance(value, datetime) else None


class _Columns(dict[str | None, int]):
    """The column of each category, -1 for none. Spaces around a category do not count."""

    def __init__(self, known: Mapping[str, int], other: int) -> None:
        super().__init__()
        self.update(known)
        self._other = other
        self[None] = self[""] = known.get("", other)

    def __missing__(self, text: str) -> int:
        return self.get(text.strip(), self._other)


def _categories(categories: Categories, width: int) -> _Writer:
    columns = _Columns(categories.columns, -1 if categories.other is None else categories.other)

    def write(cells: "array[float]", values: Iterable[str | None]) -> None:
        start = 0
        for value in values:
            column = columns[value]
            if column >= 0:
                cells[start + column] = 1.0
            start += width

    return write
