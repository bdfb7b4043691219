"""A version into a folder.

A file appears under its name only when it is whole and has the SHA-256 of the manifest. What somebody changed in the folder is never
overwritten or removed without being told to. A checkout that was ended at any point is taken up by the next one.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cli.datasets.digest import digests
from cli.datasets.index import Index
from cli.datasets.receive import Receiver
from cli.datasets.scan import UNFINISHED, LocalFile, files_of, look
from cli.datasets.store import Store, Version
from contracts.errors import StateError
from contracts.tree import TreeFile

SHOWN = 10


@dataclass(frozen=True)
class Fetched:
    """What a checkout did to a folder. `size`: bytes of the files that were fetched."""

    fetched: int
    kept: int
    removed: int
    size: int


def checkout(store: Store, index: Index, version: Version, folder: Path, force: bool, show: Callable[[str], None]) -> Fetched:
    """Make a folder hold a version. Raises StateError when changes would be lost."""
    if folder.exists() and not folder.is_dir():
        raise StateError(f"{folder} is a file. Next: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        local = {file.path: file for file in files_of(folder)}
        found = digests(list(local.values()), index)
        wanted = {file.path: file for file in version.tree.files}
        was = _was(store, index, folder, version)
        todo = [file for path, file in wanted.items() if found.get(path) != file.sha256]
        gone = [path for path in was if path in local and path not in wanted]
        if not force:
            _keep_changes([file.path for file in todo if file.path in local] + gone, found, was, folder)
        index.note_begun(folder, version.tree.dataset, version.version)
        for path in gone:  # first, because a file may be where a folder comes
            _remove(folder, path)
        _fetch(store, index, todo, folder, show)
        index.note_checkout(folder, version.tree.dataset, version.version)
    return Fetched(len(todo), len(wanted) - len(todo), len(gone), sum(file.size for file in todo))


def _was(store: Store, index: Index, folder: Path, version: Version) -> dict[str, set[str]]:
    """path -> SHA-256 of what earlier checkouts may have put there; a version that was pruned since tells nothing."""
    was: dict[str, set[str]] = {}
    for dataset, name in index.checkouts(folder):
        if (dataset, name) == (version.tree.dataset, version.version):
            trees = [version.tree]
        else:
            trees = [store.read(each).tree for each in store.versions(dataset) if each.version == name]
        for file in (file for tree in trees for file in tree.files):
            was.setdefault(file.path, set()).add(file.sha256)
    return was


def _keep_changes(paths: list[str], found: Mapping[str, str], was: Mapping[str, Collection[str]], folder: Path) -> None:
    changed = sorted(path for path in paths if found[path] not in was.get(path, ()))
    if changed:
        more = f", and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        shown = f"{', '.join(changed[:SHOWN])}{more}"
        raise StateError(f"{folder} holds changes that no version has: {shown}. Next: tide data push {folder}, or --force to lose them")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other checkout works in the folder. The system lets go of it however this process ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StateError(f"another checkout is at work in {folder}. Next: wait for it, or name another folder") from None
    finally:
        os.close(descriptor)


def _fetch(store: Store, index: Index, todo: list[TreeFile], folder: Path, show: Callable[[str], None]) -> None:
    """Every content once, to all its paths; then what is left of checkouts that did not end goes."""
    unfinished = folder / UNFINISHED
    unfinished.mkdir(exist_ok=True)
    by_content: dict[str, list[TreeFile]] = {}
    for file in todo:
        by_content.setdefault(file.sha256, []).append(file)
    contents = [files[0] for files in by_content.values()]
    size, arrived = sum(file.size for file in contents), 0

    def note(count: int) -> None:
        nonlocal arrived
        arrived += count
        show(f"{arrived:,} of {size:,} bytes")

    settled: list[tuple[LocalFile, str]] = []
    for content, path in Receiver(store.s3, store.bucket, index, unfinished).receive(contents, note):
        for file in by_content[content.sha256][1:]:
            copy = unfinished / "copy"
            shutil.copyfile(path, copy)
            settled.append((_settle(copy, folder, file.path), file.sha256))
        settled.append((_settle(path, folder, content.path), content.sha256))
    index.learn(settled)
    shutil.rmtree(unfinished)


def _settle(part: Path, folder: Path, path: str) -> LocalFile:
    """Give a whole file its name. Only when nothing but the name has changed since it was whole, its new state is remembered with it."""
    target = folder / path
    with _folder_of(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        raise StateError(f"{target} is a folder here, and a file in the version. Next: move it away")
    seen = look(path, str(part))
    part.replace(target)
    named = look(path, str(target))
    return named if named.shape == seen.shape else replace(seen, place=str(target))


@contextmanager
def _folder_of(target: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise StateError(f"{target.parent} is a file here, and a folder in the version. Next: move it away") from None


def _remove(folder: Path, path: str) -> None:
    """A file, and the folders that it leaves empty."""
    (folder / path).unlink()
    for parent in (folder / path).parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()
