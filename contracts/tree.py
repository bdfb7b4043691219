"""A version of any files: an immutable manifest over S3 object versions, without a data contract.

    datasets/<dataset>/<version>/tree.json    the manifest; written last, so a version that can be seen is complete
    trees/<dataset>/<path>                    the files, as they were pushed; S3's object versions hold the earlier ones

The version is a digest of paths, contents and parents, so going back to earlier contents is a version of its own, and the newest. A file
whose content is in the dataset already is named where it lies, under whatever path.
A table of the project's own dataset has a Manifest instead (contracts/manifest.py): it was checked, and is trained on.
"""

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass
from pydantic_core import to_json

from contracts.manifest import VERSION_LENGTH, Manifest

LONGEST_PATH = 800  # bytes in UTF-8; a key has at most 1,024, and the dataset's prefix comes before
_PART = r"(?!\.{1,2}(?:/|\Z))[^/\x00-\x1f\x7f]+"
_PLAIN = re.compile(f"{_PART}(?:/{_PART})*", re.ASCII)
_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


@dataclass(slots=True, frozen=True, config=ConfigDict(extra="forbid"))
class TreeFile:
    """One file: its path in the tree, and the object version that holds it. With slots, for there may be 100,000 of them."""

    path: str
    key: str
    version_id: str
    size: int = Field(ge=0, description="bytes")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        problem = path_problem(path)
        if problem:
            raise ValueError(f"path {path!r} {problem}")
        return path


class Tree(BaseModel):
    """tree.json. `parents`: the dataset's newest version when this one was pushed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    bucket: str
    files: tuple[TreeFile, ...] = Field(min_length=1)
    parents: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of parents, paths and contents."""
        digest = hashlib.sha256(f"{' '.join(self.parents)}\n".encode())
        for file in sorted(self.files, key=lambda file: file.path):
            digest.update(f"{file.path}\0{file.sha256}\n".encode())
        return digest.hexdigest()[:VERSION_LENGTH]

    def holds_the_same(self, other: Self) -> bool:
        """Whether paths and contents are equal, wherever they lie."""
        return {file.path: file.sha256 for file in self.files} == {file.path: file.sha256 for file in other.files}

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def to_json(self) -> bytes:
        """The file's content. With 100,000 files it has 20 MB, and a text on the way as many more."""
        return to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The tree that `to_json` wrote. Raises pydantic.ValidationError."""
        return cls.model_validate_json(text)


def path_problem(path: str) -> str | None:
    """Why a path cannot be in a tree; None when it can."""
    if path.isascii() and len(path) <= LONGEST_PATH and _PLAIN.fullmatch(path):
        return None  # nearly all, in a tenth of the time that it takes to say what is wrong
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        return "is not Unicode text. Next: rename it"
    if length > LONGEST_PATH:
        return f"has {length} bytes, and at most {LONGEST_PATH} fit into an S3 key. Next: shorten it"
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or "/".join(parts) != path or {".", ".."} & set(parts):
        return "is not a relative path inside the tree"
    return _unseen(path)


def _unseen(path: str) -> str | None:
    """What in a path makes a terminal show another one: https://trojansource.codes."""
    if any(unicodedata.category(character) == "Cc" for character in path):
        return "holds a control character. Next: rename it"
    if any(unicodedata.bidirectional(character) in _DIRECTIONS for character in path):
        return "holds a mark that turns the direction of writing. Next: rename it"
    return None


def tree_of(manifest: Manifest) -> Tree:
    """A table's files as a tree: under their names, and where two are called alike under their keys."""
    names = [PurePosixPath(file.key).name for file in manifest.files]
    files = [
        TreeFile(
            path=name if names.count(name) == 1 else file.key,
            key=file.key,
            version_id=file.version_id,
            size=file.size,
            sha256=file.sha256,
        )
        for name, file in zip(names, manifest.files, strict=True)
    ]
    return Tree(dataset=manifest.dataset, bucket=manifest.files[0].bucket, files=tuple(files), parents=manifest.parents)
