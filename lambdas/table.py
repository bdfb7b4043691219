"""A CSV file read once, in bounded memory: its digest and size, and its rows as text.

RFC 4180 through the csv module in strict mode, UTF-8 with or without a byte order mark. A line, and so a row's memory, is bounded: a file
without line ends, or with a quote that is never closed, stops with an error instead of filling the memory.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator

LONGEST_LINE = 4 * 1024 * 1024  # characters


class FormatError(ValueError):
    """The file is not CSV text as described above; `row` is where, if that is known."""

    def __init__(self, problem: str, row: int | None = None) -> None:
        super().__init__(problem)
        self.row = row


class Digested(io.RawIOBase):
    """A stream of byte chunks as a file that keeps the SHA-256 and the size of what passed through."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")
        self._digest = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader hands over a memoryview
        """The next bytes; 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._digest.update(chunk)
            self.size += len(chunk)
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def drain(self) -> str:
        """The whole file's SHA-256, whatever is left unread."""
        for chunk in self._chunks:
            self._digest.update(chunk)
            self.size += len(chunk)
        return self._digest.hexdigest()


def rows(file: Digested) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells) of every row that is not blank, counted as a spreadsheet does. Raises FormatError."""
    text = io.TextIOWrapper(io.BufferedReader(file, 1 << 18), encoding="utf-8-sig", newline="")
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader(_lines(text), strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            if cells:
                yield number, cells
    except UnicodeDecodeError:
        raise FormatError("the file is not UTF-8 text") from None
    except csv.Error as error:
        raise FormatError(f"the file is not valid CSV: {error}", number + 1) from None


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise csv.Error(f"a line has more than {LONGEST_LINE} characters")
        yield line
