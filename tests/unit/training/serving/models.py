"""Fitted models of any table, as folders that both roads of the server can load; and values of every kind of column."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from contracts.columns import ColumnKind
from contracts.evaluation import Problem
from contracts.signature import SIGNATURE, Signature
from training.candidates import Candidate, Family, fit
from training.frame import to_column, to_frame
from training.serving.graph import GraphModel
from training.serving.pipeline import PipelineModel
from training.train import write_model

CLASSES = {Problem.BINARY: ("no", 'y"e%s'), Problem.MULTICLASS: ("a,b", "ö", "%b"), Problem.REGRESSION: ()}
PARAMETERS: dict[Family, dict[str, int | float]] = {
    Family.BLEND: {},
    Family.LINEAR: {},
    Family.BOOSTING: {"max_iter": 12, "max_leaf_nodes": 5, "min_samples_leaf": 5},
}
ROWS = 60


@dataclass(frozen=True)
class Both:
    """One fitted pipeline on both roads."""

    graph: GraphModel
    pipeline: PipelineModel
    fitted: Pipeline

    @property
    def signature(self) -> Signature:
        return self.graph.signature


def signature_of(problem: Problem, kinds: list[ColumnKind]) -> Signature:
    """Features that are named after their place, one with a name that needs quoting."""
    names = [f"{place}, sold %" if place == 1 else f"f{place}" for place in range(len(kinds))]
    features = dict(zip(names, kinds, strict=True))
    classes = CLASSES[problem]
    positive = classes[1] if len(classes) == 2 else None
    return Signature(problem=problem, target="target", positive=positive, features=features, classes=classes)


def column(kind: ColumnKind, generator: np.random.Generator, missing: float) -> list[Any]:
    """A column of the training table; with every scale of numbers, and categories that are rare."""
    values: list[Any]
    if kind is ColumnKind.NUMERIC:
        values = (generator.normal(size=ROWS) * 10.0 ** generator.integers(-6, 7)).tolist()
        values[0], values[1] = -0.0, 1e30
    elif kind is ColumnKind.BOOLEAN:
        values = [bool(value) for value in generator.integers(2, size=ROWS)]
    elif kind is ColumnKind.CATEGORICAL:
        values = [f"c{min(int(value), 12)}" for value in generator.exponential(3, size=ROWS)]
    else:
        values = [datetime(1999, 12, 31, 23, tzinfo=UTC) + timedelta(hours=int(value)) for value in generator.integers(0, 200_000, ROWS)]
    return [None if generator.random() < missing else value for value in values]


def fitted(folder: Path, problem: Problem, family: Family, kinds: list[ColumnKind], seed: int) -> Both:
    """A pipeline fitted on a random table of these kinds."""
    generator = np.random.default_rng(seed)
    signature = signature_of(problem, kinds)
    columns = {
        name: to_column(kind, column(kind, generator, float(generator.choice([0.0, 0.2, 1.0], p=[0.4, 0.5, 0.1]))))
        for name, kind in signature.features.items()
    }
    target: Any = generator.normal(size=ROWS) * 100
    if signature.classes:
        target = np.arange(ROWS) % 7 % len(signature.classes)  # of unequal sizes
        generator.shuffle(target)
    pipeline = fit(Candidate(family=family, parameters=PARAMETERS[family]), signature, to_frame(signature.features, columns), target, seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SIGNATURE).write_text(signature.model_dump_json())
    write_model(pipeline, signature, folder)
    details = {"artifact_sha256": "0" * 64, "dataset_version": "1"}
    return Both(GraphModel(folder, signature, details), PipelineModel(folder, details), pipeline)


_first, _last = datetime(1, 1, 3), datetime(9999, 12, 29, 23, 59, 59, 999_999)  # noqa: DTZ001 - the zone is drawn
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(_first, _last) | st.datetimes(_first, _last, timezones=zones)
VALUES: dict[ColumnKind, st.SearchStrategy[Any]] = {
    ColumnKind.NUMERIC: st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30) | st.just(-0.0),
    ColumnKind.BOOLEAN: st.none() | st.booleans() | st.sampled_from([0, 1, 0.0, -0.0, 1.0, "yes", " NO ", "True", "f", "n/a"]),
    ColumnKind.CATEGORICAL: st.none() | st.integers(0, 14).map(lambda number: f"c{number}") | st.text(max_size=8) | st.just(" c1 "),
    ColumnKind.DATETIME: st.none() | moments.map(lambda moment: moment.isoformat()) | st.dates().map(str) | st.sampled_from(["", " null "]),
}


def rows_of(signature: Signature) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Records that fit."""
    record = st.fixed_dictionaries({name: VALUES[kind] for name, kind in signature.features.items()})
    return st.lists(record, min_size=1, max_size=6)


def table_of(signature: Signature, records: list[dict[str, Any]]) -> Any:
    """The records as an Arrow table, typed as a data frame would have them."""
    types = {ColumnKind.NUMERIC: pa.float64(), ColumnKind.BOOLEAN: pa.bool_()}
    rows = signature.parse_records(records)
    columns = {name: [row[name] for row in rows] for name in signature.features}
    utc = pa.timestamp("us", "UTC")
    return pa.table(
        {
            name: pa.array(columns[name], utc if kind is ColumnKind.DATETIME else types.get(kind, pa.string()))
            for name, kind in signature.features.items()
        }
    )
