"""Exactly the hours that are wanted are read from S3."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from contracts.layout import hour_prefix
from training.monitoring.fetch import fetch, list_files

FIRST = datetime(2026, 12, 31, 20, tzinfo=UTC)  # over the end of a year
HOURS = [FIRST + timedelta(hours=number) for number in range(8)]
SPANS = st.lists(st.integers(0, 8 * 60), min_size=2, max_size=2, unique=True).map(sorted)


class Listing:
    """S3's list of keys, as far as it is used."""

    def __init__(self, keys: list[str]) -> None:
        self._keys = sorted(keys)

    def get_paginator(self, _name: str) -> "Listing":
        return self

    def paginate(self, Bucket: str, Prefix: str, StartAfter: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - the API's names
        found = [key for key in self._keys if key.startswith(Prefix) and key > StartAfter]
        for start in range(0, len(found) or 1, 3):
            part = found[start : start + 3]
            yield {"Contents": [{"Key": key} for key in part]} if part else {}


KEYS = [f"capture/a/AllTraffic/{hour_prefix(hour)}{name}.jsonl" for hour in HOURS for name in ("00-00-000", "59-59-999-x")]
STRAY = ["capture/a/AllTraffic/2026/12/31/21/notes.txt", "capture/a/AllTraffic/2026/12/31/21/../22/x.jsonl", "capture/a/b.jsonl"]


@given(SPANS)
def test_files_are_those_of_the_hours_that_the_window_reaches_into(minutes: list[int]) -> None:
    start, end = (FIRST + timedelta(minutes=minute) for minute in minutes)
    found = list(list_files(Listing(KEYS + STRAY), "bucket", "capture/a/AllTraffic/", start, end))
    wanted = [hour for hour in HOURS if hour < end and hour + timedelta(hours=1) > start]
    assert found == [f"{hour_prefix(hour)}{name}.jsonl" for hour in wanted for name in ("00-00-000", "59-59-999-x")]


@given(st.integers(0, 8 * 60))
def test_without_an_end_everything_from_the_start_on_is_read(minute: int) -> None:
    start = FIRST + timedelta(minutes=minute)
    found = list(list_files(Listing(KEYS), "bucket", "capture/a/AllTraffic/", start, None))
    assert len(found) == 2 * len([hour for hour in HOURS if hour + timedelta(hours=1) > start])


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bucket")
        yield client


def test_a_folder_holds_the_same_files(s3: Any, tmp_path: Path) -> None:
    content = {key: f"{key}\n".encode() * 100_000 if number == 3 else key.encode() for number, key in enumerate(KEYS)}
    for key, body in content.items():
        s3.put_object(Bucket="bucket", Key=key, Body=body)
    folder = fetch("s3://bucket/capture/a/AllTraffic/", HOURS[1], HOURS[3], tmp_path / "captures", s3)
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    prefix = "capture/a/AllTraffic/"
    assert found == {key.removeprefix(prefix): content[key] for key in KEYS[2:6]}
    assert list(fetch("s3://bucket/nowhere", HOURS[0], None, tmp_path / "labels", s3).iterdir()) == []


def test_a_copy_that_fails_fails_the_job(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="bucket", Key=KEYS[0], Body=b"x")
    asked = threading.Event()

    class Gone:
        """The bucket, from which a file disappears between listing and reading."""

        get_paginator = s3.get_paginator

        def get_object(self, **request: str) -> Any:
            asked.set()
            s3.delete_object(**request)
            return s3.get_object(**request)

    with pytest.raises(s3.exceptions.NoSuchKey):
        fetch("s3://bucket/capture/a/AllTraffic", HOURS[0], None, tmp_path, Gone())
    assert asked.is_set()
