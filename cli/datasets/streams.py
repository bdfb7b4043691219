"""Bytes of object versions, as they come."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from contracts.errors import DataError
from contracts.tree import TreeFile

MEGABYTE = 1 << 20
ATTEMPTS = 5
_GONE = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}  # no such VersionId, no such key, a delete marker
_BROKEN = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class GoneError(DataError):
    """A manifest names an object version that is not there."""


class Streams:
    """Reads from a bucket, in many threads, until it is told to end."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket, self._ended = s3, bucket, threading.Event()

    def end(self) -> None:
        """Every read ends at its next block: whoever waited for them has gone."""
        self._ended.set()

    def read(self, file: TreeFile, start: int, end: int, take: Callable[[int, bytes], None]) -> None:
        """Bytes start..end of a file, to `take` with their position, in order. A stream that breaks goes on where it broke.

        An object that is longer or shorter than the manifest says gives what it has. Raises GoneError when it is not there.
        """
        position, whole = start, (start, end) == (0, file.size)
        for attempt in range(1, ATTEMPTS + 1):
            asked = {} if whole and position == 0 else {"Range": f"bytes={position}-{end - 1}"}
            try:
                body = self._body(file, asked)
                while body and (block := body.read(MEGABYTE)):
                    if self._ended.is_set():
                        raise CancelledError
                    take(position, block)
                    position += len(block)
            except _BROKEN:
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def _body(self, file: TreeFile, asked: Mapping[str, str]) -> Any:
        """The stream, or None when the object ends before what is asked for."""
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=file.key, VersionId=file.version_id, **asked)["Body"]
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status in _GONE:
                where = f"object version {file.version_id} of {file.key}"
                raise GoneError([f"{where} is gone. Next: tide data verify names all that is damaged"]) from None
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return None
            raise
