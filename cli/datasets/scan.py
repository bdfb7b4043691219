"""A file or a folder as the files of a tree. Links to files are read as files; links to folders are refused, for they may go in circles."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import DataError
from contracts.tree import path_problem

SHOWN = 20


@dataclass(frozen=True)
class LocalFile:
    """A file as it is at the moment: `path` within the tree, `place` on disk. `state` changes whenever the file does."""

    path: str
    place: str
    size: int
    state: tuple[int, int, int]
    """(time of change in ns, inode, size)"""


def scan(source: Path) -> list[LocalFile]:
    """Every file, by path. Raises DataError with all that cannot be pushed."""
    if not source.exists():
        raise DataError([f"{source} is not there. Next: give the path of a file or a folder"])
    if source.is_file():
        files, problems = [look(source.name, str(source))], []
    else:
        files, problems = [], list[str]()
        for path, place, problem in _walk(str(source), ""):
            if problem:
                problems.append(f"{place!r} {problem}")
            else:
                files.append(look(path, place))
    problems += [f"{file.place!r} {problem}" for file in files if (problem := path_problem(file.path))]
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise DataError([*problems[:SHOWN], *more])
    if not files:
        raise DataError([f"{source} holds no file"])
    return sorted(files, key=lambda file: file.path)


def look(path: str, place: str) -> LocalFile:
    """A file as it is now. Raises OSError when it is gone."""
    found = Path(place).stat()
    return LocalFile(path, place, found.st_size, (found.st_mtime_ns, found.st_ino, found.st_size))


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, str, str | None]]:
    """(path in the tree, place on disk, why it cannot be pushed)."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{path}/")
            elif entry.is_symlink() and not Path(entry.path).exists():
                yield path, entry.path, "is a link to nothing"
            elif entry.is_dir():
                yield path, entry.path, "is a link to a folder"
            elif not stat.S_ISREG(entry.stat().st_mode):
                yield path, entry.path, "is not a regular file"
            else:
                yield path, entry.path, None
