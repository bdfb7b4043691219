"""Tables compared by their manifests alone: what moved, in numbers and in words."""

from typing import Any

import pytest

from cli.datasets.difference import compare
from cli.datasets.movement import Movement
from cli.datasets.store import Version
from contracts.columns import ColumnKind
from contracts.config import Data
from contracts.manifest import ColumnSummary, DataFile, Manifest
from contracts.statistics import Frequent, Statistics
from contracts.tree import tree_of

CONTRACT = Data.model_validate({"dataset": "d", "target": "y", "problem": "regression", "features": {"x": "numeric"}})


def version(statistics: Statistics | None, kind: ColumnKind = ColumnKind.NUMERIC, sha256: str = "a" * 64, rows: int = 100) -> Version:
    file = DataFile(bucket="b", key="uploads/d/t.csv", version_id="v1", size=10, sha256=sha256, rows=rows)
    column = ColumnSummary(name="x", role="feature", kind=kind, missing=0, statistics=statistics)
    manifest = Manifest(dataset="d", files=(file,), columns=(column,), contract=CONTRACT)
    return Version(tree_of(manifest), manifest.version, manifest)


def moved(before: Statistics | None, after: Statistics | None, kind: ColumnKind = ColumnKind.NUMERIC) -> tuple[Movement, ...]:
    return compare(version(before, kind), version(after, kind)).statistics


def numbers(**changes: Any) -> Statistics:
    values = {"present": 100, "distinct": 9, "minimum": 0.0, "maximum": 9.0, "mean": 4.0, "standard_deviation": 2.0}
    return Statistics.model_validate(values | changes)


def shares(**rows: int) -> Statistics:
    return Statistics(
        present=sum(rows.values()), distinct=len(rows), frequent=tuple(Frequent(value=name, rows=count) for name, count in rows.items())
    )


def test_what_is_the_same_did_not_move() -> None:
    assert moved(numbers(), numbers()) == ()


def test_numbers_say_how_far_they_moved() -> None:
    assert moved(numbers(), numbers(mean=4.5, maximum=10.0)) == (
        Movement("x", "maximum", 9.0, 10.0, "x: maximum 9 -> 10"),
        Movement("x", "mean", 4.0, 4.5, "x: mean 4 -> 4.5 (+0.25 standard deviations)"),
    )


def test_what_moved_by_too_little_is_for_machines() -> None:
    (found,) = moved(numbers(), numbers(mean=4.00001))
    assert (found.before, found.after, found.in_words) == (4.0, 4.00001, "")


def test_categories_come_go_and_change_their_share() -> None:
    found = moved(shares(a=50, b=49, c=1), shares(a=60, b=40), ColumnKind.CATEGORICAL)
    assert [each.in_words for each in found] == [
        "x: distinct values 3 -> 2",
        "x: 'a' 50.0% -> 60.0%",
        "x: 'b' 49.0% -> 40.0%",
        "x: 'c' 1.0% -> 0.0%",
    ]


def test_a_category_that_is_not_named_among_many_is_unknown() -> None:
    many = Statistics(present=100, distinct=None, frequent=(Frequent(value="a", rows=50),))
    (distinct, share) = moved(shares(a=50, b=50), many, ColumnKind.CATEGORICAL)
    assert distinct.in_words == "x: distinct values 2 -> unknown"
    assert share == Movement("x", "share of b", 0.5, None, "x: 'b' 50.0% -> unknown")


@pytest.mark.parametrize(("before", "after"), [(None, numbers()), (numbers(), None), (None, None)])
def test_a_version_of_before_statistics_were_kept_compares_without(before: Statistics | None, after: Statistics | None) -> None:
    assert moved(before, after) == ()


def test_a_column_of_another_kind_is_said_and_not_compared() -> None:
    found = compare(version(numbers()), version(shares(a=1), ColumnKind.CATEGORICAL))
    assert found.statistics == ()
    assert found.columns == ("x: numeric -> categorical",)


def test_times_are_told_as_iso() -> None:
    before = Statistics.model_validate({"present": 2, "earliest": "2026-01-01T00:00:00Z", "latest": "2026-02-01T00:00:00Z"})
    after = before.model_copy(update={"latest": None})
    assert [each.in_words for each in moved(before, after, ColumnKind.DATETIME)] == ["x: latest 2026-02-01T00:00:00+00:00 -> unknown"]
