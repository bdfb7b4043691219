"""A file or a folder as a new version: read, compare by content, send what is new, then write the manifest.

Nothing is seen of a push before its manifest is there. Two pushes at once do not disturb each other: every object that is sent has a
VersionId of its own, and the manifest names those.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.datasets.digest import digests
from cli.datasets.index import Index
from cli.datasets.scan import LocalFile, scan
from cli.datasets.send import Outgoing, Sender
from cli.datasets.store import Store, Version
from contracts.layout import tree_file_key
from contracts.tree import Tree, TreeFile

Show = Callable[[str], None]


@dataclass(frozen=True)
class Pushed:
    """What a push did. `new`: the version was not there before."""

    tree: Tree
    new: bool
    sent_files: int
    sent_bytes: int


def push_tree(store: Store, index: Index, dataset: str, source: Path, show: Show) -> Pushed:
    """Push. Raises DataError for what cannot be pushed, before anything is sent."""
    files = scan(source)
    total = sum(file.size for file in files)
    found = digests(files, index, lambda done: show(f"read {done:,} of {len(files):,} files"))
    newest = store.newest(dataset)
    places = _known(store, index, dataset, newest, set(found.values()))
    outgoing = _outgoing(dataset, files, found, places)
    size = sum(each.file.size for each in outgoing)
    sender = Sender(store.s3, store.bucket, dataset, index)
    places |= sender.send(outgoing, lambda sent: show(f"sent {sent:,} of {size:,} bytes; {total - size:,} were there"))
    named = {file.path: file for file in newest.tree.files} if newest else {}
    tree = Tree(
        dataset=dataset,
        bucket=store.bucket,
        files=tuple(_entry(file, found[file.path], places, named.get(file.path)) for file in files),
        parents=(newest.version,) if newest else (),
    )
    if newest is not None and newest.tree.holds_the_same(tree):
        return Pushed(newest.tree, new=False, sent_files=0, sent_bytes=0)
    return Pushed(tree, store.write(tree), len(outgoing), size)


def _known(store: Store, index: Index, dataset: str, newest: Version | None, wanted: set[str]) -> dict[str, tuple[str, str]]:
    """SHA-256 -> (key, VersionId) of wanted contents that the dataset has: by its newest version, or by what was sent from here.

    What a version names is there. What was only sent may be gone: a prune, or another bucket of the same name.
    """
    places = {file.sha256: (file.key, file.version_id) for file in newest.tree.files if file.sha256 in wanted} if newest else {}
    remembered = index.sent(store.bucket, dataset, wanted - places.keys())
    there = store.those_there(dataset, remembered.values())
    for sha256, place in remembered.items():
        if place in there:
            places[sha256] = place
        else:
            index.forget_sent(store.bucket, dataset, sha256)
    return places


def _outgoing(dataset: str, files: list[LocalFile], found: dict[str, str], places: dict[str, tuple[str, str]]) -> list[Outgoing]:
    """What has to be sent: each content once."""
    new = {found[file.path]: file for file in reversed(files) if found[file.path] not in places}
    return [Outgoing(file, sha256, tree_file_key(dataset, file.path)) for sha256, file in new.items()]


def _entry(file: LocalFile, sha256: str, places: dict[str, tuple[str, str]], before: TreeFile | None) -> TreeFile:
    if before is not None and before.sha256 == sha256:
        return before
    key, version_id = places[sha256]
    return TreeFile(path=file.path, key=key, version_id=version_id, size=file.size, sha256=sha256)
