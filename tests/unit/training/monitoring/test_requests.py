"""The quick way of reading many requests and the exact way of reading one count the same."""

import base64
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import ipc, parquet

from contracts.columns import ColumnKind
from tests.unit.training.monitoring import traffic
from training.monitoring import scan as scanning
from training.monitoring.captures import Payload
from training.monitoring.requests import Columns, RequestReader
from training.monitoring.scan import WindowSummary

NUMBERS = st.one_of(st.none(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False))
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "age": NUMBERS,
    "income": NUMBERS,
    "city": st.one_of(st.none(), st.sampled_from([*traffic.CITIES, " Zug ", "", "Chur", "NA", "Z\u00fcrich"])),
    "member": st.one_of(st.none(), st.booleans(), st.sampled_from(["true", "no", "perhaps"])),
    "since": st.one_of(st.none(), st.sampled_from(["2026-11-20", "2026-11-20T10:00:00Z", "yesterday"])),
}
ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(-3, 10**400), st.sampled_from(["old", "", "1.5", [1], {"a": 1}]))
fitting = st.fixed_dictionaries(FITTING)
strange = st.dictionaries(st.sampled_from([*traffic.KINDS, "shoe"]), ANYTHING, max_size=4)
records = st.lists(st.one_of(fitting, st.builds(lambda record, other: record | other, fitting, strange), strange), max_size=3)
texts = st.one_of(
    st.builds(lambda rows, indent: json.dumps({"instances": rows}, indent=indent), records, st.sampled_from([None, 1])),
    st.builds(json.dumps, records),
    st.builds(lambda rows: "\n".join(map(json.dumps, rows)), records),
    st.builds(lambda rows: json.dumps({"instances": rows, "more": 1}), records),
    st.builds(lambda rows: json.dumps({"instances": rows})[:-3], records),
    st.sampled_from(["", "[]", "{}", "null", '{"instances": [{}]}{"instances": []}', '{"instances": null}']),
)


def summarised(columns: Columns) -> WindowSummary:
    """What the window's summary takes of columns."""
    summary = traffic.scanner().empty()
    scanning._add_columns(summary, columns)
    return summary


@settings(deadline=None, max_examples=150)
@given(st.lists(texts, max_size=6))
def test_many_requests_at_once_count_as_each_by_itself(bodies: list[str]) -> None:
    payloads = [Payload(body, "JSON", "application/json") for body in bodies]
    reader = RequestReader(traffic.KINDS)
    quick, exact = Columns(), Columns()
    reader.read(payloads, quick)
    for payload in payloads:
        reader._read_one(payload, exact)
    assert traffic.comparable(summarised(quick)) == traffic.comparable(summarised(exact))


def test_a_request_without_a_row_is_unreadable() -> None:
    columns = Columns()
    RequestReader(traffic.KINDS).read([Payload('{"instances": []}', "JSON")], columns)
    assert (columns.rows, columns.unreadable) == (0, 1)


def test_a_number_too_large_to_be_one_is_an_invalid_cell() -> None:
    columns = Columns()
    RequestReader(traffic.KINDS).read([Payload(json.dumps({"instances": [traffic.rows(1, 1)[0] | {"age": 10**400}]}), "JSON")], columns)
    assert (columns.rows, columns.invalid) == (1, {"age": 1})


@pytest.mark.parametrize("kind", ["application/x-parquet", "application/vnd.apache.arrow.stream"])
def test_a_table_counts_as_its_rows(kind: str) -> None:
    table = pa.table(
        {"age": [40.5, None], "income": [1, 2], "city": ["Bern", None], "member": [True, None], "since": ["2026-11-20", "soon"]}
    )
    file = io.BytesIO()
    if "parquet" in kind:
        parquet.write_table(table, file)
    else:
        with ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    columns, expected = Columns(), Columns()
    reader = RequestReader(traffic.KINDS)
    broken = Payload(base64.b64encode(b"no table").decode(), "BASE64", kind)
    reader.read([Payload(base64.b64encode(file.getvalue()).decode(), "BASE64", kind), broken], columns)
    reader.read([Payload(json.dumps({"instances": table.to_pylist()}), "JSON"), None], expected)
    assert (columns.rows, columns.unreadable, columns.invalid) == (2, 1, {"since": 1})
    assert traffic.comparable(summarised(columns)) == traffic.comparable(summarised(expected))


def test_any_text_may_be_a_features_name() -> None:
    columns = Columns()
    RequestReader({'size "big"': ColumnKind.NUMERIC}).read([Payload('{"instances": [{"size \\"big\\"": 1.5}]}', "JSON")], columns)
    assert [values.tolist() for values in columns.numbers['size "big"']] == [[1.5]]
