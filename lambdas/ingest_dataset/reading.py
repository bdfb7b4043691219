"""The files of an upload, read once: as rows of texts, and digested on the way.

CSV and JSON Lines are read as they come. Parquet is read from its end, so it is put on the function's own disk first.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.layout import LARGEST_UPLOAD_BYTES
from contracts.tables.formats import Format
from contracts.tables.reading import Row, file_rows, stream_rows
from contracts.tables.sources import Digested

_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Source:
    """A file at one object version, with its content."""

    bucket: str
    key: str
    version_id: str
    format: Format
    chunks: Iterable[bytes]

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.key.rpartition("/")[2]


def open_rows(format: Format, file: Digested) -> Iterator[Row]:  # noqa: A002 - what it is called
    """The columns, then the rows. Raises FormatError."""
    if format is not Format.PARQUET:
        yield from stream_rows(format, file, LARGEST_UPLOAD_BYTES)
        return
    with tempfile.NamedTemporaryFile(suffix=".parquet") as disk:
        shutil.copyfileobj(file, disk, _MEGABYTE)
        disk.flush()
        yield from file_rows(format, Path(disk.name), LARGEST_UPLOAD_BYTES)
