"""A collection's rows in the statistics of the version that it makes."""

from datetime import UTC, datetime
from pathlib import Path

from contracts.columns import ColumnKind
from contracts.manifest import ColumnSummary, DataFile, Manifest
from contracts.statistics import Frequent, Statistics
from tests.unit.training.tables import contract, stretch
from training.collect import Table, extend

FILE = DataFile(bucket="b", key="k", version_id="1", size=1, sha256="0" * 64, rows=2)


def joined(**statistics: Statistics) -> Table:
    return Table(
        path=Path("labelled.csv"),
        sha256="0" * 64,
        targets=["yes", "no"],
        hours=(),
        missing={"size": 1},
        statistics=statistics,
        newest=datetime(2026, 11, 20, tzinfo=UTC),
        unlabelled=0,
        unreadable=0,
    )


def test_the_version_s_statistics_are_of_all_its_rows() -> None:
    known = Statistics(present=3, distinct=1, frequent=(Frequent(value="red", rows=3),))
    columns = (
        ColumnSummary(name="colour", role="feature", kind=ColumnKind.CATEGORICAL, missing=0, statistics=known),
        ColumnSummary(name="size", role="feature", kind=ColumnKind.NUMERIC, missing=2),
        ColumnSummary(name="remark", role="ignored", missing=0),
    )
    parent = Manifest(dataset="demo", files=(FILE,), columns=columns, contract=contract("binary"))
    more = Statistics(present=2, distinct=1, frequent=(Frequent(value="blue", rows=2),))
    found = extend(parent, FILE, joined(colour=more, size=Statistics(present=1)), stretch(2))
    both = Statistics(present=5, distinct=2, frequent=(Frequent(value="red", rows=3), Frequent(value="blue", rows=2)))
    assert [column.statistics for column in found.columns] == [both, None, None]  # of `size` the parent kept none
    assert [column.missing for column in found.columns] == [0, 3, 0]
