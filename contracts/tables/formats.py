"""Which format a table is in, by its file's name, and what is wrong with a file."""

from enum import StrEnum

# A text in a table: a line of CSV or JSON, a cell of Parquet. What is longer stops with an error instead of filling the memory.
LONGEST_LINE = 4 * 1024 * 1024  # characters
MOST_COLUMNS = 10_000


class Format(StrEnum):
    """How a table's file is to be read."""

    CSV = "csv"
    CSV_GZIP = "csv.gz"
    JSON_LINES = "jsonl"
    JSON_LINES_GZIP = "jsonl.gz"
    PARQUET = "parquet"

    @property
    def is_packed(self) -> bool:
        """Whether it is to be unpacked first."""
        return self in {Format.CSV_GZIP, Format.JSON_LINES_GZIP}


SUFFIXES = {
    ".csv": Format.CSV,
    ".csv.gz": Format.CSV_GZIP,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".jsonl.gz": Format.JSON_LINES_GZIP,
    ".ndjson.gz": Format.JSON_LINES_GZIP,
    ".parquet": Format.PARQUET,
}


def format_of(name: str) -> Format | None:
    """The format that a file's name tells, in upper or lower case; None for another file."""
    lowered = name.lower()
    return next((found for suffix, found in SUFFIXES.items() if lowered.endswith(suffix)), None)


def without_suffix(name: str) -> str:
    """A file's name without the suffix that tells its format: that alone, for other points may tell files apart."""
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


class FormatError(ValueError):
    """The file is not what its format says. `row` is where, counted as people do in that format, and `column` in which, if it is known."""

    def __init__(self, problem: str, row: int | None = None, column: str | None = None) -> None:
        super().__init__(problem)
        self.row = row
        self.column = column
