"""What this machine remembers: the SHA-256 of files that have not changed since they were read, and what it sent to a bucket already.

Everything here may be lost: then files are read again, and contents sent again that no version names yet. A file is believed to be
unchanged while its state (scan.py) is; one that changed within SETTLED of being read is read again next time, because its time of change
may be too coarse to tell (as git's index does it: https://git-scm.com/docs/racy-git).
"""

import sqlite3
import time
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.datasets.scan import LocalFile

INDEX = "data.sqlite"  # in the project's state folder
SETTLED = 2_000_000_000  # ns
_TABLES = """
CREATE TABLE IF NOT EXISTS contents (place TEXT PRIMARY KEY, state TEXT, sha256 TEXT);
CREATE TABLE IF NOT EXISTS sent (bucket TEXT, dataset TEXT, sha256 TEXT, key TEXT, version_id TEXT, PRIMARY KEY (bucket, dataset, sha256));
CREATE TABLE IF NOT EXISTS checkouts (folder TEXT PRIMARY KEY, dataset TEXT, version TEXT);
CREATE TABLE IF NOT EXISTS unfinished (folder TEXT, dataset TEXT, version TEXT, PRIMARY KEY (folder, dataset, version));
CREATE TABLE IF NOT EXISTS pieces (place TEXT, number INTEGER, PRIMARY KEY (place, number));
CREATE TABLE IF NOT EXISTS uploads (bucket TEXT, key TEXT, sha256 TEXT, state TEXT, part_size INTEGER, upload_id TEXT,
    PRIMARY KEY (bucket, key, sha256));
"""


class Index:
    """A file below the project's state folder. One thread writes; every write is kept at once, so an end at any point loses nothing."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_TABLES}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()

    def known(self, files: Iterable[LocalFile]) -> dict[str, str]:
        """place -> SHA-256 of the files that have not changed since they were read."""
        states = {file.place: file.state for file in files}
        rows = self._database.execute("SELECT place, state, sha256 FROM contents")
        return {place: sha256 for place, state, sha256 in rows if states.get(place) == state}

    def learn(self, digests: Iterable[tuple[LocalFile, str]]) -> None:
        """Remember what was read just now."""
        now = time.time_ns()
        self._insert("contents", [(file.place, file.state, sha256) for file, sha256 in digests if file.changed < now - SETTLED])

    def sent(self, bucket: str, dataset: str, wanted: Container[str]) -> dict[str, tuple[str, str]]:
        """SHA-256 -> (key, VersionId) of wanted contents that were sent to a dataset from here."""
        found = self._database.execute("SELECT sha256, key, version_id FROM sent WHERE bucket = ? AND dataset = ?", (bucket, dataset))
        return {sha256: (key, version_id) for sha256, key, version_id in found if sha256 in wanted}

    def note_sent(self, bucket: str, dataset: str, sha256: str, key: str, version_id: str) -> None:
        """Remember a content that arrived."""
        self._insert("sent", [(bucket, dataset, sha256, key, version_id)])

    def forget_sent(self, bucket: str, dataset: str, sha256: str) -> None:
        """It is not there any more."""
        self._database.execute("DELETE FROM sent WHERE bucket = ? AND dataset = ? AND sha256 = ?", (bucket, dataset, sha256))

    def upload(self, bucket: str, key: str, sha256: str, file: LocalFile) -> tuple[str, int] | None:
        """(upload id, size of a part) of a multipart upload that was begun from the file as it is now.

        When it was changed since, even back to what it was, nobody knows which of its states the parts hold.
        """
        query = "SELECT upload_id, part_size FROM uploads WHERE bucket = ? AND key = ? AND sha256 = ? AND state = ?"
        found: tuple[str, int] | None = self._database.execute(query, (bucket, key, sha256, file.state)).fetchone()
        return found

    def note_upload(self, bucket: str, key: str, sha256: str, file: LocalFile, part_size: int, upload_id: str) -> None:
        """Remember a multipart upload that was begun."""
        self._insert("uploads", [(bucket, key, sha256, file.state, part_size, upload_id)])

    def forget_upload(self, bucket: str, key: str, sha256: str) -> None:
        """It was completed, or it is gone."""
        self._database.execute("DELETE FROM uploads WHERE bucket = ? AND key = ? AND sha256 = ?", (bucket, key, sha256))

    def pieces(self, place: Path) -> set[int]:
        """The numbers of the pieces of an unfinished file that have arrived."""
        return {number for (number,) in self._database.execute("SELECT number FROM pieces WHERE place = ?", (str(place.resolve()),))}

    def note_piece(self, place: Path, number: int) -> None:
        """Remember that a piece has arrived."""
        self._insert("pieces", [(str(place.resolve()), number)])

    def forget_pieces(self, place: Path) -> None:
        """The file is finished, or gone."""
        self._database.execute("DELETE FROM pieces WHERE place = ?", (str(place.resolve()),))

    def checkouts(self, folder: Path) -> set[tuple[str, str]]:
        """(dataset, version) that a folder may hold files of: of the last checkout, and of those since that did not end."""
        name = str(folder.resolve())
        query = "SELECT dataset, version FROM checkouts WHERE folder = ? UNION SELECT dataset, version FROM unfinished WHERE folder = ?"
        return set(self._database.execute(query, (name, name)))

    def note_begun(self, folder: Path, dataset: str, version: str) -> None:
        """Remember what a folder is about to hold."""
        self._insert("unfinished", [(str(folder.resolve()), dataset, version)])

    def note_checkout(self, folder: Path, dataset: str, version: str) -> None:
        """Remember what a folder holds, and nothing else any more."""
        self._insert("checkouts", [(str(folder.resolve()), dataset, version)])
        self._database.execute("DELETE FROM unfinished WHERE folder = ?", (str(folder.resolve()),))

    def _insert(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            places = ", ".join("?" * len(rows[0]))
            self._database.execute("BEGIN")
            self._database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({places})", rows)  # noqa: S608 - a table's name of this module
            self._database.execute("COMMIT")
