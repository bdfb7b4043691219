"""A versioned bucket in this process, and what a test does with it."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.datasets import fetch
from cli.datasets.index import Index
from cli.datasets.push import Pushed, push_tree
from cli.datasets.store import Store, Version

BUCKET = "data-bucket"


class Counting:
    """An S3 client that counts its calls, and dies at one of them when it is told to."""

    def __init__(self, client: Any) -> None:
        self._client, self._lock = client, threading.Lock()
        self.calls: list[str] = []
        self.die_at: int | None = None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name.startswith(("_", "meta", "get_paginator", "can_paginate")):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            with self._lock:  # as many calls succeed as were allowed, whichever threads make them
                self.calls.append(name)
                dead = self.die_at is not None and len(self.calls) > self.die_at
            if dead:
                raise KeyboardInterrupt
            return found(*arguments, **named)

        return call


@pytest.fixture
def store(s3: Counting) -> Store:
    """The bucket's versions."""
    return Store(s3, BUCKET)


Push = Callable[..., Pushed]


@pytest.fixture
def push(store: Store, tmp_path: Path) -> Push:
    """Push files: the same ones from the same folder again, others from a folder of their own; `machine` names whose memory is used."""
    written: list[Mapping[str, bytes]] = []

    def act(files: Mapping[str, bytes], dataset: str = "images", machine: str = "here") -> Pushed:
        if files not in written:
            write(tmp_path / f"source{len(written)}", files)
            written.append(files)
        folder = tmp_path / f"source{written.index(files)}"
        with Index(tmp_path / f"{machine}.sqlite") as index:
            return push_tree(store, index, dataset, folder, lambda _: None, now)

    return act


def now() -> datetime:
    """As the bucket has it."""
    return datetime.now(UTC)


def failure(code: str, status: int, operation: str) -> ClientError:
    """An error of S3's."""
    meta = {"HTTPStatusCode": status, "RequestId": "", "HostId": "", "HTTPHeaders": {}, "RetryAttempts": 0}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": meta}, operation)  # type: ignore[typeddict-item]  # as much of it as is read


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files in a folder."""
    folder.mkdir(parents=True)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def out(store: Store, index: Index, version: Version, folder: Path, *, force: bool = False) -> fetch.Fetched:
    """Check out."""
    return fetch.checkout(store, index, version, folder, force=force, show=lambda _: None)
