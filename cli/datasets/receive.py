"""Contents out of the bucket, many at once: small ones in one request, large ones in pieces; what was begun earlier goes on where it ended.

A content lies in a folder of its own kind under its SHA-256 until it is whole and checked. Pieces are written where they belong as they
stream in, and hashed in their order meanwhile, so memory does not grow with the files.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-guidelines.html
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any

from cli.datasets.index import Index
from cli.datasets.parallel import act_on
from cli.datasets.streams import MEGABYTE, Streams
from contracts.errors import DataError
from contracts.tree import TreeFile

PIECE = 128 * MEGABYTE  # long enough that a request costs nothing beside it, short enough that little is lost with it
STREAMS = 4  # pieces of a large content at once
THREADS = 16
Arrived = Callable[[int], None]


class Receiver:
    """Fetches contents into a folder. `index` is written by this thread alone."""

    def __init__(self, s3: Any, bucket: str, index: Index, folder: Path) -> None:
        self._streams, self._index, self._folder = Streams(s3, bucket), index, folder

    def receive(self, contents: Sequence[TreeFile], arrived: Arrived) -> Iterator[tuple[TreeFile, Path]]:
        """(content, where it lies), whole and checked. `arrived` is told of bytes. Raises DataError for one that is not as it should be."""
        pool = ThreadPoolExecutor(THREADS)
        try:
            for file, path in act_on(pool, (each for each in contents if each.size <= PIECE), self._small, 2 * THREADS):
                arrived(file.size)
                yield file, path
            for file in contents:
                if file.size > PIECE:
                    yield file, self._large(pool, file, arrived)
        finally:
            self._streams.end()
            pool.shutdown(cancel_futures=True)

    def _small(self, file: TreeFile) -> Path:
        path, digest = self._folder / file.sha256, hashlib.sha256()
        with path.open("wb", buffering=0) as target:

            def take(position: int, block: bytes) -> None:
                digest.update(block)
                _write(target, block, position)

            if file.size:
                self._streams.read(file, 0, file.size, take)
        return _checked(file, path, digest.hexdigest())

    def _large(self, pool: ThreadPoolExecutor, file: TreeFile, arrived: Arrived) -> Path:
        path, digest = self._folder / file.sha256, hashlib.sha256()
        there = self._begin(file, path)
        arrived(sum(_end(file, number) - number * PIECE for number in there))
        numbers = range(-(-file.size // PIECE))
        hashed = 0

        def fetch(number: int) -> None:
            with path.open("r+b", buffering=0) as target:  # of its own: it may outlive everything else when an error ends the rest
                self._streams.read(file, number * PIECE, _end(file, number), lambda position, block: _write(target, block, position))

        with path.open("rb", buffering=0) as source:
            for number, _ in act_on(pool, [number for number in numbers if number not in there], fetch, STREAMS):
                self._index.note_piece(path, number)
                there.add(number)
                arrived(_end(file, number) - number * PIECE)
                while hashed in there:
                    _hash(source, digest.update, hashed * PIECE, _end(file, hashed))
                    hashed += 1
            for number in numbers[hashed:]:
                _hash(source, digest.update, number * PIECE, _end(file, number))
        self._index.forget_pieces(path)
        return _checked(file, path, digest.hexdigest())

    def _begin(self, file: TreeFile, path: Path) -> set[int]:
        """The pieces that have arrived; a file of the right size is there for all."""
        if path.exists() and path.stat().st_size == file.size:
            return self._index.pieces(path)
        self._index.forget_pieces(path)
        with path.open("wb") as target:
            target.truncate(file.size)
        return set()


def _end(file: TreeFile, number: int) -> int:
    return min(file.size, (number + 1) * PIECE)


def _write(target: FileIO, block: bytes, position: int) -> None:
    view = memoryview(block)
    while view:
        written = os.pwrite(target.fileno(), view, position)
        view, position = view[written:], position + written


def _hash(source: FileIO, update: Callable[[bytes], None], start: int, end: int) -> None:
    while start < end and (block := os.pread(source.fileno(), min(MEGABYTE, end - start), start)):
        update(block)
        start += len(block)


def _checked(file: TreeFile, path: Path, digest: str) -> Path:
    if digest == file.sha256:
        return path
    path.unlink()
    raise DataError([f"{file.path} has SHA-256 {digest}, and the manifest says {file.sha256}. Next: tide data verify says what is damaged"])
