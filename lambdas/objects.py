"""Object versions on S3, as the functions that are woken by an upload read them."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

CHUNK_BYTES = 1 << 20


def read_version(s3: Any, bucket: str, key: str, version_id: str) -> Iterator[bytes] | None:
    """An object version's content, chunk by chunk; None when it is gone since the event."""
    found = _get(s3, Bucket=bucket, Key=key, VersionId=version_id)
    return found and found[1]


def read_newest(s3: Any, bucket: str, key: str) -> tuple[str, Iterator[bytes]] | None:
    """(VersionId, content) of an object as it is now; None when it is gone."""
    return _get(s3, Bucket=bucket, Key=key)


def _get(s3: Any, **which: str) -> tuple[str, Iterator[bytes]] | None:
    try:
        found = s3.get_object(**which)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "NoSuchVersion"}:
            return None
        raise
    return str(found["VersionId"]), found["Body"].iter_chunks(CHUNK_BYTES)
