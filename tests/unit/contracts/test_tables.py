"""Tables as texts: the same table in every format is the same rows, and whatever is no table is refused with words, in bounded memory."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.columns import ColumnKind, parse
from contracts.tables import apart, columnar, formats, json_lines
from contracts.tables.formats import SUFFIXES, Format, FormatError, format_of
from contracts.tables.reading import file_rows, stream_rows
from tests.formats import as_gzip, write_parquet

MOST = 1 << 20


def read(
    content: bytes,
    format: Format,  # noqa: A002 - what it is called
    folder: Path,
    most: int = MOST,
    *,
    apart_too: bool = False,
) -> list[tuple[int, list[str]]]:
    """A table's rows; Parquet by this process, unless it is to be read `apart_too`, as it always is outside of tests."""
    path = folder / "table"
    path.write_bytes(content)
    if format is Format.PARQUET and not apart_too:
        return list(enumerate(cells for batch in columnar.batches(path, most) for cells in batch))
    return list(file_rows(format, path, most))


def texts(table: Any, folder: Path) -> list[list[str]]:
    """The rows of an Arrow table, without its columns."""
    return [cells for _, cells in read(write_parquet(table), Format.PARQUET, folder)[1:]]


def refused(content: bytes, format: Format, folder: Path, most: int = MOST) -> FormatError:  # noqa: A002
    with pytest.raises(FormatError) as caught:
        read(content, format, folder, most)
    return caught.value


# The same table in every format


