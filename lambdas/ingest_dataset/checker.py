"""One pass over a table's rows, which may lie in several files with the same columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.columns import ColumnKind, parse, told
from contracts.config import Data
from contracts.evaluation import Problem
from contracts.manifest import ColumnSummary
from contracts.names import trick_in
from contracts.statistics import Statistics, Tally
from contracts.tables.formats import FormatError
from lambdas.ingest_dataset.mistakes import Mistakes

MOST_CLASSES = 1000


@dataclass
class _Column:
    """A column that matters: feature, target or time."""

    name: str
    role: str
    tally: Tally
    index: int

    @property
    def kind(self) -> ColumnKind:
        return self.tally.kind


class Checker:
    """Holds rows against the contract. `rows` counts those that have a target."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._quotes = not data.privacy.columns
        self._vouched_for = {*data.features, *data.ignore, *data.privacy.drop, data.target, data.id, data.time}
        self._columns: list[_Column] = []
        self._target: _Column | None = None
        self._classes: set[str] = set()
        self._total = 0
        self._header: list[str] | None = None
        self._width: int | None = None  # of the file that is read; None before its header
        self._counted: dict[str, tuple[int, Statistics]] = {}
        self.rows = 0
        self.mistakes = Mistakes()

    def begin(self, file: str | None) -> None:
        """The next row is a file's header. The file's name is told in findings, unless it is None."""
        self.mistakes.file = file
        self._width = None

    def row(self, number: int, cells: Sequence[str]) -> None:
        """The header, or one row of data."""
        if self._width is None:
            self._read_header(list(cells), number)
            return
        if len(cells) != self._width:
            self.mistakes.add(f"the row has {len(cells)} cells, the header {self._width}", row=number, kind="cells")
            return
        self._total += 1
        for column in self._columns:
            text = cells[column.index]
            known = column.tally.known
            rows = known.get(text)
            if rows is None:
                self._check_cell(column, text, number)
            else:
                known[text] = rows + 1
        if self._target is not None and self._has_target(cells[self._target.index]):
            self.rows += 1

    def broken(self, error: FormatError) -> None:
        """The file cannot be read any further."""
        self.mistakes.add(str(error), self._shown(error.column) if error.column else None, error.row)

    def _read_header(self, header: list[str], row: int) -> None:
        self._width = len(header)
        for name in sorted({name for name in header if header.count(name) > 1 and name}):
            self.mistakes.add(f"occurs {header.count(name)} times in the header", self._shown(name), kind=f"repeated {name}")
        for number, name in enumerate(header, 1):
            if not name.strip():
                self.mistakes.add(f"column {number} has no name", row=row)
            # What the configuration names, its owner vouches for.
            elif name not in self._vouched_for and (trick := trick_in(name)):
                problem = f"the name {trick}. Next: rename the column, or name it in data.ignore"
                self.mistakes.add(problem, self._shown(name), row=row, kind=f"trick {name}")
        if self._header is None:
            self._header = header
            self._find_columns(header)
        else:
            self._find_again(header)

    def _find_columns(self, header: list[str]) -> None:
        data = self._data
        needed = {data.target: "target", **dict.fromkeys(data.features, "feature")}
        needed |= {name: role for name, role in ((data.id, "id"), (data.time, "time")) if name and name not in needed}
        for name, role in needed.items():
            if name not in header:
                self.mistakes.add(f"the {role} column is missing from the header", name)
            elif role != "id":
                tally = Tally(self._kind(name, role), told=name not in data.privacy.columns)
                self._columns.append(_Column(name, role, tally, header.index(name)))
        self._target = next((column for column in self._columns if column.role == "target"), None)

    def _find_again(self, header: list[str]) -> None:
        """Another file of the table: the same columns, in whatever order."""
        first = self._header or []
        for name in sorted(set(first) ^ set(header)):
            problem = "is missing, and the first file has it" if name in first else "is not in the first file"
            self.mistakes.add(f"{problem}. Next: the same columns in every file", self._shown(name))
        places = {name: place for place, name in enumerate(header)}
        if set(first) <= places.keys():
            for column in self._columns:
                column.index = places[column.name]
        else:
            self._columns, self._target = [], None  # rows of such a file cannot be looked at, and the table is refused anyway

    def _shown(self, name: str) -> str | None:
        """A name in the header. Of a table without one it is a cell."""
        return name if self._quotes or name in self._vouched_for else None

    def _kind(self, name: str, role: str) -> ColumnKind:
        if role == "target":
            return ColumnKind.NUMERIC if self._data.problem is Problem.REGRESSION else ColumnKind.CATEGORICAL
        return self._data.features.get(name, ColumnKind.DATETIME)

    def _check_cell(self, column: _Column, text: str, number: int) -> None:
        try:
            value = column.tally.see(text)
        except ValueError as error:
            self.mistakes.add(told(error, quoted=self._quotes), column.name, number, kind="value")
            return
        if value is None and column.name == self._data.time:
            self.mistakes.add("the time is missing", column.name, number)
            column.tally.known.pop(text, None)  # each row of it counts

    def _has_target(self, text: str) -> bool:
        assert self._target is not None  # noqa: S101 - the caller looked
        if text in self._classes:
            return True
        try:
            value = parse(self._target.kind, text)
        except ValueError:
            return False  # already a finding
        if value is not None and self._target.kind is ColumnKind.CATEGORICAL and len(self._classes) <= MOST_CLASSES:
            self._classes.add(str(value))
        return value is not None

    def whole_table(self) -> None:
        """What only the end of the table shows."""
        self.mistakes.file = None
        if self._header is None:
            self.mistakes.add("the file is empty")
            return
        quality = self._data.quality
        if self.rows < quality.minimum_rows and self._target is not None:
            self.mistakes.add(f"{self.rows} rows have a target; at least {quality.minimum_rows} are needed")
        for column in self._columns:
            missing, _ = self._count(column)
            share = missing / self._total if self._total else 0.0
            if column.role == "feature" and share > quality.maximum_missing:
                self.mistakes.add(f"{share:.0%} of the cells are missing; at most {quality.maximum_missing:.0%} may be", column.name)
        if self.rows and self._target is not None and self._target.kind is ColumnKind.CATEGORICAL:
            self._check_classes()

    def _check_classes(self) -> None:
        classes = sorted(self._classes)
        shown = ", ".join(repr(name[:40]) for name in classes[:5]) + (", ..." if len(classes) > 5 else "")
        shown = shown if self._quotes else f"{len(classes)} values"
        if len(classes) > MOST_CLASSES:
            self.mistakes.add(f"more than {MOST_CLASSES} different values; is it a regression?", self._data.target)
        elif len(classes) < 2:
            self.mistakes.add(f"only one value{f', {shown}' if self._quotes else ''}; a model has nothing to tell apart", self._data.target)
        elif self._data.problem is Problem.BINARY and (len(classes) != 2 or self._data.positive not in classes):
            self.mistakes.add(f"must hold {self._data.positive!r} and one other value, but holds {shown}", self._data.target)

    def _count(self, column: _Column) -> tuple[int, Statistics]:
        if column.name not in self._counted:
            self._counted[column.name] = column.tally.result()
        return self._counted[column.name]

    def summary(self) -> tuple[ColumnSummary, ...]:
        """Every column of the header, in its order; what the contract does not name is ignored."""
        checked = {column.name: column for column in self._columns}
        result = []
        for name in self._header or []:
            column = checked.get(name)
            if column is not None:
                kind = None if column.role == "target" and self._data.problem is not Problem.REGRESSION else column.kind
                missing, statistics = self._count(column)
                result.append(ColumnSummary(name=name, role=column.role, kind=kind, missing=missing, statistics=statistics))
            else:
                result.append(ColumnSummary(name=name, role="id" if name == self._data.id else "ignored", missing=0))
        return tuple(result)
