"""What a column holds, in numbers: read in one pass, of every row, in memory that does not grow with the table.

A column's texts are counted up to KNOWN_TEXTS different ones; of a numeric or datetime column whose texts are more, the others are added up
as they come. Values are told as the data contract reads them, so `1` and `1.0` of a numeric column are one value, whatever the format.
Of a private column only counts are told, and nothing of its values (contracts/privacy.py).
"""

import math
from collections import Counter
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.columns import ColumnKind, Value, parse

KNOWN_TEXTS = 4096  # different ones of a column; most columns repeat themselves
LONGEST_KNOWN = 64  # characters
SHOWN_CATEGORIES = 20
_PENDING = 4096


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Frequent(_Part):
    """A category and its rows; a truth value is `true` or `false`."""

    value: str
    rows: int = Field(gt=0)


class Statistics(_Part):
    """One column over all rows of a version. What a kind has not, and what may not be told, is None or empty.

    `distinct`: different values; None when they were too many to count, more than KNOWN_TEXTS different texts, or longer ones, and when two
    parts of a table were counted apart that are not told whole.
    `frequent`: at most SHOWN_CATEGORIES categories or truth values, the most frequent first; without `distinct` they are those of the
    KNOWN_TEXTS that came first, which have at least two rows.
    `standard_deviation` is the sample's, with n - 1.
    """

    present: int = Field(ge=0, description="rows that have a value")
    distinct: int | None = Field(default=None, ge=0)
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    standard_deviation: float | None = None
    earliest: datetime | None = None
    latest: datetime | None = None
    frequent: tuple[Frequent, ...] = ()

    @property
    def names_all(self) -> bool:
        """Whether `frequent` has every value: one that it does not name has no rows."""
        return self.distinct is not None and self.distinct == len(self.frequent)

    def merged(self, other: Self) -> Self:
        """Of the rows of both, which were counted apart."""
        moments = _moments(self)
        moments.merge(_moments(other))
        times = [time for time in (self.earliest, other.earliest, self.latest, other.latest) if time is not None]
        together = {"present": self.present + other.present, "frequent": _together(self, other)}
        if self.names_all and other.names_all:
            together["distinct"] = len({each.value for each in (*self.frequent, *other.frequent)})
        if times:
            together |= {"earliest": min(times), "latest": max(times)}
        return type(self).model_validate(together | _of_moments(moments))


def _moments(of: Statistics) -> "Moments":
    found = Moments()
    if of.mean is not None and of.minimum is not None and of.maximum is not None:
        found.count, found.mean = of.present, of.mean
        unknown = 0.0 if of.present == 1 else math.inf
        found.squares = unknown if of.standard_deviation is None else of.standard_deviation**2 * (of.present - 1)
        found.minimum, found.maximum = of.minimum, of.maximum
    return found


def _of_moments(moments: "Moments") -> dict[str, float | None]:
    if not moments.count:
        return {}
    spread = math.sqrt(moments.squares / (moments.count - 1)) if moments.count > 1 else None
    return {
        "minimum": moments.minimum,
        "maximum": moments.maximum,
        "mean": _finite(moments.mean),
        "standard_deviation": _finite(spread),
    }


def _together(a: Statistics, b: Statistics) -> tuple[Frequent, ...]:
    """The categories whose rows are known in both."""
    known = [{each.value: each.rows for each in of.frequent} for of in (a, b)]
    values = {value for of in known for value in of}
    rows = {
        value: sum(of.get(value, 0) for of in known)
        for value in values
        if all(value in of or whole.names_all for of, whole in zip(known, (a, b), strict=True))
    }
    ordered = sorted(rows.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Frequent(value=value, rows=count) for value, count in ordered[:SHOWN_CATEGORIES])


