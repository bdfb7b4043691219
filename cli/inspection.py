"""A project's data contract, read off a table in one pass: kinds, problem, positive class, and which columns are no features.

Left out of the features, each with a note: constant columns (they tell nothing), texts and `id` columns that are different in every row
(they identify, and do not generalise), columns too empty for the quality gate, and private columns that are dropped. Of those that are
hashed features are made, of whatever kind they look.
"""

import difflib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.personal import Look
from cli.tables import open_table
from contracts.columns import MISSING, ColumnKind, Inference, parse
from contracts.config import Quality
from contracts.errors import DataError
from contracts.evaluation import Problem
from contracts.privacy import Privacy

REGRESSION_DISTINCT = 20
MOST_CLASSES = 100
FEWEST_ROWS = Quality().minimum_rows
# A sample of the table may be a little emptier than the table, so stay clear of the quality gate's limit.
MOST_MISSING = 0.9 * Quality().maximum_missing
POSITIVE_WORDS = frozenset({"yes", "true", "1", "1.0", "y", "t", "positive", "malignant", "churned", "fraud", "default", "spam", "failed"})
MOSTLY = 0.8
"""The share of numbers from which on a categorical column is worth a note: what else does it hold?"""
_NOTHING_PRIVATE = Privacy()
_ID_NAME = re.compile(r"(^|_|\b)(id|index|rowid|uuid)$|^Unnamed: \d+$", re.IGNORECASE)


@dataclass
class Column:
    """One column of a table. `values` holds hashes, because only `how many different ones` is asked of them.

    `words` are cells such as NA, which hold nothing, but in a categorical column may be a category (contracts/columns.py).
    """

    name: str
    inference: Inference = field(default_factory=Inference)
    look: Look = field(default_factory=Look)
    empty: int = 0
    numbers: int = 0
    odd: str = ""
    values: set[int] = field(default_factory=set)
    words: Counter[str] = field(default_factory=Counter)

    def see(self, cell: str) -> None:
        """Take a cell into account."""
        self.inference.see(cell)
        text = cell.strip()
        if not text:
            self.empty += 1
            return
        if text.lower() in MISSING:
            self.words[text] += 1
        else:
            self.values.add(hash(text))
        self.look.see(text)
        if _is_number(text):
            self.numbers += 1
        else:
            self.odd = self.odd or text

    def missing(self, kind: ColumnKind) -> int:
        """Cells that hold nothing, when the column is of this kind."""
        return self.empty + (0 if kind is ColumnKind.CATEGORICAL else self.words.total())

    def distinct(self, kind: ColumnKind) -> int:
        """Different values."""
        return len(self.values) + (len(self.words) if kind is ColumnKind.CATEGORICAL else 0)


@dataclass(frozen=True)
class Contract:
    """What was found: `data` is tidewheel.yaml's data section without names and places; `notes` explain each choice to people."""

    target: str
    problem: Problem
    positive: str | None
    identifier: str | None
    time: str | None
    features: dict[str, ColumnKind]
    ignore: dict[str, str]
    rows: int
    notes: tuple[str, ...]
    privacy: Privacy = _NOTHING_PRIVATE
    personal: dict[str, str] = field(default_factory=dict)


def inspect(
    path: Path, target: str, identifier: str | None = None, time: str | None = None, privacy: Privacy = _NOTHING_PRIVATE
) -> Contract:
    """Read a table's contract. Raises DataError with everything that stands in the way."""
    with open_table(path) as table:
        _check_roles(table.header, {"target": target, "id": identifier, "time": time})
        _check_private(table.header, privacy)
        columns = {name: Column(name) for name in table.header if name not in {target, identifier}}
        targets: Counter[str] = Counter()
        rows = 0
        position = table.header.index(target)
        for row in table.rows:
            rows += 1
            for name, cell in zip(table.header, row, strict=True):
                if name in columns:
                    columns[name].see(cell)
            if row[position].strip():
                targets[row[position].strip()] += 1
    if rows < FEWEST_ROWS:
        raise DataError([f"{path} has {rows} rows; training needs at least {FEWEST_ROWS}. Next: give a larger table"])
    problem, positive, notes = _problem(target, targets)
    if time is not None and columns[time].inference.kind is not ColumnKind.DATETIME:
        raise DataError(
            [f"--time {time!r} holds no ISO 8601 dates or times (2026-11-20, 2026-11-20T10:00:00Z). Next: convert it, or leave --time out"]
        )
    features, ignore = _features(columns, rows, time, privacy)
    if not features:
        raise DataError([f"{path} has no column that could be a feature: " + "; ".join(f"{name} {why}" for name, why in ignore.items())])
    notes += [note for column in columns.values() if column.name not in privacy.columns and (note := _almost_numeric(column, rows))]
    looks = {name: column.look.personal(name) for name, column in columns.items() if name not in privacy.columns}
    personal = {name: what for name, what in looks.items() if what}
    notes += [_personal(name, what, name in features) for name, what in personal.items()]
    return Contract(target, problem, positive, identifier, time, features, ignore, rows, tuple(notes), privacy, personal)


