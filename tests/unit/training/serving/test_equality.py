"""Both roads of the server say the same: of any valid rows, in any format, of any kind of table, for every model that train chooses."""

import csv
import io
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import ipc, parquet

from contracts.columns import ColumnKind, parse
from contracts.errors import RequestError
from contracts.evaluation import Problem
from contracts.runtime import TOLERANCE
from contracts.signature import Signature
from tests.unit.training.serving.models import Both, fitted, rows_of, table_of
from training.candidates import Family
from training.frame import to_column, to_frame
from training.joining import to_cell
from training.payload import decode
from training.serving.answers import classes_of
from training.serving.graph import CHUNK, GraphModel
from training.serving.media import ARROW, CSV, JSON, JSON_LINES, PARQUET
from training.serving.requests import UNFIT

K = ColumnKind
EVERY_KIND = (K.NUMERIC, K.CATEGORICAL, K.BOOLEAN, K.DATETIME, K.NUMERIC, K.CATEGORICAL)
Models = Callable[..., Both]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, few_trees: None) -> Models:
    @cache
    def make(problem: Problem, family: Family, kinds: tuple[ColumnKind, ...] = EVERY_KIND, seed: int = 0) -> Both:
        return fitted(tmp_path_factory.mktemp("model"), problem, family, list(kinds), seed)

    return make


def numbers(answer: bytes) -> list[list[Any]]:
    """What was predicted, and every number of it, row by row."""
    return [
        [row["prediction"], row.get("probability"), *row.get("probabilities", {}).values()] for row in json.loads(answer)["predictions"]
    ]


def same(problem: Problem, one: bytes, other: bytes) -> None:
    for mine, theirs in zip(numbers(one), numbers(other), strict=True):
        first = 0 if problem is Problem.REGRESSION else 1
        assert mine[:first] == theirs[:first]
        expected = [number for number in theirs[first:] if number is not None]
        found = [number for number in mine[first:] if number is not None]
        assert np.all(np.abs(np.subtract(found, expected)) <= TOLERANCE * np.maximum(1.0, np.abs(expected)))


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("problem", list(Problem))
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_the_graph_answers_as_scikit_learn_does(models: Models, problem: Problem, family: Family, data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(ColumnKind), min_size=1, max_size=5).map(tuple) | st.just(EVERY_KIND))
    both = models(problem, family, kinds, data.draw(st.integers(0, 2)))
    records = data.draw(rows_of(both.signature))
    for body in (json.dumps(records), json.dumps({"instances": records}), json.dumps(records[0])):
        same(problem, both.graph.answer(JSON, JSON, body.encode()), both.pipeline.answer(JSON, JSON, body.encode()))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_encoder_makes_the_numbers_that_the_fitted_features_make(models: Models, data: st.DataObject) -> None:
    """To the last bit, whatever the estimator makes of them."""
    both = models(Problem.REGRESSION, Family.BOOSTING, seed=data.draw(st.integers(0, 2)))
    features = both.signature.features
    records = data.draw(rows_of(both.signature))
    rows = both.signature.parse_records(records)
    frame = to_frame(features, {name: to_column(kind, [row[name] for row in rows]) for name, kind in features.items()})
    expected = both.fitted["encode"].transform(frame)
    raw = both.graph._encoder.encode([[record[name] for record in records] for name in features])
    parsed = both.graph._encoder.encode([[row[name] for row in rows] for name in features])
    assert raw.tobytes() == parsed.tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize(
    "text",
    ["1969-12-31T23:59:59.5", "9999-12-30T23:59:59.999999", "0001-01-02", "2024-02-29T23:30-01:00", " 2024-01-02 ", "2024-01-02T03Z"],
)
def test_moments_far_away_and_near_an_hours_end(models: Models, text: str) -> None:
    both = models(Problem.REGRESSION, Family.BOOSTING, (K.DATETIME,))
    moment = parse(K.DATETIME, text)
    expected = both.fitted["encode"].transform(to_frame(both.signature.features, {"f0": to_column(K.DATETIME, [moment])}))
    for value in (text, moment):
        assert both.graph._encoder.encode([[value]]).tolist() == expected.tolist()


def in_every_format(signature: Signature, records: list[dict[str, Any]]) -> dict[str, bytes]:
    """The same rows as bodies."""
    rows = signature.parse_records(records)
    lines, file, stream, table = io.StringIO(), io.BytesIO(), io.BytesIO(), table_of(signature, records)
    csv.writer(lines).writerows([[*signature.features], *([to_cell(value) for value in row.values()] for row in rows)])
    parquet.write_table(table, file)
    with ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return {
        JSON_LINES: "\n".join(map(json.dumps, records)).encode(),
        CSV: lines.getvalue().encode(),
        PARQUET: file.getvalue(),
        ARROW: stream.getvalue(),
    }


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_format_says_the_same_rows(models: Models, data: st.DataObject) -> None:
    both = models(Problem.BINARY, Family.BOOSTING)
    records = data.draw(rows_of(both.signature))
    expected = both.graph.answer(JSON, CSV, json.dumps(records).encode())
    for kind, body in in_every_format(both.signature, records).items():
        assert both.graph.answer(kind, CSV, body) == expected, kind


odd: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4) | st.builds(list) | st.builds(dict)
)
numbers_as_text = ["1", "1_0", "nan", "-inf", "1e999", "٣", " 2 "]
others_as_text = ["", "yes", "c1", "2024-01-01", "20240101", "2024-01-01T25:00", '"', "\x00"]