def _sample(kind: ColumnKind) -> st.SearchStrategy[Any]:
    return (
        st.none()
        | {
            ColumnKind.NUMERIC: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53).map(float),
            ColumnKind.BOOLEAN: st.booleans(),
            ColumnKind.CATEGORICAL: st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
            ColumnKind.DATETIME: st.datetimes(timezones=st.just(UTC)),
        }[kind]
    )


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, ColumnKind], list[dict[str, Any]]]:
    names = draw(st.lists(st.text("abcÄ \"',{\n", min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
    kinds = {name: draw(st.sampled_from(ColumnKind)) for name in names}
    rows = draw(st.lists(st.fixed_dictionaries({name: _sample(kind) for name, kind in kinds.items()}), min_size=1, max_size=6))
    return kinds, rows


TYPES = {
    ColumnKind.NUMERIC: pa.float64(),
    ColumnKind.BOOLEAN: pa.bool_(),
    ColumnKind.CATEGORICAL: pa.string(),
    ColumnKind.DATETIME: pa.timestamp("us", "UTC"),
}


def _text(value: Any) -> str:
    """A value as whoever writes CSV would."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _in_every_format(kinds: dict[str, ColumnKind], rows: list[dict[str, Any]]) -> Iterator[tuple[Format, bytes]]:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([list(kinds), *([_text(row[name]) for name in kinds] for row in rows)])
    yield Format.CSV, buffer.getvalue().encode()
    lines = (
        json.dumps({name: _text(value) if isinstance(value, datetime) else value for name in kinds for value in [row[name]]})
        for row in rows
    )
    yield Format.JSON_LINES, "".join(f"{line}\n" for line in lines).encode()
    columns = {name: pa.array([row[name] for row in rows], TYPES[kind]) for name, kind in kinds.items()}
    yield Format.PARQUET, write_parquet(pa.table(columns))


@given(tables())
@settings(max_examples=60, deadline=None)
def test_the_same_table_in_every_format_is_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[dict[str, ColumnKind], list[dict[str, Any]]]
) -> None:
    kinds, rows = table
    folder = tmp_path_factory.mktemp("formats")
    found = {format: [cells for _, cells in read(content, format, folder)] for format, content in _in_every_format(kinds, rows)}  # noqa: A001
    assert found[Format.CSV] == found[Format.JSON_LINES] == found[Format.PARQUET]
    header, *cells = found[Format.PARQUET]
    assert header == list(kinds)
    for row, line in zip(rows, cells, strict=True):
        for (name, kind), text in zip(kinds.items(), line, strict=True):
            if kind is not ColumnKind.CATEGORICAL:  # whose texts are what they are, and compared above
                assert parse(kind, text) == row[name]


def test_a_typed_cell_has_one_text(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 20, 10, 0, 0, 7, UTC)
    table = pa.table(
        {
            "whole": pa.array([42, None], pa.int16()),
            "unsigned": pa.array([2**64 - 1, 0], pa.uint64()),
            "number": pa.array([1.0, float("nan")]),
            "narrow": pa.array([0.1, None], pa.float32()),
            "half": pa.array([0.5, None], pa.float16()),
            "decimal": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
            "truth": pa.array([True, False]),
            "day": pa.array([date(2026, 11, 20), None]),
            "clock": pa.array([time(1, 2, 3), None]),
            "naive": pa.array([moment.replace(tzinfo=None), None], pa.timestamp("us")),
            "seconds": pa.array([253402214400, None], pa.timestamp("s")),
            "zoned": pa.array([moment, None], pa.timestamp("us", "Asia/Tokyo")),
            "fine": pa.array([1, -1], pa.timestamp("ns")),
            "text": pa.array(["\u00fc", ""]),
            "coded": pa.array(["x", None]).dictionary_encode(),
            "number codes": pa.array([7, None]).dictionary_encode(),
            "nothing": pa.nulls(2),
        }
    )
    first, second = texts(table, tmp_path)
    assert dict(zip(table.column_names, first, strict=True)) == {
        "whole": "42",
        "unsigned": "18446744073709551615",
        "number": "1.0",
        "narrow": "0.1",
        "half": "0.5",
        "decimal": "1.50",
        "truth": "true",
        "day": "2026-11-20",
        "clock": "01:02:03",
        "naive": "2026-11-20T10:00:00.000007",
        "seconds": "9999-12-31T00:00:00",
        "zoned": "2026-11-20T10:00:00.000007+00:00",
        "fine": "1970-01-01T00:00:00",
        "text": "\u00fc",
        "coded": "x",
        "number codes": "7",
        "nothing": "",
    }
    assert second == ["", "0", "", "", "", "", "false", "", "", "", "", "", second[12], "", "", "", ""]


def test_old_timestamps_of_spark_are_read(tmp_path: Path) -> None:
    table = pa.table({"when": pa.array([13569552000000000], pa.timestamp("us"))})
    content = write_parquet(table, use_deprecated_int96_timestamps=True)
    assert read(content, Format.PARQUET, tmp_path)[1:] == [(1, ["2400-01-02T00:00:00"])]


def test_a_long_parquet_file_comes_in_batches(tmp_path: Path) -> None:
    count = 3 * columnar.BATCH_ROWS + 1
    content = write_parquet(pa.table({"n": range(count), "s": [f"t{n % 5}" for n in range(count)]}), row_group_size=5000)
    rows = read(content, Format.PARQUET, tmp_path, apart_too=True)
    assert rows[0] == (0, ["n", "s"])
    assert rows[-1] == (count, [str(count - 1), f"t{(count - 1) % 5}"])
    assert len(rows) == count + 1


# JSON Lines


def test_keys_may_be_left_out_and_come_in_any_order(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"a": 1, "b": null}\r\n\n{"c": "x", "a": true}\n{}\n'
    assert read(content, Format.JSON_LINES, tmp_path) == [
        (0, ["a", "b", "c"]),
        (1, ["1", "", ""]),
        (3, ["true", "", "x"]),
        (4, ["", "", ""]),
    ]


def test_numbers_of_json_keep_what_they_say(tmp_path: Path) -> None:
    content = b'{"a": 12345678901234567890123, "b": 1.50, "c": 1e5, "d": -0, "e": 1e999}'
    assert read(content, Format.JSON_LINES, tmp_path)[1] == (1, ["12345678901234567890123", "1.5", "100000.0", "0", "1e999"])


@pytest.mark.parametrize(
    ("content", "problem", "row", "column"),
    [
        (b'{"a": 1}\n[1]\n', "the line is no JSON object", 2, None),
        (b'{"a": 1}\n7\n', "the line is no JSON object", 2, None),
        (b'{"a": 1}\n{"a": 1, "a": 2}\n', "occurs twice", 2, "a"),
        (b'{"a": {"b": 1}}\n', "nested", 1, "a"),
        (b'{"a": [1]}\n', "nested", 1, "a"),
        (b'{"a": NaN}\n', "NaN is not JSON. Next: null", 1, None),
        (b'{"a": -Infinity}\n', "-Infinity is not JSON", 1, None),
        (b'{"a": 1}\n{"a": 1,\n"b": 2}\n', "not valid JSON", 2, None),
        (b'{"a": ' + b"[" * 100_000 + b"\n", "nested too deeply", 1, None),
        (b'{"a": "\\ud800"}\n', "half a character", 1, None),
        (b'{"\\ud800": 1}\n', "half a character", 1, None),
        (b'{"a": "\xff"}\n', "not UTF-8", None, None),
        ('{"a": 1}\n'.encode("utf-16"), "not UTF-8", None, None),
    ],
)
def test_a_line_that_is_no_row_is_refused(tmp_path: Path, content: bytes, problem: str, row: int | None, column: str | None) -> None:
    error = refused(content, Format.JSON_LINES, tmp_path)
    assert problem in str(error)
    assert (error.row, error.column) == (row, column)


def test_a_key_that_comes_late_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "FIRST_ROWS", 3)
    content = b'{"a": 1}\n' * 3 + b'{"a": 1, "b": 2}\n'
    error = refused(content, Format.JSON_LINES, tmp_path)
    assert (error.row, error.column) == (4, "b")
    assert "none of the first 3 rows has this key. Next: give the first row every key" in str(error)


def test_a_line_without_end_stops_early(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(formats, "LONGEST_LINE", 1000)
    assert "more than 1000 characters" in str(refused(b'{"a": "' + b"x" * 5000, Format.JSON_LINES, tmp_path))


# gzip


@pytest.mark.parametrize("packed", [as_gzip(b"a,b\n1,2\n"), as_gzip(b"a,b\n") + as_gzip(b"1,2\n")])
def test_a_packed_table_is_unpacked(tmp_path: Path, packed: bytes) -> None:
    assert read(packed, Format.CSV_GZIP, tmp_path) == [(1, ["a", "b"]), (2, ["1", "2"])]
    assert read(as_gzip(b'{"a": 1}'), Format.JSON_LINES_GZIP, tmp_path) == [(0, ["a"]), (1, ["1"])]


def test_a_bomb_stops_where_the_limit_is(tmp_path: Path) -> None:
    bomb = as_gzip((b"x" * 9999 + b"\n") * 2000)
    assert len(bomb) < MOST / 10
    assert "unpacks to more than 1048576 bytes" in str(refused(bomb, Format.CSV_GZIP, tmp_path))


@pytest.mark.parametrize(
    ("packed", "problem"),
    [
        (as_gzip(b"a,b\n" * 9999)[:-9], "ends too early"),
        (b"a,b\n1,2\n", "not valid gzip"),
        (as_gzip(b"a\n") + b"more", "not valid gzip"),
        (as_gzip(b"a\n1\n")[:-8] + b"\0" * 8, "not valid gzip"),
        (b"", "ends too early"),
    ],
)
def test_a_broken_packet_is_refused(tmp_path: Path, packed: bytes, problem: str) -> None:
    assert problem in str(refused(packed, Format.CSV_GZIP, tmp_path))


# Parquet of strangers

PLAIN = write_parquet(pa.table({"a": [1.5, 2.5], "s": ["x", "y"]}))


@pytest.mark.parametrize(
    ("content", "problem", "column"),
    [
        (PLAIN[:-20], "not valid Parquet", None),
        (PLAIN[:4] + b"\xff" * 60 + PLAIN[64:], "not valid Parquet", None),
        (b"a,b\n1,2\n", "not valid Parquet", None),
        (b"", "not valid Parquet", None),
        (write_parquet(pa.table({"l": [[1], [2]]})), "holds list<", "l"),
        (write_parquet(pa.table({"s": [{"x": 1}]})), "holds struct<", "s"),
        (write_parquet(pa.table({"b": [b"\x00"]})), "holds binary", "b"),
        (write_parquet(pa.table({"d": pa.array([timedelta(1)])})), "holds duration", "d"),
        (write_parquet(pa.table({"z": [1]}), compression="zstd"), "zstd, and only snappy, gzip and none", "z"),
        (write_parquet(pa.table({"t": pa.array([2**62], pa.timestamp("us"))})), "a value beyond what can be read", "t"),
        (write_parquet(pa.table({"t": pa.array([2**62], pa.timestamp("ms"))})), "a value beyond what can be read", "t"),
        (write_parquet(pa.table({"u": pa.array([b"\xff"]).view(pa.string())})), "not UTF-8", "u"),
        (write_parquet(pa.table({"n": ["x" * 400] * 3000})), "unpacks to more than 1048576 characters", None),
        # Few bytes that say themselves again and again: a dictionary of one long text.
        (write_parquet(pa.table({"r": ["x" * 100_000] * 2000})), "bytes of texts within", "r"),
        (write_parquet(pa.table({"one": ["x" * (formats.LONGEST_LINE + 1)]})), "a text of 4194305 bytes", "one"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, problem: str, column: str | None) -> None:
    error = refused(content, Format.PARQUET, tmp_path)
    assert problem in str(error)
    assert error.column == column


def test_more_cells_than_can_be_read_in_time_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "MOST_CELLS", 100)
    assert "101 rows of 1 columns, and at most 100 cells" in str(
        refused(write_parquet(pa.table({"n": pa.nulls(101)})), Format.PARQUET, tmp_path)
    )


def test_a_page_that_unpacks_to_more_than_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    table = pa.table({"s": ["x" * 1_000_000] * 80})
    path.write_bytes(write_parquet(table, use_dictionary=False, compression="gzip", data_page_size=1 << 30))
    assert path.stat().st_size < MOST
    with pytest.raises(FormatError, match="more memory than there is"):
        list(apart.rows(path, MOST, budget=40 << 20))


CRASHING = """
import os
print('[["a"]]', flush=True)
os.abort()
"""


def test_a_reader_that_crashes_is_a_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(PLAIN)
    (tmp_path / "contracts" / "tables").mkdir(parents=True)
    (tmp_path / "contracts" / "tables" / "apart.py").write_text(CRASHING)
    monkeypatch.setattr(apart, "_places", lambda: [str(tmp_path)])
    rows = apart.rows(path, MOST)
    assert next(rows) == (0, ["a"])
    with pytest.raises(FormatError, match=r"it ended what read it \(signal 6\)"):
        next(rows)


def test_what_is_wrong_is_told_across(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="which is no single value") as caught:
        read(write_parquet(pa.table({"l": [[1], [2]]})), Format.PARQUET, tmp_path, apart_too=True)
    assert caught.value.column == "l"


def test_who_stops_reading_leaves_no_process_behind(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(write_parquet(pa.table({"n": range(100_000)})))
    rows = apart.rows(path, MOST)
    assert next(rows) == (0, ["n"])
    rows.close()  # waits for the process: it would not come back if that were not ended


def test_a_stream_of_parquet_is_a_mistake_of_the_programs() -> None:
    with pytest.raises(ValueError, match="from its end"):
        stream_rows(Format.PARQUET, io.BytesIO(PLAIN), MOST)  # type: ignore[arg-type]  # any file will do


@pytest.mark.parametrize(("name", "format"), [*((f"A b{suffix.upper()}", found) for suffix, found in SUFFIXES.items()), ("a.xlsx", None)])
def test_a_file_s_name_tells_its_format(name: str, format: Format | None) -> None:  # noqa: A002
    assert format_of(name) is format
