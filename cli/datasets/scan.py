"""A file or a folder as the files of a tree. Links to files are read as files; links to folders are refused, for they may go in circles.

A tree is of paths and contents: folders without files and permissions are no part of it.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import DataError
from contracts.tree import path_problem

SHOWN = 20
UNFINISHED = ".tide-unfinished"  # in a folder that is checked out: what has not arrived whole. No part of any tree


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file as it is at the moment: `path` within the tree, `place` on disk. `state` is another text whenever the file has changed.

    `changed`: when it did the last time, in ns, by the time that the system keeps (ctime). Programs set the other one (mtime) as they
    like: tar, rsync and cp -p do, and what they write over a file of the same size would look unchanged.
    """

    path: str
    place: str
    size: int
    changed: int
    state: str

    @property
    def shape(self) -> str:
        """The state without the system's time, which a renaming changes too."""
        return self.state.partition(" ")[2]


def scan(source: Path) -> list[LocalFile]:
    """Every file, by path. Raises DataError with all that cannot be pushed, and when there is nothing."""
    files = files_of(source)
    if not files:
        raise DataError([f"{source} holds no file. Next: give the path of a file, or of a folder with files"])
    return files


def files_of(source: Path) -> list[LocalFile]:
    """Every file, by path; none of a folder without files. Raises DataError with all that cannot be pushed."""
    if not source.exists():
        raise DataError([f"{source} is not there. Next: give the path of a file or a folder"])
    if source.is_file():
        files, problems = [look(source.name, str(source))], []
    else:
        files, problems = [], list[str]()
        for found in _walk(str(source), ""):
            if isinstance(found, str):
                problems.append(found)
            else:
                files.append(found)
    problems += [f"{file.place!r} {problem}" for file in files if (problem := path_problem(file.path))]
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise DataError([*problems[:SHOWN], *more])
    return sorted(files, key=lambda file: file.path)


def look(path: str, place: str) -> LocalFile:
    """A file as it is now. Raises OSError when it is gone."""
    return _local(path, place, os.stat(place))  # noqa: PTH116 - a Path for each of 100,000 files takes longer than the look


def _local(path: str, place: str, found: os.stat_result) -> LocalFile:
    state = f"{found.st_ctime_ns} {found.st_mtime_ns} {found.st_dev} {found.st_ino} {found.st_size}"
    return LocalFile(path, place, found.st_size, found.st_ctime_ns, state)


def _walk(folder: str, prefix: str) -> Iterator[LocalFile | str]:
    """Files, and in words what cannot be pushed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if path == UNFINISHED:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{path}/")
            elif entry.is_symlink() and not Path(entry.path).exists():
                yield f"{entry.path!r} is a link to nothing. Next: remove it"
            elif entry.is_dir():
                yield f"{entry.path!r} is a link to a folder. Next: put the folder itself there, or push it as a dataset of its own"
            elif not stat.S_ISREG((found := entry.stat()).st_mode):
                yield f"{entry.path!r} is not a regular file. Next: move it elsewhere"
            else:
                yield _local(path, entry.path, found)