def bodies(signature: Signature, kind: str) -> st.SearchStrategy[bytes]:
    """Requests that nearly fit, and some that do."""
    if kind == CSV:
        width = len(signature.features)
        cells = st.sampled_from(numbers_as_text + others_as_text)
        rows = st.lists(st.lists(cells, min_size=width - 1, max_size=width), max_size=3)
        return rows.map(lambda lines: "\n".join(map(",".join, lines)).encode())
    changes = st.dictionaries(st.sampled_from([*signature.features, "x"]), odd, max_size=2)
    record = st.builds(lambda rows, change: rows[0] | change, rows_of(signature), changes)
    records = st.lists(record | odd, max_size=3)
    if kind == JSON_LINES:
        return records.map(lambda rows: "\r\n".join(map(json.dumps, rows)).encode())
    return (records | record | odd | records.map(lambda rows: {"instances": rows})).map(lambda value: json.dumps(value).encode())


def agree(graph: GraphModel, kind: str, body: bytes) -> None:
    """The quick reader takes what the exact one takes, and as the same numbers; what that refuses is refused with its words."""
    try:
        rows = decode(graph.signature, kind, body)
    except RequestError as error:
        with pytest.raises(UNFIT):
            graph.predict(graph._read.columns(kind, body))
        with pytest.raises(RequestError) as caught:
            graph.answer(kind, JSON, body)
        assert caught.value.problems == error.problems
    else:
        expected = graph._encoder.encode([[row[name] for row in rows] for name in graph.signature.features])
        assert graph._encoder.encode(graph._read.columns(kind, body)).tobytes() == expected.tobytes()


@pytest.mark.parametrize("value", [*numbers_as_text, *others_as_text, True, 0, -0.0, 10**400, 1e30, -1e31, [], {}, None])
def test_one_value_among_missing_ones_is_taken_or_refused_alike(models: Models, value: object) -> None:
    graph = models(Problem.REGRESSION, Family.LINEAR).graph
    for name in graph.signature.features:
        record = dict.fromkeys(graph.signature.features) | {name: value}
        agree(graph, JSON, json.dumps(record).encode())
        agree(graph, JSON, json.dumps([record, record]).encode())
        if isinstance(value, str) and value != '"':
            agree(graph, CSV, ",".join(str(cell or "") for cell in record.values()).encode())


@pytest.mark.parametrize("kind", [JSON, JSON_LINES, CSV])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_quick_reader_takes_nothing_that_the_exact_one_refuses(models: Models, kind: str, data: st.DataObject) -> None:
    graph = models(Problem.REGRESSION, Family.LINEAR).graph
    agree(graph, kind, data.draw(bodies(graph.signature, kind) | st.binary(max_size=40)))


@pytest.mark.parametrize("kind", [PARQUET, ARROW])
def test_a_broken_table_is_refused_and_the_next_one_is_read(models: Models, kind: str) -> None:
    graph = models(Problem.BINARY, Family.BOOSTING).graph
    record = dict.fromkeys(graph.signature.features)
    whole = in_every_format(graph.signature, [record, record])[kind]
    expected = graph.answer(kind, JSON, whole)
    generator = np.random.default_rng(3)
    for _ in range(60):
        broken = bytearray(whole)
        for place in generator.integers(0, len(whole), 3):
            broken[place] = generator.integers(256)
        try:
            graph.answer(kind, JSON, bytes(broken[: generator.integers(1, len(whole) + 1)] if generator.random() < 0.3 else broken))
        except RequestError as error:
            assert error.problems
    assert graph.answer(kind, JSON, whole) == expected


def test_a_request_of_many_rows_is_its_rows(models: Models) -> None:
    both = models(Problem.MULTICLASS, Family.BOOSTING)
    records = [dict.fromkeys(both.signature.features) | {"f0": float(number)} for number in range(CHUNK + 7)]
    whole = numbers(both.graph.answer(JSON, JSON, json.dumps(records).encode()))
    for number in (0, CHUNK - 1, CHUNK, CHUNK + 6):
        assert whole[number : number + 1] == numbers(both.graph.answer(JSON, JSON, json.dumps(records[number]).encode()))


def test_classes_are_those_of_argmax() -> None:
    chances = np.array([0.5, 0.5000000000000001, 0.49999999999999994, 0.0, 1.0])
    assert classes_of(Problem.BINARY, chances.reshape(-1, 1)).tolist() == np.column_stack([1 - chances, chances]).argmax(axis=1).tolist()


def test_requests_that_fit_and_that_do_not_leave_nothing_behind(models: Models) -> None:
    """Texts that never come again are not remembered."""
    graph = models(Problem.BINARY, Family.BOOSTING).graph
    process = psutil.Process()
    category = next(name for name, kind in graph.signature.features.items() if kind is K.CATEGORICAL)

    def ask(start: int) -> None:
        for number in range(start, start + 1500):
            strange = f"{number:04000d} is no number"
            record = dict.fromkeys(graph.signature.features) | {category: strange}
            graph.answer(JSON, JSON, json.dumps(record).encode())
            with pytest.raises(RequestError):
                graph.answer(JSON, JSON, json.dumps(record | {"f0": strange}).encode())

    ask(0)
    before = process.memory_info().rss
    ask(1500)
    assert process.memory_info().rss - before < 1 << 20
