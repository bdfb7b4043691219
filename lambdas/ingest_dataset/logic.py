"""Does a table keep the project's data contract? All findings at once, from one pass over the rows.

Per column it keeps a count and a first row for each kind of mistake, never the rows themselves, so a table may be of any length. Findings
quote cells, but none where there are private columns: a row that has slipped may hold anything in any column.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from contracts.columns import ColumnKind, parse, told
from contracts.config import Data
from contracts.evaluation import Problem
from contracts.manifest import ColumnSummary, DataFile, Manifest
from contracts.names import trick_in
from contracts.refusal import Finding
from lambdas.table import Digested, FormatError, rows

SHOWN_FINDINGS = 20
MOST_CLASSES = 1000
KNOWN_CELLS = 4096  # a column's texts that were parsed already; most columns repeat themselves


@dataclass(frozen=True)
class Report:
    """What one pass found. `rows` counts rows that have a target."""

    sha256: str
    size: int
    rows: int
    columns: tuple[ColumnSummary, ...]
    findings: tuple[Finding, ...]


@dataclass
class _Mistakes:
    """Mistakes by column and kind, in the order in which they are first seen."""

    found: dict[tuple[str | None, str], tuple[str, int | None, int]] = field(default_factory=dict)

    def add(self, problem: str, column: str | None = None, row: int | None = None, kind: str = "") -> None:
        key = (column, kind or problem)
        first, first_row, count = self.found.get(key, (problem, row, 0))
        self.found[key] = (first, first_row, count + 1)

    def findings(self) -> tuple[Finding, ...]:
        all_of_them = [
            Finding(problem=problem, column=column, row=row, count=count) for (column, _kind), (problem, row, count) in self.found.items()
        ]
        hidden = len(all_of_them) - SHOWN_FINDINGS
        if hidden > 0:
            return (*all_of_them[:SHOWN_FINDINGS], Finding(problem=f"and {hidden} more kinds of mistake"))
        return tuple(all_of_them)


@dataclass
class _Column:
    """A column that matters: feature, target or time."""

    name: str
    role: str
    kind: ColumnKind
    index: int
    missing: int = 0
    known: dict[str, bool] = field(default_factory=dict)  # text -> whether it holds a value


def check(chunks: Iterable[bytes], data: Data) -> Report:
    """Read a table once and hold it against the contract."""
    file = Digested(chunks)
    checker = _Checker(data)
    try:
        for number, cells in rows(file):
            checker.row(number, cells)
        checker.whole_table()
    except FormatError as error:
        checker.mistakes.add(str(error), row=error.row)
    sha256 = file.drain()
    return Report(sha256, file.size, checker.rows, checker.summary(), checker.mistakes.findings())


def digest(chunks: Iterable[bytes]) -> tuple[str, int]:
    """SHA-256 and size of a file that is not worth reading as a table."""
    file = Digested(chunks)
    return file.drain(), file.size


def make_manifest(report: Report, data: Data, bucket: str, key: str, version_id: str) -> Manifest:
    """The dataset version that a good table makes."""
    file = DataFile(bucket=bucket, key=key, version_id=version_id, size=report.size, sha256=report.sha256, rows=report.rows)
    return Manifest(dataset=data.dataset, files=(file,), columns=report.columns, contract=data)


class _Checker:
    """One pass over a table."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._quotes = not data.privacy.columns
        self._vouched_for = {*data.features, *data.ignore, *data.privacy.drop, data.target, data.id, data.time}
        self._header: list[str] | None = None
        self._columns: list[_Column] = []
        self._target: _Column | None = None
        self._classes: set[str] = set()
        self._total = 0
        self.rows = 0
        self.mistakes = _Mistakes()

    def row(self, number: int, cells: Sequence[str]) -> None:
        """The header, or one row of data."""
        if self._header is None:
            self._read_header(list(cells))
            return
        if len(cells) != len(self._header):
            self.mistakes.add(f"the row has {len(cells)} cells, the header {len(self._header)}", row=number, kind="cells")
            return
        self._total += 1
        for column in self._columns:
            text = cells[column.index]
            holds = column.known.get(text)
            if holds is None:
                self._check_cell(column, text, number)
            elif not holds:
                column.missing += 1
        if self._target is not None and self._has_target(cells[self._target.index]):
            self.rows += 1

    def _read_header(self, header: list[str]) -> None:
        self._header = header
        data = self._data
        for name in sorted({name for name in header if header.count(name) > 1 and name}):
            self.mistakes.add(f"occurs {header.count(name)} times in the header", self._shown(name), kind=f"repeated {name}")
        for number, name in enumerate(header, 1):
            if not name.strip():
                self.mistakes.add(f"column {number} has no name", row=1)
            # What the configuration names, its owner vouches for.
            elif name not in self._vouched_for and (trick := trick_in(name)):
                problem = f"the name {trick}. Next: rename the column, or name it in data.ignore"
                self.mistakes.add(problem, self._shown(name), row=1, kind=f"trick {name}")
        needed = {data.target: "target", **dict.fromkeys(data.features, "feature")}
        needed |= {name: role for name, role in ((data.id, "id"), (data.time, "time")) if name and name not in needed}
        for name, role in needed.items():
            if name not in header:
                self.mistakes.add(f"the {role} column is missing from the header", name)
            elif role != "id":
                self._columns.append(_Column(name, role, self._kind(name, role), header.index(name)))
        self._target = next((column for column in self._columns if column.role == "target"), None)

    def _shown(self, name: str) -> str | None:
        """A name in the header. Of a table without one it is a cell."""
        return name if self._quotes or name in self._vouched_for else None

    def _kind(self, name: str, role: str) -> ColumnKind:
        if role == "target":
            return ColumnKind.NUMERIC if self._data.problem is Problem.REGRESSION else ColumnKind.CATEGORICAL
        return self._data.features.get(name, ColumnKind.DATETIME)

    def _check_cell(self, column: _Column, text: str, number: int) -> None:
        try:
            value = parse(column.kind, text)
        except ValueError as error:
            self.mistakes.add(told(error, quoted=self._quotes), column.name, number, kind="value")
            return
        if value is None:
            column.missing += 1
            if column.name == self._data.time:
                self.mistakes.add("the time is missing", column.name, number)
                return  # each row of it counts
        if len(column.known) < KNOWN_CELLS and len(text) <= 64:
            column.known[text] = value is not None

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
        if self._header is None:
            self.mistakes.add("the file is empty")
            return
        quality = self._data.quality
        if self.rows < quality.minimum_rows and self._target is not None:
            self.mistakes.add(f"{self.rows} rows have a target; at least {quality.minimum_rows} are needed")
        for column in self._columns:
            share = column.missing / self._total if self._total else 0.0
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

    def summary(self) -> tuple[ColumnSummary, ...]:
        """Every column of the header, in its order; what the contract does not name is ignored."""
        checked = {column.name: column for column in self._columns}
        result = []
        for name in self._header or []:
            column = checked.get(name)
            if column is not None:
                kind = None if column.role == "target" and self._data.problem is not Problem.REGRESSION else column.kind
                result.append(ColumnSummary(name=name, role=column.role, kind=kind, missing=column.missing))
            else:
                result.append(ColumnSummary(name=name, role="id" if name == self._data.id else "ignored", missing=0))
        return tuple(result)
