"""A version into a folder, and a version held against its manifest.

A file appears under its name only when it is whole and has the SHA-256 of the manifest. What somebody changed in the folder is never
overwritten or removed without being told to.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from cli.datasets.digest import digests
from cli.datasets.index import Index
from cli.datasets.parallel import act_on
from cli.datasets.scan import LocalFile, scan
from cli.datasets.send import MEGABYTE, THREADS
from cli.datasets.store import Store, Version
from cli.tables import sha256_of
from contracts.errors import DataError, StateError
from contracts.tree import TreeFile

SHOWN = 10
UNFINISHED = ".tide-unfinished"
TRANSFER = TransferConfig(multipart_threshold=16 * MEGABYTE, multipart_chunksize=16 * MEGABYTE, max_concurrency=4)


@dataclass(frozen=True)
class Fetched:
    """What a checkout did to a folder."""

    fetched: int
    kept: int
    removed: int
    size: int


def checkout(
    store: Store, index: Index, version: Version, folder: Path, before: Version | None, force: bool, show: Callable[[str], None]
) -> Fetched:
    """Make a folder hold a version. `before`: what it held by the last checkout. Raises StateError when changes would be lost."""
    local = _local(folder)
    found = digests(list(local.values()), index)
    wanted = {file.path: file for file in version.tree.files}
    was = {file.path: file.sha256 for file in before.tree.files} if before else {}
    todo = [file for path, file in wanted.items() if found.get(path) != file.sha256]
    gone = [path for path in was if path in local and path not in wanted]
    if not force:
        _keep_changes([file.path for file in todo if file.path in local] + gone, found, was, folder)
    for path in gone:  # first, because a file may be where a folder comes
        _remove(folder, path)
    size = sum(file.size for file in todo)
    arrived = 0
    for file in _each(todo, lambda file: _fetch(store, file, folder)):
        arrived += file.size
        show(f"{arrived:,} of {size:,} bytes")
    index.note_checkout(folder, version.tree.dataset, version.version)
    return Fetched(len(todo), len(wanted) - len(todo), len(gone), size)


def verify(store: Store, version: Version, show: Callable[[str], None]) -> dict[str, str]:
    """path -> what is wrong, of every file that S3 does not hold as the manifest says. Every byte is read."""
    wrong: dict[str, str] = {}
    read = 0
    for file in _each(version.tree.files, lambda file: _check(store, file, wrong)):
        read += file.size
        show(f"{read:,} of {version.tree.size:,} bytes")
    return dict(sorted(wrong.items()))


def _check(store: Store, file: TreeFile, wrong: dict[str, str]) -> None:
    digest, size = hashlib.sha256(), 0
    try:
        body = store.s3.get_object(Bucket=store.bucket, Key=file.key, VersionId=file.version_id)["Body"]
        for block in body.iter_chunks(MEGABYTE):
            digest.update(block)
            size += len(block)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in {400, 404, 405}:
            raise
        wrong[file.path] = f"object version {file.version_id} of {file.key} is gone"
        return
    if size != file.size:
        wrong[file.path] = f"has {size} bytes, and the manifest says {file.size}"
    elif digest.hexdigest() != file.sha256:
        wrong[file.path] = f"has SHA-256 {digest.hexdigest()}, and the manifest says {file.sha256}"


def _local(folder: Path) -> dict[str, LocalFile]:
    if folder.exists() and not folder.is_dir():
        raise StateError(f"{folder} is a file. Next: name another folder")
    if not folder.exists() or not any(folder.iterdir()):
        return {}
    return {file.path: file for file in scan(folder) if not file.path.endswith(UNFINISHED)}


def _keep_changes(paths: list[str], found: dict[str, str], was: dict[str, str], folder: Path) -> None:
    changed = sorted(path for path in paths if found[path] != was.get(path))
    if changed:
        more = f", and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        shown = f"{', '.join(changed[:SHOWN])}{more}"
        raise StateError(f"{folder} holds changes that no version has: {shown}. Next: tide data push {folder}, or --force to lose them")


def _fetch(store: Store, file: TreeFile, folder: Path) -> None:
    target = folder / file.path
    with _folder_of(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}{UNFINISHED}")
    digest = _download(store, file, part)
    if digest != file.sha256:
        part.unlink()
        raise DataError(
            [f"{file.path} has SHA-256 {digest}, and the manifest says {file.sha256}. Next: tide data verify says what is damaged"]
        )
    if target.is_dir():
        raise StateError(f"{target} is a folder here, and a file in the version. Next: move it away")
    part.replace(target)


def _download(store: Store, file: TreeFile, part: Path) -> str:
    if file.size > TRANSFER.multipart_threshold:
        store.s3.download_file(store.bucket, file.key, str(part), ExtraArgs={"VersionId": file.version_id}, Config=TRANSFER)
        return sha256_of(part)
    content = store.s3.get_object(Bucket=store.bucket, Key=file.key, VersionId=file.version_id)["Body"].read()
    part.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


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


def _each(files: Iterable[TreeFile], act: Callable[[TreeFile], None]) -> Iterator[TreeFile]:
    """Act on every file, several at once; the first error ends it."""
    pool = ThreadPoolExecutor(min(THREADS, 4 * (os.cpu_count() or 1)))
    try:
        for file, _ in act_on(pool, files, act, 2 * THREADS):
            yield file
    finally:
        pool.shutdown(cancel_futures=True)
