"""A file or a folder as a new version: read, compare by content, send what is new, then write the manifest.

Nothing is seen of a push before its manifest is there. Two pushes at once do not disturb each other: every object that is sent has a
VersionId of its own, and the manifest names those. What is old a prune may delete meanwhile, so it is looked for again before the manifest
is written, and when it is (pruning.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cli.datasets.digest import digests
from cli.datasets.index import Index
from cli.datasets.pruning import SAFE
from cli.datasets.scan import LocalFile, scan
from cli.datasets.send import WHOLE, Outgoing, Sender
from cli.datasets.store import Listed, Place, Store, Version, places_of
from contracts.layout import TREES, tree_file_key
from contracts.tree import Tree, TreeFile

LOOK_BACK = 50  # older manifests that are read at most
Show = Callable[[str], None]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Pushed:
    """What a push did. `new`: the version was not there before."""

    tree: Tree
    new: bool
    sent_files: int
    sent_bytes: int


def push_tree(store: Store, index: Index, dataset: str, source: Path, show: Show, now: Clock) -> Pushed:
    """Push. Raises DataError for what cannot be pushed, before anything is sent. `now`: the account's time, as a prune has it."""
    files, began = scan(source), now()
    total = sum(file.size for file in files)
    found = digests(files, index, lambda done: show(f"read {done:,} of {len(files):,} files"))
    versions = store.versions(dataset)
    newest = store.read(versions[0]) if versions else None
    places = _known(store, index, dataset, newest, {found[file.path]: file.size for file in files})
    places |= _named_earlier(store, versions[1:], {found[file.path]: file.size for file in files if found[file.path] not in places})
    sent: list[Outgoing] = []

    def complete(places: Mapping[str, Place]) -> Tree:
        """Send what has no place yet."""
        outgoing = _outgoing(dataset, files, found, places)
        sent.extend(outgoing)
        size = sum(each.file.size for each in outgoing)
        sender = Sender(store.s3, store.bucket, dataset, index)
        arrived = sender.send(outgoing, lambda done: show(f"sent {done:,} of {size:,} bytes; {total - size:,} were there"))
        return _tree(store, dataset, files, found, {**places, **arrived}, newest)

    def whole(tree: Tree) -> Tree:
        """Send again what a prune took meanwhile."""
        while lost := _lost(store, tree, _in_danger(tree, {*places.values()}, now() - began > SAFE / 2), newest):
            tree = complete({file.sha256: place for file in tree.files if (place := (file.key, file.version_id)) not in lost})
        return tree

    tree = complete(places)
    if newest is not None and newest.tree.holds_the_same(tree):
        return Pushed(newest.tree, new=False, sent_files=0, sent_bytes=0)
    tree = whole(tree)
    new = store.write(tree)
    mended = whole(tree)
    if mended is not tree:
        store.replace(mended)
    return Pushed(mended, new, len(sent), sum(each.file.size for each in sent))


def _known(store: Store, index: Index, dataset: str, newest: Version | None, wanted: Mapping[str, int]) -> dict[str, Place]:
    """SHA-256 -> place of wanted contents that the dataset has: by its newest version, or by what was sent from here.

    What a version names is there. What was only sent may be gone: a prune, or another bucket of the same name.
    """
    places = {file.sha256: (file.key, file.version_id) for file in newest.tree.files if file.sha256 in wanted} if newest else {}
    remembered = index.sent(store.bucket, dataset, wanted.keys() - places.keys())
    there = store.those_there(f"{TREES}{dataset}/", remembered.values())
    for sha256, place in remembered.items():
        if place in there:
            places[sha256] = place
        else:
            index.forget_sent(store.bucket, dataset, sha256)
    return places


def _named_earlier(store: Store, older: Sequence[Listed], wanted: Mapping[str, int]) -> dict[str, Place]:
    """SHA-256 -> place of contents that older versions name, whoever sent them; `wanted` has their bytes.

    A manifest is read only while that takes less than to send what is still wanted.
    """
    places: dict[str, Place] = {}
    missing, read = sum(wanted.values()), 0
    for listed in older[:LOOK_BACK]:
        read += listed.size
        if read > missing:
            break
        for file in store.read(listed).tree.files:
            if file.sha256 in wanted and file.sha256 not in places:
                places[file.sha256] = (file.key, file.version_id)
                missing -= file.size
    return places


def _in_danger(tree: Tree, reused: set[Place], took_long: bool) -> set[Place]:
    """What a prune may take while no manifest is seen that names it: what is old. What was sent just now is not, unless the push took long.

    A large file is as old as the beginning of its upload, which may have been another push's:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
    """
    return {place for file in tree.files if (place := (file.key, file.version_id)) in reused or file.size > WHOLE or took_long}


def _lost(store: Store, tree: Tree, in_danger: set[Place], newest: Version | None) -> set[Place]:
    """What a prune took meanwhile. While the parent can be seen it keeps all that it names: whoever prunes it later sees its child."""
    if newest is not None and store.is_there(newest):
        in_danger = in_danger - places_of([newest.tree])
    return in_danger - store.those_there(f"{TREES}{tree.dataset}/", in_danger)


def _outgoing(dataset: str, files: list[LocalFile], found: Mapping[str, str], places: Mapping[str, Place]) -> list[Outgoing]:
    """What has to be sent: each content once."""
    new = {found[file.path]: file for file in reversed(files) if found[file.path] not in places}
    return [Outgoing(file, sha256, tree_file_key(dataset, file.path)) for sha256, file in new.items()]


def _tree(
    store: Store, dataset: str, files: list[LocalFile], found: Mapping[str, str], places: Mapping[str, Place], newest: Version | None
) -> Tree:
    named = {file.path: file for file in newest.tree.files} if newest else {}
    return Tree(
        dataset=dataset,
        bucket=store.bucket,
        files=tuple(_entry(file, found[file.path], places, named.get(file.path)) for file in files),
        parents=(newest.version,) if newest else (),
    )


def _entry(file: LocalFile, sha256: str, places: Mapping[str, Place], before: TreeFile | None) -> TreeFile:
    key, version_id = places[sha256]
    if before is not None and (before.sha256, before.key, before.version_id) == (sha256, key, version_id):
        return before
    return TreeFile(path=file.path, key=key, version_id=version_id, size=file.size, sha256=sha256)
