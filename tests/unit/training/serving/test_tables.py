"""Parquet files and Arrow streams of strangers: whatever they do, they do it to the process that reads them."""

import io
import sys
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from contracts.errors import RequestError
from training.serving.media import ARROW, PARQUET
from training.serving.tables import TableReader

CELLS = 10_000


@pytest.fixture(scope="module")
def reader() -> Iterator[TableReader]:
    reader = TableReader()
    yield reader
    reader.stop()


def as_parquet(table: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    parquet.write_table(table, file, **options)
    return file.getvalue()


def as_arrow(table: Any, compression: str | None = None) -> bytes:
    stream = io.BytesIO()
    with ipc.new_stream(stream, table.schema, options=ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return stream.getvalue()


SMALL = pa.table({"a": [1, None], "b": ["x", None]})
ROWS = [["a", "b"], ["1", "x"], ["", ""]]


@pytest.mark.parametrize(("kind", "body"), [(PARQUET, as_parquet(SMALL)), (ARROW, as_arrow(SMALL)), (ARROW, as_arrow(SMALL, "zstd"))])
def test_a_table_is_its_names_and_its_rows_as_texts(reader: TableReader, kind: str, body: bytes) -> None:
    assert reader.read(kind, body, CELLS) == ROWS


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        (PARQUET, as_parquet(pa.table({"a": pa.nulls(CELLS + 1)})), "more than 10000 cells"),
        (ARROW, as_arrow(pa.table({"a": pa.nulls(CELLS + 1)})), "more than 10000 cells"),
        (PARQUET, as_parquet(pa.table({"a": ["x" * 5_000_000]})), "holds a text of 5000000 bytes"),
        (ARROW, as_arrow(pa.table({"a": [0.0] * 400_000}), "zstd"), "more than 10000 cells"),
        (PARQUET, b"PAR1" + zlib.compress(b"\0" * 1000) + b"PAR1", "not valid Parquet"),
        (ARROW, b"", "not valid Arrow"),
        (ARROW, as_arrow(pa.table({"a": [[1]]})), "which is no single value"),
    ],
    ids=["rows", "nothing", "text", "packed", "no Parquet", "no stream", "lists"],
)
def test_a_table_that_is_too_much_is_refused_and_the_next_one_is_read(reader: TableReader, kind: str, body: bytes, problem: str) -> None:
    with pytest.raises(RequestError, match=problem):
        reader.read(kind, body, CELLS)
    assert reader.read(PARQUET, as_parquet(SMALL), CELLS) == ROWS


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts address space")
def test_what_unpacks_to_more_than_the_memory_ends_its_reader_at_most() -> None:
    reader = TableReader(budget=64 << 20)
    packed = as_arrow(pa.table({"a": pa.array([bytes(1 << 20)] * 100, pa.large_binary())}), "zstd")
    assert len(packed) < 1 << 20
    with pytest.raises(RequestError, match=r"more memory than there is|more than can be held"):
        reader.read(ARROW, packed, CELLS)
    assert reader.read(PARQUET, as_parquet(SMALL), CELLS) == ROWS
    reader.stop()


def test_a_reader_that_is_killed_is_replaced(reader: TableReader) -> None:
    body = as_parquet(SMALL)
    reader.read(PARQUET, body, CELLS)
    assert reader._process is not None
    reader._process.kill()
    reader._process.wait(10)
    assert reader.read(PARQUET, body, CELLS) == ROWS


def test_many_threads_get_each_its_own_table(reader: TableReader) -> None:
    found: dict[int, list[list[str]]] = {}

    def ask(number: int) -> None:
        found[number] = reader.read(ARROW, as_arrow(pa.table({"a": [number] * 50})), CELLS)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {number: [["a"], *[[str(number)]] * 50] for number in range(8)}
