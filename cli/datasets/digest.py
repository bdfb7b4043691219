"""SHA-256 of many files, on all cores: hashlib lets other threads run while it works on a block."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from cli.datasets.index import Index
from cli.datasets.parallel import act_on
from cli.datasets.scan import LocalFile, look
from contracts.errors import DataError

MEGABYTE = 1 << 20
# What a thread takes at once, and what the index learns at once: to hand over a small file takes longer than to read it.
SHARE_FILES, SHARE_BYTES = 100, 64 * MEGABYTE


def digests(files: Sequence[LocalFile], index: Index, show: Callable[[int], None] = lambda _: None) -> dict[str, str]:
    """path -> SHA-256. Only what changed is read; `show` is told how many files are done. Raises DataError when one changes meanwhile."""
    found = index.known(files)
    todo = [file for file in files if file.place not in found]
    done = len(files) - len(todo)
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        for _, read in act_on(pool, _shares(todo), _read, 2 * cores):
            index.learn(read)
            found |= {file.place: sha256 for file, sha256 in read}
            done += len(read)
            show(done)
    return {file.path: found[file.place] for file in files}


def _shares(files: Sequence[LocalFile]) -> Iterator[list[LocalFile]]:
    share: list[LocalFile] = []
    size = 0
    for file in files:
        share.append(file)
        size += file.size
        if len(share) == SHARE_FILES or size >= SHARE_BYTES:
            yield share
            share, size = [], 0
    if share:
        yield share


def _read(files: Sequence[LocalFile]) -> list[tuple[LocalFile, str]]:
    return [(file, _digest(file)) for file in files]


def _digest(file: LocalFile) -> str:
    digest = hashlib.sha256()
    with open(file.place, "rb", buffering=0) as stream:  # noqa: PTH123 - a Path for each of 100,000 files takes longer than the opening
        while block := stream.read(min(MEGABYTE, file.size + 1)):
            digest.update(block)
    if look(file.path, file.place).state != file.state:
        raise DataError([f"{file.place} changed while it was read. Next: push again when nobody writes to it"])
    return digest.hexdigest()
