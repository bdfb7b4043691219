"""Captured traffic and labels from S3: the files of the hours that are wanted, and no others.

Both lie below <source>/yyyy/mm/dd/hh/ (contracts/layout.py): captures by the hour of the prediction, labels by that of their collection,
so keys in their order are hours in theirs: a listing begins at the first hour and ends behind the last.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from contracts.layout import hour_prefix

THREADS = 8
CHUNK_BYTES = 1 << 20
SCHEME = "s3://"
_FILE = re.compile(r"\d{4}/\d\d/\d\d/\d\d/[^/]+\.jsonl")
_HOUR = timedelta(hours=1)


def make_client(service: str) -> Any:
    """An AWS client, which several threads may use."""
    from botocore.config import Config  # noqa: PLC0415 - as for the session

    config = Config(max_pool_connections=THREADS, retries={"mode": "standard", "total_max_attempts": 5})
    return _session().create_client(service, config=config)


@cache
def _session() -> Any:
    # Not imported at the top, because a job with local files need not spend the time; and not boto3, which takes more of it.
    import botocore.session  # noqa: PLC0415 - as above

    return botocore.session.get_session()


def fetch(source: str, start: datetime, end: datetime | None, folder: Path, s3: Any = None) -> Path:
    """Copy the files below an S3 URI whose hours reach into start <= time < end, under their names there; `end` None: up to the newest.

    Gives the folder, which exists afterwards also when there is no file. Raises botocore's ClientError.
    """
    client = s3 or make_client("s3")
    bucket, _, place = source.removeprefix(SCHEME).partition("/")
    prefix = f"{place.rstrip('/')}/" if place else ""
    folder.mkdir(parents=True, exist_ok=True)

    def copy(name: str) -> None:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        body = client.get_object(Bucket=bucket, Key=prefix + name)["Body"]
        with target.open("wb") as file:
            for chunk in body.iter_chunks(CHUNK_BYTES):
                file.write(chunk)

    with ThreadPoolExecutor(THREADS) as threads:
        for _ in threads.map(copy, list_files(client, bucket, prefix, start, end)):
            pass  # raises what a copy raised
    return folder


def list_files(s3: Any, bucket: str, prefix: str, start: datetime, end: datetime | None) -> Iterator[str]:
    """The names below `prefix` of the files whose hours reach into start <= time < end, in order."""
    stop = None if end is None else hour_prefix(end if end == _full_hour(end) else end + _HOUR)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=prefix + hour_prefix(start))
    for page in pages:
        for found in page.get("Contents", ()):
            name = found["Key"].removeprefix(prefix)
            if stop is not None and name >= stop:
                return
            if _FILE.fullmatch(name):
                yield name


def _full_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
