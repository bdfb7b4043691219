"""Made-up rows fit any data contract, and can be learnt."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.prove_iam.rows import as_csv, make_rows
from contracts.columns import ColumnKind, parse
from contracts.config import Data

FEATURES = {"height": "numeric", "moon": "categorical", "calm": "boolean", "seen": "datetime"}


def _data(problem: str) -> Data:
    positive = {"positive": "yes"} if problem == "binary" else {}
    return Data.model_validate({"dataset": "tides", "target": "swims", "problem": problem, "id": "key", "features": FEATURES} | positive)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
@given(seed=st.integers(0, 1000))
def test_a_table_fits_its_contract(problem: str, seed: int) -> None:
    data = _data(problem)
    table = list(csv.DictReader(io.StringIO(as_csv(data, make_rows(data, 30, seed)).decode())))
    assert list(table[0]) == ["key", *FEATURES, "swims"]
    assert len({row["key"] for row in table}) == 30
    for name, kind in FEATURES.items():
        assert all(parse(ColumnKind(kind), row[name]) is not None for row in table)
    assert len({row["swims"] for row in table}) > 1


def test_the_truth_follows_the_features_unless_it_is_not_to_be_learnt() -> None:
    data = _data("binary")
    learnable = [row.label == "yes" for row in make_rows(data, 400, 1) if row.record["height"] > 0]
    noise = [row.label == "yes" for row in make_rows(data, 400, 1, learnable=False) if row.record["height"] > 0]
    assert sum(learnable) / len(learnable) > 0.6 > sum(noise) / len(noise)


def test_of_turned_rows_the_opposite_is_true() -> None:
    data = _data("binary")
    rows, turned = make_rows(data, 20, 1), make_rows(data, 20, 1, turned=True)
    assert [row.record for row in rows] == [row.record for row in turned]
    assert all(after.label != before.label for before, after in zip(rows, turned, strict=True))
