"""A version held against its manifest: every byte of every file in the bucket is read."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cli.datasets.parallel import act_on
from cli.datasets.receive import THREADS
from cli.datasets.store import Store, Version
from cli.datasets.streams import GoneError, Streams
from contracts.tree import TreeFile


def verify(store: Store, version: Version, show: Callable[[str], None]) -> dict[str, str]:
    """path -> what is wrong, of every file that S3 does not hold as the manifest says. Contents that many paths share are read once."""
    by_place: dict[tuple[str, str, int, str], list[TreeFile]] = {}
    for file in version.tree.files:
        by_place.setdefault((file.key, file.version_id, file.size, file.sha256), []).append(file)
    total = sum(files[0].size for files in by_place.values())
    wrong: dict[str, str] = {}
    read = 0
    streams, pool = Streams(store.s3, store.bucket), ThreadPoolExecutor(THREADS)
    try:
        for files, problem in act_on(pool, by_place.values(), lambda files: _problem(streams, files), 2 * THREADS):
            read += files[0].size
            show(f"{read:,} of {total:,} bytes")
            if problem:
                wrong |= {file.path: problem for file in files}
    finally:
        streams.end()
        pool.shutdown(cancel_futures=True)
    return dict(sorted(wrong.items()))


def _problem(streams: Streams, files: list[TreeFile]) -> str | None:
    digest, size = hashlib.sha256(), 0

    def take(_position: int, block: bytes) -> None:
        nonlocal size
        digest.update(block)
        size += len(block)

    try:
        streams.read(files[0], 0, files[0].size, take)
    except GoneError:
        return f"object version {files[0].version_id} of {files[0].key} is gone"
    if size != files[0].size:
        return f"has {size} bytes, and the manifest says {files[0].size}"
    if digest.hexdigest() != files[0].sha256:
        return f"has SHA-256 {digest.hexdigest()}, and the manifest says {files[0].sha256}"
    return None
