"""What a batch leaves here: predictions, and the rows without one with the reason. Both appear when they are whole, and not before."""

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from contracts.batch.answers import ID, ROW, Answer, cells, columns
from contracts.batch.rows import Rejected
from contracts.errors import DataError
from contracts.signature import Signature

WHY = "why"
STATE = "state"
REJECTED, FAILED = "rejected", "failed"


class Table:
    """A CSV file that is written beside its place, and moved there when it is whole."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self._path, self._part = path, path.with_name(f".{path.name}.{os.getpid()}")
        self._header = header
        self.rows = 0

    def __enter__(self) -> "Table":
        try:
            self._file = self._part.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise DataError([f"{self._path} cannot be written: {error.strerror}. Next: --out FILE in a folder of yours"]) from None
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(self._header)
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._file.close()
        if kind is None and self.rows:
            self._part.replace(self._path)
        else:
            self._part.unlink()
        if kind is None and not self.rows:
            self._path.unlink(missing_ok=True)  # an earlier run's, which is true no more

    def add(self, row: Sequence[Any]) -> None:
        """One more row."""
        self._writer.writerow(row)
        self.rows += 1


class Results:
    """The two tables of a batch."""

    def __init__(self, signature: Signature, predictions: Table, missing: Table) -> None:
        self._signature = signature
        self.predictions, self.missing = predictions, missing
        self.rejected = self.failed = 0

    def reject(self, row: Rejected) -> None:
        """A row that was not sent."""
        self.missing.add((row.row, row.id, REJECTED, row.why))
        self.rejected += 1

    def fail(self, row: int, name: str, why: str) -> None:
        """A row that was sent, and got no prediction."""
        self.missing.add((row, name, FAILED, why))
        self.failed += 1

    def predict(self, answer: Answer) -> None:
        """A row's prediction. Raises StateError when it is not as the signature says."""
        self.predictions.add((answer.row, answer.id, *cells(self._signature, answer.said)))


@contextmanager
def open_results(signature: Signature, out: Path, missing: Path) -> Iterator[Results]:
    """Both tables. Raises DataError when they cannot be written."""
    with Table(out, (ROW, ID, *columns(signature))) as predictions, Table(missing, (ROW, ID, STATE, WHY)) as rest:
        yield Results(signature, predictions, rest)


def missing_path(out: Path) -> Path:
    """Where rows without a prediction are listed: beside the predictions."""
    return out.with_name(f"{out.name.removesuffix('.csv')}-missing.csv")
