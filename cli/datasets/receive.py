"""Contents out of the bucket, many at once: small ones in one request, large ones in pieces; what was begun earlier goes on where it ended.

A content lies in a folder of its own kind under its SHA-256 until it is whole and checked. Pieces are written where they belong as they
stream in, and hashed in their order meanwhile, so memory does not grow with the files.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-guidelines.html
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from cli.datasets.index import Index
from cli.datasets.parallel import act_on
from contracts.errors import DataError
from contracts.tree import TreeFile

MEGABYTE = 1 << 20
PIECE = 128 * MEGABYTE  # long enough that a request costs nothing beside it, short enough that little is lost with it
STREAMS = 4  # pieces of a large content at once
THREADS = 16
ATTEMPTS = 5
_GONE = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}  # no such VersionId, no such key, a delete marker
_BROKEN = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
Arrived = Callable[[int], None]


class GoneError(DataError):
    """A manifest names an object version that is not there."""


class Receiver:
    """Fetches contents into a folder. `index` is written by this thread alone."""

    def __init__(self, s3: Any, bucket: str, index: Index, folder: Path) -> None:
        self._s3, self._bucket, self._index, self._folder = s3, bucket, index, folder

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
            pool.shutdown(cancel_futures=True)

    def _small(self, file: TreeFile) -> Path:
        path, digest = self._folder / file.sha256, hashlib.sha256()
        with path.open("wb", buffering=0) as target:

            def take(_position: int, block: bytes) -> None:
                digest.update(block)
                target.write(block)

            if file.size:
                stream(self._s3, self._bucket, file, 0, file.size, take)
        return _checked(file, path, digest.hexdigest())

    def _large(self, pool: ThreadPoolExecutor, file: TreeFile, arrived: Arrived) -> Path:
        path, digest = self._folder / file.sha256, hashlib.sha256()
        there = self._begin(file, path)
        arrived(sum(_end(file, number) - number * PIECE for number in there))
        numbers = range(-(-file.size // PIECE))
        hashed = 0
        with path.open("r+b", buffering=0) as target:

            def fetch(number: int) -> None:
                start, end = number * PIECE, _end(file, number)
                stream(self._s3, self._bucket, file, start, end, lambda position, block: _write(target.fileno(), block, position))

            for number, _ in act_on(pool, [number for number in numbers if number not in there], fetch, STREAMS):
                self._index.note_piece(path, number)
                there.add(number)
                arrived(_end(file, number) - number * PIECE)
                while hashed in there:
                    _hash(target.fileno(), digest.update, hashed * PIECE, _end(file, hashed))
                    hashed += 1
            for number in numbers[hashed:]:
                _hash(target.fileno(), digest.update, number * PIECE, _end(file, number))
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


def stream(s3: Any, bucket: str, file: TreeFile, start: int, end: int, take: Callable[[int, bytes], None]) -> None:
    """Bytes start..end of an object version, to `take` with their position, in order. A stream that breaks goes on where it broke.

    An object that is longer or shorter than the manifest says gives what it has. Raises GoneError when it is not there.
    """
    position, whole = start, (start, end) == (0, file.size)
    for attempt in range(1, ATTEMPTS + 1):
        asked = {} if whole and position == 0 else {"Range": f"bytes={position}-{end - 1}"}
        try:
            body = _body(s3, bucket, file, asked)
            while body and (block := body.read(MEGABYTE)):
                take(position, block)
                position += len(block)
        except _BROKEN:
            if attempt == ATTEMPTS:
                raise
        else:
            return


def _body(s3: Any, bucket: str, file: TreeFile, asked: Mapping[str, str]) -> Any:
    """The stream, or None when the object ends before what is asked for."""
    try:
        return s3.get_object(Bucket=bucket, Key=file.key, VersionId=file.version_id, **asked)["Body"]
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status in _GONE:
            raise GoneError([f"object version {file.version_id} of {file.key} is gone. Next: tide data verify names all that is damaged"]) from None
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        raise


def _end(file: TreeFile, number: int) -> int:
    return min(file.size, (number + 1) * PIECE)


def _write(descriptor: int, block: bytes, position: int) -> None:
    view = memoryview(block)
    while view:
        written = os.pwrite(descriptor, view, position)
        view, position = view[written:], position + written


def _hash(descriptor: int, update: Callable[[bytes], None], start: int, end: int) -> None:
    while start < end:
        block = os.pread(descriptor, min(MEGABYTE, end - start), start)
        update(block)
        start += len(block)


def _checked(file: TreeFile, path: Path, digest: str) -> Path:
    if digest == file.sha256:
        return path
    path.unlink()
    raise DataError([f"{file.path} has SHA-256 {digest}, and the manifest says {file.sha256}. Next: tide data verify says what is damaged"])
