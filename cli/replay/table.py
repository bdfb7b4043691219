"""The table that is replayed: its rows in order, each as a prediction record with its label.

A cell that is not of its column's kind goes into the record as the text that it is, so that the API, and not the client, refuses it.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.tables import open_table
from contracts.batch.rows import json_value
from contracts.columns import MISSING, ColumnKind, infer, parse
from contracts.config import Data
from contracts.errors import DataError
from contracts.evaluation import Problem


@dataclass(frozen=True)
class Row:
    """One row. `label` is the target's text, None when it is missing; `fits` says whether every cell is of its column's kind."""

    cells: list[str]
    record: dict[str, Any]
    fits: bool
    label: str | None


@dataclass(frozen=True)
class ReplayTable:
    """Every row, in the order of the replay. `order` is the column that it follows, None for the file's own order.

    `as_text`: its cells are neither numbers nor ISO times nor truth values, so "10/1" comes before "9/1".
    """

    header: list[str]
    rows: list[Row]
    order: str | None
    as_text: bool = False

    def place(self, number: int) -> str:
        """Where a row stands, in the order column's words; "" when the order is the file's."""
        return self.rows[number].cells[self.header.index(self.order)] if self.order else ""


def read_table(path: Path, data: Data, order_by: str | None, config_path: Path) -> ReplayTable:
    """Read a table, ordered by a column, or by the contract's time column when the table has it, or as it is.

    Raises DataError when it does not fit the project's data contract, or cannot be ordered so.
    """
    with open_table(path) as table:
        header = table.header
        _check_columns(path, header, data, config_path)
        if order_by is not None and order_by not in header:
            raise DataError([f"{path} has no column {order_by!r} to order by. Next: one of {', '.join(header[:20])}"])
        cells = list(table.rows)
    order = order_by or (data.time if data.time in header else None)
    as_text = False
    if order is not None:
        place = header.index(order)
        cells = ordered(cells, place, order)
        as_text = infer(row[place] for row in cells) is ColumnKind.CATEGORICAL
    return ReplayTable(header, [_row(header, row, data) for row in cells], order, as_text)


def ordered(rows: Sequence[list[str]], position: int, name: str) -> list[list[str]]:
    """Rows by a column, as numbers, times, truth values or texts, whichever all of its cells are; equal ones stay in the file's order.

    Raises DataError for a row without a value there.
    """
    kind = infer(row[position] for row in rows)
    empty = [number for number, row in enumerate(rows, 1) if parse(kind, row[position]) is None]
    if empty:
        raise DataError([f"column {name!r} is empty in {len(empty)} rows, the first is row {empty[0]}. Next: order by another column"])
    keyed: list[tuple[Any, list[str]]] = [(parse(kind, row[position]), row) for row in rows]
    return [row for _, row in sorted(keyed, key=lambda pair: pair[0])]


def write_rows(table: ReplayTable, count: int, to: Path) -> int:
    """Write those of the first `count` rows that have a label, as they are; how many."""
    known = [row.cells for row in table.rows[:count] if row.label is not None]
    with to.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([table.header, *known])
    return len(known)


def _check_columns(path: Path, header: Sequence[str], data: Data, config_path: Path) -> None:
    missing = [name for name in (data.target, *data.features) if name not in header]
    if missing:
        some = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        step = f"tide init --data {path} --target COLUMN writes a tidewheel.yaml for it"
        raise DataError([f"{path} has no column {some}, which {config_path} names. Next: {step}"])


def _row(header: Sequence[str], cells: list[str], data: Data) -> Row:
    named = dict(zip(header, cells, strict=True))
    record: dict[str, Any] = {}
    fits = True
    for name, kind in data.features.items():
        try:
            record[name] = json_value(kind, named[name])
        except ValueError:
            record[name] = named[name]
            fits = False
    return Row(cells, record, fits, _label(data, named[data.target]))


def _label(data: Data, cell: str) -> str | None:
    """A target's text; one that is no number is no label of a regression."""
    text = cell.strip()
    if data.problem is not Problem.REGRESSION:
        return text or None
    if text.lower() in MISSING:
        return None
    try:
        parse(ColumnKind.NUMERIC, text)
    except ValueError:
        return None
    return text
