"""CSV as rows of texts: RFC 4180 through the csv module in strict mode, UTF-8 with or without a byte order mark.

A line, and so a row's memory, is bounded: a file without line ends, or with a quote that is never closed, stops with an error.
"""

import csv
import io
from collections.abc import Iterator

from contracts.tables import formats
from contracts.tables.formats import FormatError


def rows(file: io.RawIOBase) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells) of every row that is not blank, counted as a spreadsheet does. Raises FormatError."""
    text = io.TextIOWrapper(io.BufferedReader(file, 1 << 18), encoding="utf-8-sig", newline="")
    csv.field_size_limit(formats.LONGEST_LINE)
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
    while line := text.readline(formats.LONGEST_LINE):
        if len(line) == formats.LONGEST_LINE:
            raise csv.Error(f"a line has more than {formats.LONGEST_LINE} characters")
        yield line
