"""Object versions on S3, as the functions that are woken by an upload read them."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

CHUNK_BYTES = 1 << 20


def read_version(s3: Any, bucket: str, key: str, version_id: str) -> Iterator[bytes] | None:
    """An object version's content, chunk by chunk; None when it is gone since the event."""
    try:
        body = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "NoSuchVersion"}:
            return None
        raise
    chunks: Iterator[bytes] = body.iter_chunks(CHUNK_BYTES)
    return chunks