def slug(name: str, longest: int = 24) -> str:
    """A name as project and dataset names are: lower case, digits and single hyphens, a letter first."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    words = words if words[:1].isalpha() else f"table-{words}".strip("-")
    return words[:longest].rstrip("-")


def _check_roles(header: Sequence[str], roles: dict[str, str | None]) -> None:
    problems = []
    for role, name in roles.items():
        if name is not None and name not in header:
            folded = {column.casefold(): column for column in header}
            close = [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
            hint = (
                f"did you mean {' or '.join(close)}?"
                if close
                else f"the columns are {', '.join(header[:12])}{', ...' if len(header) > 12 else ''}"
            )
            problems.append(f"--{role} {name!r} is no column of the table; {hint}")
    named = [name for name in roles.values() if name is not None]
    if len(set(named)) < len(named):
        problems.append("--target, --id and --time must be different columns")
    if problems:
        raise DataError(problems)


def _check_private(header: Sequence[str], privacy: Privacy) -> None:
    options = (("drop", privacy.drop), ("hash", privacy.hash))
    problems = [
        f"--private-{option} {name!r} is no column of the table" for option, names in options for name in names if name not in header
    ]
    if problems:
        raise DataError(problems)


def _personal(name: str, what: str, is_feature: bool) -> str:
    option = f"--private-drop {name!r}" + (f", or --private-hash {name!r} to learn from it without knowing it" if is_feature else "")
    return f"{name!r} looks like {what}. Next, if it is personal data: {option}"


def _problem(target: str, targets: Counter[str]) -> tuple[Problem, str | None, list[str]]:
    if len(targets) < 2:
        found = f"only {next(iter(targets))!r}" if targets else "nothing"
        raise DataError(
            [f"target {target!r} holds {found}; a model needs at least two values to tell apart. Next: choose another --target"]
        )
    if len(targets) == 2:
        positive, why = _positive(targets)
        return (
            Problem.BINARY,
            positive,
            [f"binary: {target!r} is {' or '.join(sorted(targets))}; {positive!r} counts as positive, because {why}"],
        )
    known = [text for text in targets if text.lower() not in MISSING]  # of a number; a class may be called so
    if len(known) > REGRESSION_DISTINCT and all(_is_number(text) for text in known):
        return Problem.REGRESSION, None, [f"regression: {target!r} is a number with {len(known)} different values"]
    if len(targets) > MOST_CLASSES:
        raise DataError([f"target {target!r} holds {len(targets)} different texts; that is no class. Next: choose another --target"])
    notes = [f"multiclass: {target!r} has {len(targets)} classes"]
    if all(_is_number(text) for text in targets):
        notes.append("Next, if these numbers are amounts rather than classes: set data.problem to regression")
    rare = [text for text, count in targets.items() if count < 10]
    if rare:
        notes.append(
            f"classes with fewer than 10 rows may be too rare to train on: {', '.join(sorted(rare)[:5])}. Next: more rows, or none of them"
        )
    return Problem.MULTICLASS, None, notes


def _positive(targets: Counter[str]) -> tuple[str, str]:
    likely = [text for text in targets if text.lower() in POSITIVE_WORDS]
    if len(likely) == 1:
        return likely[0], "of what it says"
    rarer = min(sorted(targets), key=lambda text: targets[text])
    return rarer, f"it is the rarer one ({targets[rarer]} of {targets.total()} rows)"


def _is_number(text: str) -> bool:
    try:
        value = parse(ColumnKind.NUMERIC, text)
    except ValueError:
        return False
    return isinstance(value, float) and not math.isnan(value)


def _features(columns: dict[str, Column], rows: int, time: str | None, privacy: Privacy) -> tuple[dict[str, ColumnKind], dict[str, str]]:
    features: dict[str, ColumnKind] = {}
    ignore: dict[str, str] = {}
    for name, column in columns.items():
        if name == time or name in privacy.drop:
            continue
        kind = ColumnKind.CATEGORICAL if name in privacy.hash else column.inference.kind
        why = _no_feature(column, kind, rows)
        if not why:
            features[name] = kind
        elif name in privacy.hash:
            raise DataError([f"--private-hash {name!r} {why}, so it is no feature. Next: --private-drop {name!r}"])
        else:
            ignore[name] = why
    return features, ignore


def _almost_numeric(column: Column, rows: int) -> str | None:
    given = rows - column.empty
    if column.inference.kind is not ColumnKind.CATEGORICAL or column.numbers <= MOSTLY * given:
        return None
    return (
        f"{column.name!r} is not numeric: {given - column.numbers} of its {given} cells are no numbers, such as {column.odd[:40]!r}. "
        "Next, if they mean missing: leave them empty"
    )


def _no_feature(column: Column, kind: ColumnKind, rows: int) -> str | None:
    missing, distinct = column.missing(kind), column.distinct(kind)
    unique = distinct == rows
    if distinct < 2:
        return "is the same in every row" if distinct else "is empty"
    if unique and column.inference.kind is ColumnKind.CATEGORICAL:
        return "is a different text in every row"
    if unique and _ID_NAME.search(column.name):
        return "looks like an identifier (name it with --id)"
    if missing > MOST_MISSING * rows:
        return f"is missing in {missing / rows:.0%} of the rows"
    return None
