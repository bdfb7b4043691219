"""A table in several files: uploads/<dataset>/<folder>/, which is one dataset version when its marker says that it is complete.

S3 does not know when a folder is complete, so whoever writes it says so: with an object `_SUCCESS`, written last, as Spark, Hadoop and Glue
jobs do. What the marker holds does not matter, unless it is a Marker: then the version is of exactly the object versions that it names,
whatever else lies in the folder. Else it is of all files that are there when the marker is read. Names that begin with `_` or `.` are no
data, by the same custom.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.layout import LARGEST_UPLOAD_BYTES
from contracts.names import trick_in
from contracts.tables.formats import SUFFIXES, format_of

FOLDER_MARKER = "_SUCCESS"
MOST_FILES = 1000  # each of them costs a request
LARGEST_MARKER_BYTES = 4 * 1024 * 1024
LONGEST_NAME = 255  # bytes in UTF-8; no file system takes more, and a version is checked out some day


class MarkedFile(BaseModel):
    """A file of the folder, at one object version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    version_id: str = Field(min_length=1)


class Marker(BaseModel):
    """What a marker may hold: all files of the version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["tidewheel/folder"] = "tidewheel/folder"
    files: tuple[MarkedFile, ...] = Field(min_length=1)

    @classmethod
    def read(cls, content: bytes) -> Self | None:
        """The marker in an object; None for another program's."""
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            return None


def is_data(name: str) -> bool:
    """Whether a file of a folder is one of its data."""
    return not name.startswith(("_", "."))


def folder_digest(files: Iterable[tuple[str, str]]) -> str:
    """The SHA-256 that stands for a folder's files, given as (name, SHA-256) in any order."""
    digest = hashlib.sha256()
    for name, sha256 in sorted(files):
        digest.update(f"{name}\0{sha256}\n".encode())
    return digest.hexdigest()


def length_problem(name: str) -> str | None:
    """Why a file or a folder has too long a name; None when it has not."""
    length = len(name.encode(errors="replace"))
    if length <= LONGEST_NAME:
        return None
    return f"the name {name[:40]!r}... has {length} bytes, and at most {LONGEST_NAME} are possible. Next: shorten it"


def name_problem(name: str) -> str | None:
    """Why a table's file cannot be called so; None when it can."""
    if problem := length_problem(name):
        return problem
    if trick := trick_in(name):
        return f"the name {name!r} {trick}. Next: rename the file"
    if format_of(name) is None:
        return f"{name!r} is no table. Next: one of {', '.join(SUFFIXES)}"
    return None


def folder_problems(files: Iterable[tuple[str, int]]) -> list[str]:
    """Why files, given as (name, bytes), cannot be one table, in words; each once."""
    names, total = [], 0
    for name, size in files:
        names.append(name)
        total += size
    problems = [] if names else [f"the folder has no files. Next: write them first, and {FOLDER_MARKER} last"]
    if len(names) > MOST_FILES:
        problems.append(f"the folder has {len(names)} files, and at most {MOST_FILES} can be read. Next: write fewer and larger files")
    if total > LARGEST_UPLOAD_BYTES:
        problems.append(f"the files have {total} bytes, and at most {LARGEST_UPLOAD_BYTES} can be read. Next: upload fewer rows")
    problems += [problem for name in names[:MOST_FILES] if (problem := name_problem(name))][:20]
    return problems