class Moments:
    """Count, mean, spread and borders of numbers that come in any number: exact sums of blocks, put together after Chan et al. (1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0
        self.minimum, self.maximum = math.inf, -math.inf

    def add(self, values: list[float]) -> None:
        """A block of numbers."""
        if not values:
            return
        mean = math.fsum(value / len(values) for value in values)
        other = Moments()
        other.count, other.mean = len(values), mean
        other.squares = math.fsum((value - mean) * (value - mean) for value in values)
        other.minimum, other.maximum = min(values), max(values)
        self.merge(other)

    def merge(self, other: Self) -> None:
        """The other's numbers too."""
        if not other.count:
            return
        total = self.count + other.count
        apart = other.mean - self.mean
        self.squares += other.squares + apart * apart * self.count * other.count / total
        self.mean += apart * other.count / total
        self.count = total
        self.minimum, self.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)


class Tally:
    """The cells of one column, one after the other. `told`: whether its values may be told."""

    def __init__(self, kind: ColumnKind, *, told: bool) -> None:
        self.kind = kind
        # Text -> its rows. The caller counts texts that are in here by itself: this is what every cell of a table costs.
        self.known: dict[str, int] = {}
        self._told = told
        self._many = False
        self._missing = 0
        self._others = 0
        self._pending: list[float] = []
        self._moments = Moments()
        self._earliest: datetime | None = None
        self._latest: datetime | None = None

    def see(self, text: str) -> Value:
        """A cell that is not known; its value. Raises CellError for one that is not of the column's kind, which then does not count."""
        value = parse(self.kind, text)
        if len(text) <= LONGEST_KNOWN and len(self.known) < KNOWN_TEXTS:
            self.known[text] = 1
        elif value is None:
            self._missing += 1
        else:
            self._many = True
            self._others += 1
            self._add(value)
        return value

    def count(self, text: str) -> None:
        """A cell, known or not. Raises CellError like `see`."""
        if text in self.known:
            self.known[text] += 1
        else:
            self.see(text)

    def _add(self, value: Value) -> None:
        if isinstance(value, datetime):
            self._earliest = min(self._earliest or value, value)
            self._latest = max(self._latest or value, value)
        elif isinstance(value, float):
            self._pending.append(value)
            if len(self._pending) >= _PENDING:
                self._flush()

    def _flush(self) -> None:
        self._moments.add(self._pending)
        self._pending.clear()

    def result(self) -> tuple[int, Statistics]:
        """(cells without a value, statistics of the others). Call it once, at the end."""
        counts: Counter[Value] = Counter()
        for text, rows in self.known.items():
            counts[parse(self.kind, text)] += rows
        missing = self._missing + counts.pop(None, 0)
        present = counts.total() + self._others
        distinct = None if self._many else len(counts)
        if not self._told:
            return missing, Statistics(present=present, distinct=distinct)
        if self.kind is ColumnKind.NUMERIC:
            return missing, self._numbers(counts, present, distinct)
        if self.kind is ColumnKind.DATETIME:
            for value in counts:
                self._add(value)
            return missing, Statistics(present=present, distinct=distinct, earliest=self._earliest, latest=self._latest)
        return missing, Statistics(present=present, distinct=distinct, frequent=_frequent(counts, distinct))

    def _numbers(self, counts: "Counter[Value]", present: int, distinct: int | None) -> Statistics:
        self._flush()
        moments = self._moments
        for value, rows in counts.items():
            same = Moments()
            same.count, same.mean = rows, float(value)  # type: ignore[arg-type]  # numeric cells are floats
            same.minimum = same.maximum = same.mean
            moments.merge(same)
        return Statistics(present=present, distinct=distinct, **_of_moments(moments))


def _finite(value: float | None) -> float | None:
    """JSON has no infinity, which is what the squares of very large numbers come to."""
    return value if value is not None and math.isfinite(value) else None


def _frequent(counts: "Counter[Value]", distinct: int | None) -> tuple[Frequent, ...]:
    named = [(_name(value), rows) for value, rows in counts.items() if rows > 1 or (distinct or math.inf) <= SHOWN_CATEGORIES]
    named.sort(key=lambda pair: (-pair[1], pair[0]))
    return tuple(Frequent(value=name, rows=rows) for name, rows in named[:SHOWN_CATEGORIES])


def _name(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
