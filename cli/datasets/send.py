"""Files into the bucket, many at once: small ones whole, large ones in parts; what was begun earlier goes on where it ended.

S3 checks what arrives: a small file against its SHA-256, every part against the checksum that the SDK makes. Bodies are read from disk as
they are sent, so memory does not grow with the files. https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import base64
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cli.datasets.index import Index
from cli.datasets.parallel import act_on
from cli.datasets.scan import LocalFile, look
from contracts.errors import DataError

MEGABYTE = 1 << 20
WHOLE = 16 * MEGABYTE  # files up to here are sent in one request
PART = 16 * MEGABYTE
MOST_PARTS = 10_000
THREADS = 16


@dataclass(frozen=True)
class Outgoing:
    """A file to send, and where to."""

    file: LocalFile
    sha256: str
    key: str


class Sender:
    """Sends files of one dataset. `index` is written by this thread alone."""

    def __init__(self, s3: Any, bucket: str, dataset: str, index: Index) -> None:
        self._s3, self._bucket, self._dataset, self._index = s3, bucket, dataset, index

    def send(self, outgoing: Sequence[Outgoing], show: Callable[[int], None]) -> dict[str, tuple[str, str]]:
        """SHA-256 -> (key, VersionId). `show` is told the bytes that have arrived. Raises DataError when a file changes meanwhile."""
        sent: dict[str, tuple[str, str]] = {}
        arrived = 0

        def note(each: Outgoing, version_id: str) -> None:
            nonlocal arrived
            sent[each.sha256] = (each.key, version_id)
            self._index.note_sent(self._bucket, self._dataset, each.sha256, each.key, version_id)
            arrived += each.file.size
            show(arrived)

        pool = ThreadPoolExecutor(THREADS)
        try:
            for each, version_id in act_on(pool, (one for one in outgoing if one.file.size <= WHOLE), self._put, 2 * THREADS):
                note(each, version_id)
            for each in (one for one in outgoing if one.file.size > WHOLE):
                note(each, self._shared(pool, each, lambda done: show(arrived + done)))
        finally:
            pool.shutdown(cancel_futures=True)
        return sent

    def _put(self, each: Outgoing) -> str:
        checksum = base64.b64encode(bytes.fromhex(each.sha256)).decode()
        try:
            with Path(each.file.place).open("rb") as body:
                reply = self._s3.put_object(Bucket=self._bucket, Key=each.key, Body=body, ChecksumSHA256=checksum)
        finally:
            _unchanged(each.file)  # which is also why S3 finds another checksum
        return str(reply["VersionId"])

    def _shared(self, pool: ThreadPoolExecutor, each: Outgoing, show: Callable[[int], None]) -> str:
        """A large file. Another process with the same memory may be at the same upload, and complete it or send its parts again.

        Then S3 knows the upload no more, or not the part: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        """
        try:
            return self._large(pool, each, show)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchUpload", "InvalidPart"}:
                raise
        self._index.forget_upload(self._bucket, each.key, each.sha256)
        key, version_id = self._index.sent(self._bucket, self._dataset, {each.sha256}).get(each.sha256, ("", ""))
        return version_id if key == each.key else self._large(pool, each, show)

    def _large(self, pool: ThreadPoolExecutor, each: Outgoing, show: Callable[[int], None]) -> str:
        place = {"Bucket": self._bucket, "Key": each.key}
        upload_id, part_size, parts = self._begin(each)
        numbers = range(1, -(-each.file.size // part_size) + 1)
        missing = [number for number in numbers if number not in parts]
        done = each.file.size - sum(_length(each.file.size, part_size, number) for number in missing)
        show(done)

        def send(number: int) -> str:
            with Path(each.file.place).open("rb") as stream:
                body = Slice(stream, (number - 1) * part_size, _length(each.file.size, part_size, number))
                reply = self._s3.upload_part(**place, UploadId=upload_id, PartNumber=number, Body=body, ContentLength=len(body))
            return str(reply["ETag"])

        for number, tag in act_on(pool, missing, send, THREADS // 2):
            parts[number] = tag
            done += _length(each.file.size, part_size, number)
            show(done)
        _unchanged(each.file)
        listed = [{"PartNumber": number, "ETag": parts[number]} for number in numbers]
        reply = self._s3.complete_multipart_upload(**place, UploadId=upload_id, MultipartUpload={"Parts": listed})
        self._index.forget_upload(self._bucket, each.key, each.sha256)
        return str(reply["VersionId"])

    def _begin(self, each: Outgoing) -> tuple[str, int, dict[int, str]]:
        """(upload id, size of a part, the parts that have arrived: number -> ETag); an upload of the same content goes on."""
        begun = self._index.upload(self._bucket, each.key, each.sha256, each.file)
        if begun is not None:
            upload_id, part_size = begun
            parts = self._arrived(each, upload_id, part_size)
            if parts is not None:
                return upload_id, part_size, parts
        part_size = max(PART, -(-each.file.size // MOST_PARTS))
        upload_id = self._s3.create_multipart_upload(Bucket=self._bucket, Key=each.key)["UploadId"]
        self._index.note_upload(self._bucket, each.key, each.sha256, each.file, part_size, upload_id)
        return upload_id, part_size, {}

    def _arrived(self, each: Outgoing, upload_id: str, part_size: int) -> dict[int, str] | None:
        """Whole parts of an earlier attempt; None when S3 does not know it any more."""
        pages = self._s3.get_paginator("list_parts").paginate(Bucket=self._bucket, Key=each.key, UploadId=upload_id)
        try:
            parts = [part for page in pages for part in page.get("Parts", [])]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchUpload":
                return None
            raise
        return {
            part["PartNumber"]: part["ETag"] for part in parts if part["Size"] == _length(each.file.size, part_size, part["PartNumber"])
        }


class Slice(io.RawIOBase):
    """A part of a file as a file."""

    def __init__(self, stream: io.BufferedReader, start: int, length: int) -> None:
        self._stream, self._start, self._length, self._position = stream, start, length, 0

    def __len__(self) -> int:
        return self._length

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always: a request that is signed over its body, or tried again, reads it twice."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Within the slice."""
        self._position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence] + offset
        return self._position

    def tell(self) -> int:
        """Within the slice."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """At most what is left of the slice."""
        left = self._length - self._position
        self._stream.seek(self._start + self._position)
        block = self._stream.read(left if size < 0 else min(size, left))
        self._position += len(block)
        return block


def _length(size: int, part_size: int, number: int) -> int:
    return min(part_size, size - (number - 1) * part_size)


def _unchanged(file: LocalFile) -> None:
    if look(file.path, file.place).state != file.state:
        raise DataError([f"{file.place} changed while it was pushed. Next: push again when nobody writes to it"])
