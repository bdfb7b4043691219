"""A table's rows as lines for the model, each checked against the model's signature before anything is sent."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from contracts.columns import ColumnKind, parse, told
from contracts.errors import DataError

LONGEST_LINE = 512 * 1024
"""Bytes; half of a mini-batch."""

Hasher = Callable[[str, str], str]
"""(column, text) -> what stands for it."""

_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Good(NamedTuple):
    """A row that can be predicted: its line, with its end."""

    row: int
    line: bytes


class Rejected(NamedTuple):
    """A row that cannot."""

    row: int
    id: str
    why: str


@dataclass(frozen=True)
class Columns:
    """Where a table has what the model takes. `hashed`: columns for whose values `hasher` stands in; `quoted`: reasons may quote cells."""

    width: int
    features: Mapping[str, tuple[int, ColumnKind]]
    id: int | None = None
    id_name: str = ""
    hashed: frozenset[str] = frozenset()
    hasher: Hasher = lambda _column, text: text
    quoted: bool = True

    def examine(self, rows: Iterable[tuple[int, Sequence[str]]]) -> Iterator[Good | Rejected]:
        """Every row, in order, as one or the other."""
        for number, cells in rows:
            name = self._id(cells)
            try:
                yield Good(number, self._line(number, name, cells))
            except ValueError as error:
                yield Rejected(number, name, str(error))

    def _id(self, cells: Sequence[str]) -> str:
        if self.id is None or len(cells) != self.width:
            return ""
        text = cells[self.id].strip()
        return self.hasher(self.id_name, text) if self.id_name in self.hashed else text

    def _line(self, number: int, name: str, cells: Sequence[str]) -> bytes:
        if len(cells) != self.width:
            raise ValueError(f"it has {len(cells)} cells; the header has {self.width}")
        features: dict[str, Any] = {}
        problems = []
        for feature, (position, kind) in self.features.items():
            cell = cells[position]
            try:
                features[feature] = json_value(kind, self.hasher(feature, cell) if feature in self.hashed else cell)
            except ValueError as error:
                problems.append(f"{feature!r}: {told(error, quoted=self.quoted)}")
        if problems:
            raise ValueError("; ".join(problems))
        line = _as_json({"row": number, "id": name, "features": features}).encode() + b"\n"
        if len(line) > LONGEST_LINE:
            raise ValueError(f"it has {len(line)} bytes as JSON, and at most {LONGEST_LINE} can be sent")
        return line


def find_columns(
    source: str, header: Sequence[str], features: Mapping[str, ColumnKind], id_name: str | None, **more: Any
) -> tuple[Columns, list[str]]:
    """(the columns that the model takes, the names of those that it leaves). Raises DataError when one is missing, or there twice."""
    _check_unique(source, header)
    places = {name: position for position, name in enumerate(header)}
    missing = [name for name in features if name not in places]
    if missing:
        raise DataError(
            [f"{source} has no column {', '.join(missing)}, which the model takes. Next: add {_it(missing)} (cells may be empty)"]
        )
    if id_name is not None and id_name not in places:
        raise DataError(
            [f"{source} has no column {id_name}, which names its rows (data.id). Next: add it, or --no-id to go by row numbers"]
        )
    found = {name: (places[name], kind) for name, kind in features.items()}
    left = [name for name in header if name not in features and name != id_name]
    identity = None if id_name is None else places[id_name]
    return Columns(len(header), found, identity, id_name or "", **more), left


def _check_unique(source: str, header: Sequence[str]) -> None:
    """Names stay unsaid: of a table without a header they are cells."""
    repeated = {name for name, count in Counter(header).items() if count > 1 and name}
    if repeated:
        numbers = ", ".join(str(number) for number, name in enumerate(header, 1) if name in repeated)
        raise DataError([f"{source} has columns that share a name: {numbers}. Next: give every column a name of its own"])


def json_value(kind: ColumnKind, text: str) -> Any:
    """A cell as a JSON request carries it. Raises ValueError for a cell that is not of its kind."""
    value = parse(kind, text)
    if value is None or kind in {ColumnKind.NUMERIC, ColumnKind.BOOLEAN}:
        return value
    return text.strip()


def _it(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
