"""Summaries of columns: of bounded size, and mergeable in any order.

Counts are exact however a column is cut; sums agree to rounding. A number's bins are the baseline's, with one more on either side.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from contracts.baseline import FeatureStatistics, NumericStatistics

Numbers = NDArray[np.float64]
LIMIT = 1e30  # as training/frame.py clips
KEPT = 1000


@dataclass
class FirstNames:
    """Counts of names nobody listed before: the first KEPT of them in alphabetical order exactly, the rest as one number."""

    counts: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def add(self, counts: Mapping[str, int]) -> None:
        """Count more. A name that falls out never comes back, so those kept are complete in whatever order they came."""
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.total += sum(counts.values())
        self._cut()

    def merge(self, other: Self) -> None:
        """Add another part's counts."""
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.total += other.total
        self._cut()

    def _cut(self) -> None:
        if len(self.counts) > KEPT:
            self.counts = {name: self.counts[name] for name in sorted(self.counts)[:KEPT]}


@dataclass
class NumberSummary:
    """A column of numbers. `bins`: below the baseline, its bins, above it. Sums are of (value - center), so that they stay precise."""

    lowers: Numbers
    last: float
    center: float
    bins: NDArray[np.int64]
    missing: int = 0
    invalid: int = 0
    fractional: int = 0
    total: float = 0.0
    squares: float = 0.0
    minimum: float = np.inf
    maximum: float = -np.inf

    @classmethod
    def of(cls, baseline: NumericStatistics) -> Self:
        """Nothing yet, to be compared with this baseline; one that holds no number has no bins but the outer two."""
        buckets = baseline.distribution.kll.buckets
        lowers = np.array([bucket.lower_bound for bucket in buckets] or [0.0])
        last = buckets[-1].upper_bound if buckets else 0.0
        return cls(lowers, last, baseline.mean, np.zeros(len(lowers) + 2, dtype=np.int64))

    @property
    def present(self) -> int:
        """Cells that hold a number."""
        return int(self.bins.sum())

    @property
    def outside(self) -> int:
        """Numbers beyond the baseline's range."""
        return int(self.bins[0] + self.bins[-1])

    def add(self, values: Numbers) -> None:
        """Take more cells into account; NaN is a missing one."""
        values = values.clip(-LIMIT, LIMIT)
        highest = float(values.max(initial=-np.inf))
        if np.isnan(highest):
            holes = np.isnan(values)
            self.missing += int(holes.sum())
            values = values[~holes]
            highest = float(values.max(initial=-np.inf))
        if not len(values):
            return
        # With the twenty bins of a baseline, comparing all values with each edge is a fifth of the work of a search for each value.
        edges = [np.count_nonzero(values >= lower) for lower in self.lowers]
        self.bins -= np.diff([len(values), *edges, np.count_nonzero(values > self.last), 0])
        self.fractional += int(np.count_nonzero(values != np.floor(values)))
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, highest)
        moved = values - self.center
        self.total += float(moved.sum())
        self.squares += float(np.square(moved, out=moved).sum())

    def merge(self, other: Self) -> None:
        """Add another part's cells."""
        self.bins += other.bins
        self.missing += other.missing
        self.invalid += other.invalid
        self.fractional += other.fractional
        self.total += other.total
        self.squares += other.squares
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)


@dataclass
class TextSummary:
    """A column of categories: those of the baseline, and others."""

    known: dict[str, int]
    unknown: FirstNames = field(default_factory=FirstNames)
    missing: int = 0
    invalid: int = 0

    @classmethod
    def of(cls, categories: Iterable[str]) -> Self:
        """Nothing yet, to be compared with these categories."""
        return cls(dict.fromkeys(categories, 0))

    @property
    def present(self) -> int:
        """Cells that hold a category."""
        return sum(self.known.values()) + self.unknown.total

    def add(self, counts: Mapping[str | None, int]) -> None:
        """Take more cells into account: how often each text occurs, without the space around it; an empty one is a missing cell."""
        strange: dict[str, int] = {}
        for text, count in counts.items():
            name = text.strip() if text else ""
            if not name:
                self.missing += count
            elif name in self.known:
                self.known[name] += count
            else:
                strange[name] = strange.get(name, 0) + count
        if strange:
            self.unknown.add(strange)

    def merge(self, other: Self) -> None:
        """Add another part's cells."""
        for name, count in other.known.items():
            self.known[name] += count
        self.unknown.merge(other.unknown)
        self.missing += other.missing
        self.invalid += other.invalid


Summary = NumberSummary | TextSummary


def summary_of(feature: FeatureStatistics) -> Summary:
    """An empty summary of the column that a baseline describes."""
    if feature.numerical_statistics is not None:
        return NumberSummary.of(feature.numerical_statistics)
    if feature.string_statistics is None:
        raise ValueError(f"column {feature.name!r} has no statistics")
    return TextSummary.of(category.value for category in feature.string_statistics.distribution.categorical.buckets)
