"""The demo's drift: the table's own rows, measured by other instruments. What is true of a row stays true; its features read differently.

    numeric        x -> mean - GAIN * (x - mean) + OFFSET * sd    an instrument that was mounted the other way round, with another zero
    categorical    x -> "new x"                                   a form whose answers were worded anew
    others         as they are

Mean and standard deviation are the column's own, so that any table drifts alike. Every difference between two rows is kept, so whoever
learns from the new readings can be as good as before, and whoever learnt from the old ones alone cannot. New readings lie beside the old
ones, so old rows do not teach anything wrong about them.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contracts.columns import ColumnKind

GAIN = 1.25
OFFSET = 4.0

Reading = Callable[[Any], Any]


def remeasured(records: Sequence[Mapping[str, Any]], features: Mapping[str, ColumnKind]) -> list[dict[str, Any]]:
    """The records as the new instruments read them; missing values stay missing."""
    readings = {name: _reading(kind, [record[name] for record in records if record[name] is not None]) for name, kind in features.items()}
    return [{name: None if value is None else readings[name](value) for name, value in record.items()} for record in records]


def _reading(kind: ColumnKind, values: Sequence[Any]) -> Reading:
    if kind is ColumnKind.NUMERIC and values:
        return _remounted(statistics.fmean(values), statistics.pstdev(values))
    if kind is ColumnKind.CATEGORICAL:
        return lambda value: f"new {value}"
    return lambda value: value


def _remounted(mean: float, deviation: float) -> Reading:
    def read(value: float) -> float:
        moved = mean - GAIN * (value - mean) + OFFSET * deviation
        return moved if math.isfinite(moved) else value

    return read
