"""A table in any format, as rows of texts."""

import io
from collections.abc import Iterator
from pathlib import Path

from contracts.tables import apart, delimited, json_lines
from contracts.tables.formats import Format, FormatError
from contracts.tables.sources import Unpacked

Row = tuple[int, list[str]]


def stream_rows(format: Format, file: io.RawIOBase, most_bytes: int) -> Iterator[Row]:  # noqa: A002 - what it is called
    """The columns, then every row with its number, of a file that is read once, front to back. Raises FormatError, ValueError for Parquet.

    `most_bytes`: what a packed file may unpack to.
    """
    if format is Format.PARQUET:
        raise ValueError("Parquet is read from its end")
    unpacked = Unpacked(file, most_bytes) if format.is_packed else file
    if format in {Format.CSV, Format.CSV_GZIP}:
        return delimited.rows(unpacked)
    return json_lines.rows(unpacked)


def file_rows(format: Format, path: Path, most_bytes: int) -> Iterator[Row]:  # noqa: A002
    """The same of a file on disk, in any format. Parquet is always packed: `most_bytes` are the characters of its cells."""
    if format is Format.PARQUET:
        yield from apart.rows(path, most_bytes)
        return
    with io.FileIO(path) as file:
        yield from stream_rows(format, file, most_bytes)


__all__ = ["Format", "FormatError", "Row", "file_rows", "stream_rows"]
