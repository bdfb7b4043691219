"""A folder of uploads/<dataset>/ as the files of one table (contracts/folder.py)."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.folder import FOLDER_MARKER, LARGEST_MARKER_BYTES, Marker, folder_problems, is_data
from contracts.tables.formats import Format, FormatError, format_of
from lambdas.ingest_dataset.adapters import DataBucket, Listed
from lambdas.ingest_dataset.reading import Source


@dataclass(frozen=True)
class Folder:
    """What a marker stands for: names and VersionIds, None for what is newest when it is read; `problems`: why it is no table."""

    prefix: str
    files: tuple[tuple[str, str | None], ...]
    problems: tuple[str, ...]

    def sources(self, bucket: DataBucket) -> Iterator[Source]:
        """The files, each opened when it is asked for. Raises FormatError when one is gone."""
        for name, version_id in self.files:
            key = self.prefix + name
            found = bucket.read(key, version_id)
            if found is None:
                raise FormatError(f"{name} is not there any more. Next: write {FOLDER_MARKER} again when nobody writes to the folder")
            yield Source(bucket.name, key, found.version_id, format_of(name) or Format.CSV, found.chunks)


def read_folder(bucket: DataBucket, prefix: str, marker: Iterator[bytes]) -> Folder:
    """The files that a marker names, or else all that are there."""
    named = _named(marker)
    listed = bucket.list(prefix)
    if named is not None:
        sizes = {each.name: each.size for each in listed}
        files = tuple((file.name, file.version_id) for file in named.files)
        problems = folder_problems((name, sizes.get(name, 0)) for name, _ in files)
        problems += [f"{FOLDER_MARKER} names {name!r} twice" for name in sorted({name for name, _ in files if files.count((name, _)) > 1})]
        return Folder(prefix, files, tuple(problems))
    data = [each for each in listed if is_data(each.name)]
    problems = folder_problems((each.name, each.size) for each in data if "/" not in each.name)
    problems += _nested(data)
    return Folder(prefix, tuple((each.name, None) for each in data), tuple(problems))


def is_late(bucket: DataBucket, prefix: str, name: str) -> bool:
    """Whether a file came after a marker that stands for all that was there.

    A marker that names its files leaves others out knowingly: what comes after it is of a push whose own marker is still to come.
    """
    changed = {each.name: each.changed for each in bucket.list(prefix)}
    if FOLDER_MARKER not in changed or name not in changed or changed[name] <= changed[FOLDER_MARKER]:
        return False
    marker = bucket.read(prefix + FOLDER_MARKER)
    return marker is not None and _named(marker.chunks) is None


def _nested(files: list[Listed]) -> list[str]:
    inner = sorted({each.name.partition("/")[0] for each in files if "/" in each.name})
    if not inner:
        return []
    step = "a column for it in the files, and all of them in one folder"
    return [f"the folder has folders in it, such as {inner[0]!r}, and what their names say is not read. Next: {step}"]


def _named(chunks: Iterator[bytes]) -> Marker | None:
    """What a marker names; None of another program's, and of one that is too large to be ours."""
    content = io.BytesIO()
    for chunk in chunks:
        content.write(chunk)
        if content.tell() > LARGEST_MARKER_BYTES:
            return None
    return Marker.read(content.getvalue())
