"""The kinds of column that a table may have: how a cell's text becomes a value, and how a kind is inferred from cells.

The same rules hold everywhere: `tide init` infers with them, ingest_dataset validates with them, prepare and serve parse with them.
"""

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum

Value = float | bool | str | datetime | None

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
TRUE = frozenset({"true", "yes", "y", "t", "1", "1.0"})
FALSE = frozenset({"false", "no", "n", "f", "0", "0.0"})


class ColumnKind(StrEnum):
    """What the cells of a column hold."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"


class CellError(ValueError):
    """A cell is not of its column's kind. Its text quotes the cell; `unquoted` is for where cells must not be told."""

    def __init__(self, cell: str, wrong: str) -> None:
        super().__init__(f"{cell[:40]!r} {wrong}")
        self.unquoted = f"a value {wrong}"


def told(error: ValueError, *, quoted: bool) -> str:
    """What is wrong with a cell; with its text only where it may be `quoted`."""
    return str(error) if quoted or not isinstance(error, CellError) else error.unquoted


def parse(kind: ColumnKind, text: str) -> Value:
    """A cell's text as a value of its kind; None for a missing cell. Raises CellError with what was expected.

    `NA`, `NaN`, `null` and `none` mean a missing cell, but not in a categorical column, where they may be somebody's category.
    """
    stripped = text.strip()
    if not stripped or (kind is not ColumnKind.CATEGORICAL and stripped.lower() in MISSING):
        return None
    return _PARSERS[kind](stripped)


class Inference:
    """A column's kind, narrowed cell by cell, so that a table is inferred while it streams by."""

    def __init__(self) -> None:
        self._remaining = [ColumnKind.BOOLEAN, ColumnKind.NUMERIC, ColumnKind.DATETIME]
        self._some = False

    def see(self, cell: str) -> None:
        """Take one more cell into account."""
        self._remaining = [kind for kind in self._remaining if _parses(kind, cell)]
        self._some = self._some or bool(cell.strip())

    @property
    def kind(self) -> ColumnKind:
        """The narrowest kind that every cell so far parses as; categorical when nothing narrower does, or nothing was seen."""
        return self._remaining[0] if self._remaining and self._some else ColumnKind.CATEGORICAL


def infer(cells: Iterable[str]) -> ColumnKind:
    """The narrowest kind that every cell parses as: boolean, numeric, datetime, else categorical. An empty column is categorical."""
    inference = Inference()
    for cell in cells:
        inference.see(cell)
    return inference.kind


def _parses(kind: ColumnKind, cell: str) -> bool:
    try:
        parse(kind, cell)
    except ValueError:
        return False
    return True


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise CellError(text, "is not a number") from None
    if not math.isfinite(value) or "_" in text:
        raise CellError(text, "is not a finite number")
    return value


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered in TRUE:
        return True
    if lowered in FALSE:
        return False
    raise CellError(text, "is not true or false")


def _datetime(text: str) -> datetime:
    """ISO 8601, date or date and time; without a zone it is UTC. Bare digits are numbers, not dates."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or text.isdigit():
        raise CellError(text, "is not an ISO 8601 date or time")
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise CellError(text, "is not a time between the years 1 and 9999 in UTC") from None


def _category(text: str) -> str:
    return text


_PARSERS: dict[ColumnKind, Callable[[str], Value]] = {
    ColumnKind.NUMERIC: _number,
    ColumnKind.CATEGORICAL: _category,
    ColumnKind.BOOLEAN: _boolean,
    ColumnKind.DATETIME: _datetime,
}
