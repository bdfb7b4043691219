"""Does a table keep the project's data contract? All findings at once, from one pass over the rows.

Per column it keeps counts and a first row for each kind of mistake, never the rows themselves, so a table may be of any length. Findings
quote cells, but none where there are private columns: a row that has slipped may hold anything in any column.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.config import Data
from contracts.folder import folder_digest
from contracts.manifest import ColumnSummary, DataFile, Manifest
from contracts.refusal import Finding
from contracts.tables.formats import FormatError
from contracts.tables.sources import Digested
from lambdas.ingest_dataset.checker import Checker
from lambdas.ingest_dataset.reading import Source, open_rows


@dataclass(frozen=True)
class Report:
    """What one pass found: the files that were read, with their rows that have a target, and their columns."""

    files: tuple[DataFile, ...]
    columns: tuple[ColumnSummary, ...]
    findings: tuple[Finding, ...]

    @property
    def rows(self) -> int:
        """Rows that have a target."""
        return sum(file.rows for file in self.files)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)

    def sha256(self, *, is_folder: bool) -> str:
        """The one file's, or that of a folder's files together."""
        if not is_folder:
            return self.files[0].sha256
        return folder_digest((file.key.rpartition("/")[2], file.sha256) for file in self.files)


def check(sources: Iterable[Source], data: Data, *, is_folder: bool = False) -> Report:
    """Read a table once and hold it against the contract. A file that cannot be read ends it; the digests are of whole files."""
    checker = Checker(data)
    files: list[DataFile] = []
    whole = True
    try:
        for source in sources:
            checker.begin(source.name if is_folder else None)
            before = checker.rows
            file = Digested(source.chunks)
            try:
                for number, cells in open_rows(source.format, file) if whole else ():
                    checker.row(number, cells)
            except FormatError as error:
                checker.broken(error)
                whole = False
            files.append(_described(source, file, checker.rows - before))
    except FormatError as error:  # between two files: the folder is not what it was
        checker.broken(error)
        whole = False
    if whole:
        checker.whole_table()
    return Report(tuple(files), checker.summary(), checker.mistakes.findings())


def _described(source: Source, file: Digested, rows: int) -> DataFile:
    sha256 = file.drain()
    return DataFile(
        bucket=source.bucket,
        key=source.key,
        version_id=source.version_id,
        size=file.size,
        sha256=sha256,
        rows=rows,
        format=source.format,
    )


def read_only(source: Source) -> Report:
    """SHA-256 and size of a file that is not worth reading as a table."""
    return Report((_described(source, Digested(source.chunks), 0),), (), ())


def make_manifest(report: Report, data: Data) -> Manifest:
    """The dataset version that a good table makes. Its files are in the order of their names, whoever read them in which."""
    files = tuple(sorted(report.files, key=lambda file: file.key))
    return Manifest(dataset=data.dataset, files=files, columns=report.columns, contract=data)
