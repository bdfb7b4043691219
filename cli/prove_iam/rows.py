"""Rows for any data contract: made up, but learnable, so that a model that is trained on some beats one that ignores the features."""

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.columns import ColumnKind
from contracts.config import Data
from contracts.evaluation import Problem

WORDS = ("new", "half", "full")
CLASSES = ("low", "middle", "high")
STEPS = 32
"""Numbers between two whole ones: with fewer than 255 different numbers in a column, trees are grown several times as fast."""
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A row's features, and what is true of it."""

    record: dict[str, Any]
    label: str


def make_rows(data: Data, count: int, seed: int, *, learnable: bool = True, turned: bool = False) -> list[Row]:
    """So many rows. Without `learnable` the truth has nothing to do with the features; `turned`: the opposite is true."""
    chance = random.Random(seed)  # noqa: S311 - made-up rows, not a secret
    rows = []
    for _ in range(count):
        drawn = {name: chance.gauss(0, 1) for name in data.features}
        record = {name: _cell(kind, drawn[name]) for name, kind in data.features.items()}
        score = sum(drawn.values()) if learnable else chance.gauss(0, len(drawn) ** 0.5)
        rows.append(Row(record, _label(data, -score if turned else score, len(drawn) ** 0.5)))
    return rows


def as_csv(data: Data, rows: Sequence[Row], first: int = 0) -> bytes:
    """A table to upload; ids and times go on from row `first`."""
    names = [name for name in (data.id, data.time) if name is not None and name not in data.features]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names, *data.features, data.target], lineterminator="\n")
    writer.writeheader()
    for number, row in enumerate(rows, first):
        known = {data.id: f"row-{number}", data.time: (_FIRST + timedelta(minutes=number)).isoformat()}
        writer.writerow({name: known[name] for name in names} | row.record | {data.target: row.label})
    return text.getvalue().encode()


def _cell(kind: ColumnKind, drawn: float) -> Any:
    match kind:
        case ColumnKind.NUMERIC:
            return round(drawn * STEPS) / STEPS
        case ColumnKind.BOOLEAN:
            return drawn > 0
        case ColumnKind.DATETIME:
            return (_FIRST + timedelta(hours=drawn)).isoformat()
        case ColumnKind.CATEGORICAL:
            return _third(WORDS, drawn, 1.0)


def _label(data: Data, score: float, deviation: float) -> str:
    match data.problem:
        case Problem.REGRESSION:
            return f"{score:.4f}"
        case Problem.BINARY:
            return str(data.positive) if score > 0 else f"not {data.positive}"
        case Problem.MULTICLASS:
            return _third(CLASSES, score, deviation)


def _third(names: Sequence[str], drawn: float, deviation: float) -> str:
    return names[(drawn > -0.43 * deviation) + (drawn > 0.43 * deviation)]
