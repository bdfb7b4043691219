"""Parquet as rows of texts: batch by batch, page by page, so that memory does not grow with the file.

A file says of itself how large it is, and may lie. So a batch holds few cells, texts come as numbers of a dictionary until their lengths
are known, and pages are read one by one instead of whole row groups. What a single page unpacks to nobody can know before: that is why
apart.py reads in a process with a limit, and running into it is an error like any other here.

Only the codecs that the function's layer was built with are read, wherever the file is read: snappy, gzip, and none. So that a table that
is good on a laptop is good on AWS. https://github.com/aws/aws-sdk-pandas/blob/3.17.0/building/lambda/build-lambda-layer.sh
"""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.tables import formats
from contracts.tables.formats import FormatError

CODECS = frozenset({"SNAPPY", "GZIP", "UNCOMPRESSED"})
MOST_CELLS = 250_000_000  # what a function reads within its 15 minutes, with time to spare: half a million a second
BATCH_CELLS = 1 << 18
BATCH_ROWS = 8192
MOST_BATCH_BYTES = 64 * 1024 * 1024  # of texts in one column of a batch
_LONGEST_NAME_TABLE = 16 * 1024 * 1024  # of the file's own description, in bytes and entries

Texts = Callable[[Any], list[str]]


def load() -> tuple[Any, Any]:
    """pyarrow and its Parquet module. Only who reads Parquet pays for them: half a second, 100 MB."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import compute, parquet  # noqa: F401, PLC0415 - with compute loaded arrays can do what is asked of them below

    return pa, parquet


def batches(path: Path, most_bytes: int) -> Iterator[list[list[str]]]:
    """The columns as the only row of the first batch, then the rows. Raises FormatError. `most_bytes`: characters of all cells."""
    pa, parquet = load()
    try:
        with _open(parquet, path) as file:
            _check(file.metadata)
            columns = [_column(pa, field) for field in file.schema_arrow]
            yield [list(file.schema_arrow.names)]
            yield from _rows(file, columns, most_bytes)
    except MemoryError:
        raise FormatError(
            "reading the file takes more memory than there is: its pages are too large. Next: write it with smaller pages"
        ) from None
    except FormatError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, IndexError) as error:
        raise FormatError(f"the file is not valid Parquet: {_first_line(error)}") from None


def _rows(file: Any, columns: list[tuple[str, Texts]], most_bytes: int) -> Iterator[list[list[str]]]:
    size = max(1, min(BATCH_ROWS, BATCH_CELLS // max(1, len(columns))))
    left = most_bytes
    for batch in file.iter_batches(batch_size=size, use_threads=False):
        texts = [_texts_of(to_texts, name, array) for (name, to_texts), array in zip(columns, batch.columns, strict=True)]
        characters = sum(len(text) for column in texts for text in column)
        if characters > MOST_BATCH_BYTES:
            raise FormatError(f"{len(batch)} rows have {characters} characters, and at most {MOST_BATCH_BYTES} can be read at once")
        left -= characters
        if left < 0:
            raise FormatError(f"the file unpacks to more than {most_bytes} characters. Next: divide it into smaller files")
        yield [list(cells) for cells in zip(*texts, strict=True)]


def _open(parquet: Any, path: Path) -> Any:
    # With INT96 read as microseconds: as nanoseconds they end in the year 2262.
    return parquet.ParquetFile(
        path,
        read_dictionary=_string_columns(parquet, path),
        buffer_size=1 << 20,
        pre_buffer=False,
        coerce_int96_timestamp_unit="us",
        thrift_string_size_limit=_LONGEST_NAME_TABLE,
        thrift_container_size_limit=_LONGEST_NAME_TABLE,
    )


def _string_columns(parquet: Any, path: Path) -> list[str]:
    with parquet.ParquetFile(path, thrift_string_size_limit=_LONGEST_NAME_TABLE, thrift_container_size_limit=_LONGEST_NAME_TABLE) as file:
        columns = [file.schema.column(number) for number in range(len(file.schema.names))]
        return [each.path for each in columns if each.physical_type == "BYTE_ARRAY" and each.logical_type.type == "STRING"]


def _check(metadata: Any) -> None:
    """What the file says of itself, before anything else of it is read."""
    if metadata.num_columns > formats.MOST_COLUMNS:
        raise FormatError(f"the file has {metadata.num_columns} columns, and at most {formats.MOST_COLUMNS} can be read")
    if metadata.num_rows * metadata.num_columns > MOST_CELLS:
        size = f"{metadata.num_rows} rows of {metadata.num_columns} columns"
        raise FormatError(f"the file has {size}, and at most {MOST_CELLS} cells can be read. Next: divide it into smaller files")
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            if column.compression not in CODECS:
                problem = f"is compressed with {column.compression.lower()}, and only snappy, gzip and none can be read"
                raise FormatError(f"{problem}. Next: write the file with compression='snappy'", column=column.path_in_schema)


def _column(pa: Any, field: Any) -> tuple[str, Texts]:
    """How a column becomes texts. Raises FormatError for a type that is no single value."""
    types, kind = pa.types, field.type
    if types.is_dictionary(kind):
        plain = _column(pa, pa.field(field.name, kind.value_type))[1]
        if _is_text(types, kind.value_type):
            return field.name, _coded_strings
        return field.name, lambda array: plain(array.dictionary_decode())
    for fits, to_texts in (
        (types.is_null, lambda array: [""] * len(array)),
        (types.is_boolean, _booleans),
        (types.is_integer, _integers),
        (types.is_float64, _doubles),
        (types.is_floating, _floats),
        (types.is_decimal, _decimals),
        (types.is_date, _dates),
        (types.is_time, _dates),
        (types.is_timestamp, _moments),
        (lambda each: _is_text(types, each), _strings),
    ):
        if fits(kind):
            return field.name, to_texts
    raise FormatError(
        f"holds {kind}, which is no single value. Next: leave the column out, or make a number, a text or a time of it",
        column=field.name[:128],
    )


def _is_text(types: Any, kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _texts_of(to_texts: Texts, name: str, array: Any) -> list[str]:
    try:
        return to_texts(array)
    except UnicodeDecodeError:
        raise FormatError("holds text that is not UTF-8", column=name) from None
    except (OverflowError, ValueError) as error:
        if isinstance(error, FormatError):
            raise FormatError(str(error), column=name) from None
        raise FormatError("holds a value beyond what can be read, such as a time after the year 9999", column=name) from None


def _booleans(array: Any) -> list[str]:
    return ["" if value is None else "true" if value else "false" for value in array.to_pylist()]


def _integers(array: Any) -> list[str]:
    return ["" if value is None else str(value) for value in array.to_pylist()]


def _doubles(array: Any) -> list[str]:
    return ["" if value is None or math.isnan(value) else repr(value) for value in array.to_pylist()]


def _floats(array: Any) -> list[str]:
    """Of less than 64 bits: by the shortest text of that width, so that 0.1 stays 0.1."""
    texts = array.cast("float32").cast("string").to_pylist()
    return ["" if text is None or text == "nan" else repr(float(text)) for text in texts]


def _decimals(array: Any) -> list[str]:
    return ["" if value is None else format(value, "f") for value in array.to_pylist()]


def _dates(array: Any) -> list[str]:
    return ["" if value is None else value.isoformat() for value in array.to_pylist()]


def _moments(array: Any) -> list[str]:
    """Times as microseconds since 1970; what is finer is cut off, as it is when a text is read."""
    import pyarrow as pa  # noqa: PLC0415

    zone = None if array.type.tz is None else UTC
    start = datetime(1970, 1, 1, tzinfo=zone)
    micros = array.cast(pa.timestamp("us", array.type.tz), safe=array.type.unit != "ns").cast("int64").to_pylist()
    return ["" if value is None else (start + timedelta(microseconds=value)).isoformat() for value in micros]


def _strings(array: Any) -> list[str]:
    from pyarrow import compute  # noqa: PLC0415

    _check_lengths(compute, compute.binary_length(array))
    return [text or "" for text in array.to_pylist()]


def _coded_strings(array: Any) -> list[str]:
    """Texts that come as numbers of a dictionary: unpacked when it is known how long they will be."""
    from pyarrow import compute  # noqa: PLC0415

    _check_lengths(compute, compute.binary_length(array.dictionary).take(array.indices))
    return [text or "" for text in array.dictionary.take(array.indices).to_pylist()]


def _check_lengths(compute: Any, lengths: Any) -> None:
    """Of a batch's texts, in bytes."""
    longest, total = compute.max(lengths).as_py() or 0, compute.sum(lengths).as_py() or 0
    if longest > formats.LONGEST_LINE:
        raise FormatError(f"holds a text of {longest} bytes, and at most {formats.LONGEST_LINE} can be read")
    if total > MOST_BATCH_BYTES:
        raise FormatError(f"holds {total} bytes of texts within {BATCH_ROWS} rows, and at most {MOST_BATCH_BYTES} can be read")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
