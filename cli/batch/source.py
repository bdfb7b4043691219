"""The table of a batch: a file here, or an object in S3, which is fetched to the disk first. It is read once, row by row."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from botocore.exceptions import ClientError

from cli.account import Account
from cli.tables import open_table, told
from contracts.errors import DataError
from contracts.tables.formats import Format, FormatError, format_of, without_suffix
from contracts.tables.reading import Row, file_rows

MOST_BYTES = 1 << 40
"""What a packed table may unpack to: rows pass by, so this only stops what never ends."""

S3 = "s3://"


@dataclass(frozen=True)
class Source:
    """A table on this disk; `shown` is what the user calls it."""

    shown: str
    path: Path

    @property
    def stem(self) -> str:
        """Its name without folder and format."""
        return without_suffix(self.shown.rstrip("/").rpartition("/")[2])

    def is_at(self, path: Path) -> bool:
        """Is that the table's own file, by whatever name?"""
        return self.path.exists() and path.exists() and path.samefile(self.path)

    def header(self) -> list[str]:
        """Its columns. Raises DataError for a file that is missing, empty, or no table."""
        if self.path.is_dir():
            raise DataError([f"{self.shown} is a folder. Next: one batch a file"])
        with open_table(self.path) as table:
            return table.header

    def rows(self) -> Iterator[Row]:
        """(row number, cells) of every row, whatever they hold. Raises DataError where the file is not in its format any more."""
        try:
            rows = file_rows(format_of(self.path.name) or Format.CSV, self.path, MOST_BYTES)
            next(rows)
            yield from rows
        except FormatError as error:
            raise DataError([told(self.path, error)]) from None


@contextmanager
def open_source(account: Account, text: str) -> Iterator[Source]:
    """The table that an argument names. Raises DataError when it is not there."""
    if not text.startswith(S3):
        yield Source(text, Path(text))
        return
    bucket, _, key = text.removeprefix(S3).partition("/")
    if not bucket or not key or key.endswith("/"):
        raise DataError([f"{text} is no object in S3. Next: s3://bucket/key of one table"])
    with TemporaryDirectory(prefix="tide-batch-") as folder:
        path = Path(folder) / key.rpartition("/")[2]
        try:
            account.client("s3").download_file(bucket, key, str(path))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            raise DataError([f"there is no {text}. Next: check bucket and key"]) from None
        yield Source(text, path)
