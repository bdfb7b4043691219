"""What moved in the columns of two versions of a table: their statistics compared, from the manifests alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.manifest import ColumnSummary, Manifest
from contracts.statistics import SHOWN_CATEGORIES, Statistics

NUMBERS = ("minimum", "maximum", "mean", "standard_deviation")
TIMES = ("earliest", "latest")
SHARE_SHOWN = 0.01  # a category's share that moved by less is for machines only

Value = float | int | str | None


@dataclass(frozen=True)
class Movement:
    """A statistic of a column, before and after: `what` is its name, or `share of <category>`. `in_words`: "" for too little to say."""

    column: str
    what: str
    before: Value
    after: Value
    in_words: str


def movements(a: Manifest, b: Manifest) -> tuple[Movement, ...]:
    """Everything that differs in columns that both have. A version of before statistics were kept has none to compare."""
    after = {column.name: column for column in b.columns}
    return tuple(each for column in a.columns if column.name in after for each in _of(column, after[column.name]))


def _of(a: ColumnSummary, b: ColumnSummary) -> Iterator[Movement]:
    if a.statistics is None or b.statistics is None or a.kind != b.kind:
        return
    before, after = a.statistics, b.statistics
    spread = before.standard_deviation
    for what in NUMBERS:
        old, new = getattr(before, what), getattr(after, what)
        if old != new:
            by = f" ({(new - old) / spread:+.2g} standard deviations)" if what == "mean" and spread and None not in (old, new) else ""
            yield _moved(a.name, what, old, new, by)
    if before.distinct != after.distinct:
        yield _moved(a.name, "distinct values", before.distinct, after.distinct)
    for what in TIMES:
        old, new = getattr(before, what), getattr(after, what)
        if old != new:
            yield _moved(a.name, what, old and old.isoformat(), new and new.isoformat())
    yield from _shares(a.name, before, after)


def _shares(column: str, before: Statistics, after: Statistics) -> Iterator[Movement]:
    old, new = _told_shares(before), _told_shares(after)
    for value in sorted({*old, *new}, key=lambda value: -max(old.get(value, 0.0), new.get(value, 0.0))):
        was = old.get(value, 0.0 if _all_told(before) else None)
        became = new.get(value, 0.0 if _all_told(after) else None)
        if was != became:
            is_little = was is not None and became is not None and abs(was - became) < SHARE_SHOWN
            words = "" if is_little else f"{column}: {value!r} {_percent(was)} -> {_percent(became)}"
            yield Movement(column, f"share of {value}", was, became, words)


def _told_shares(of: Statistics) -> dict[str, float]:
    return {each.value: each.rows / of.present for each in of.frequent}


def _all_told(of: Statistics) -> bool:
    """Whether every category is among those that are named: one that is not has no rows."""
    return of.distinct is not None and of.distinct <= SHOWN_CATEGORIES


def _moved(column: str, what: str, before: Value, after: Value, more: str = "") -> Movement:
    old, new = shown(before), shown(after)
    return Movement(column, what, before, after, f"{column}: {what.replace('_', ' ')} {old} -> {new}{more}" if old != new else "")


def shown(value: Value) -> str:
    """A statistic for people: four digits of a number."""
    if value is None:
        return "unknown"
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"
