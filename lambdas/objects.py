"""Objects on S3, as the functions that are woken by an upload read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Stored:
    """One version of an object, read chunk by chunk; `modified`: when S3 took it."""

    key: str
    version_id: str
    modified: datetime
    chunks: Iterator[bytes]


def read(s3: Any, bucket: str, key: str, version_id: str | None = None) -> Stored | None:
    """An object, its newest version unless one is named; None when it is gone."""
    version = {} if version_id is None else {"VersionId": version_id}
    try:
        found = s3.get_object(Bucket=bucket, Key=key, **version)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "NoSuchVersion"}:
            return None
        raise
    return Stored(key, str(found["VersionId"]), found["LastModified"], found["Body"].iter_chunks(CHUNK_BYTES))
