"""SHA-256 of many files, on all cores: hashlib lets other threads run while it works on a block."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cli.datasets.index import Index
from cli.datasets.scan import LocalFile, look
from cli.tables import sha256_of
from contracts.errors import DataError

BATCH = 1000  # files after which the index is written


def digests(files: Sequence[LocalFile], index: Index, show: Callable[[int], None] = lambda _: None) -> dict[str, str]:
    """path -> SHA-256. Only what changed is read; `show` is told how many files are done. Raises DataError when one changes meanwhile."""
    found = index.known(files)
    todo = [file for file in files if file.place not in found]
    done = len(files) - len(todo)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(todo), BATCH):
            batch = todo[start : start + BATCH]
            read = list(zip(batch, pool.map(_digest, batch), strict=True))
            index.learn(read)
            found |= {file.place: sha256 for file, sha256 in read}
            done += len(batch)
            show(done)
    return {file.path: found[file.place] for file in files}


def _digest(file: LocalFile) -> str:
    sha256 = sha256_of(Path(file.place))
    if look(file.path, file.place).state != file.state:
        raise DataError([f"{file.place} changed while it was read. Next: push again when nobody writes to it"])
    return sha256
