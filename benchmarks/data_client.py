"""One push or pull, in a process of its own: `ours` as `tide data` does it, `floor` as little as can be done with boto3."""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3

from cli.datasets.fetch import checkout
from cli.datasets.index import Index
from cli.datasets.push import push_tree
from cli.datasets.send import THREADS
from cli.datasets.store import Store

BUCKET = "data"


def client(url: str) -> Any:
    """The server's S3."""
    return boto3.client("s3", "us-east-1", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b")  # noqa: S106 - moto takes any


def floor(s3: Any, folder: Path) -> None:
    """SHA-256 of everything, and a threaded upload."""
    files = [path for path in folder.rglob("*") if path.is_file()]

    def send(path: Path) -> str:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        s3.upload_file(str(path), BUCKET, f"floor/{path.relative_to(folder)}")
        return digest

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(send, files))


def main() -> None:
    """floor URL FOLDER | push URL FOLDER INDEX | pull URL FOLDER INDEX; the dataset is called after the index."""
    what, url, folder, *rest = sys.argv[1:]
    s3 = client(url)
    if what == "floor":
        return floor(s3, Path(folder))
    store, dataset = Store(s3, BUCKET), Path(rest[0]).stem
    with Index(Path(rest[0])) as index:
        if what == "push":
            push_tree(store, index, dataset, Path(folder), lambda _: None)
        else:
            newest = store.newest(dataset)
            assert newest is not None
            checkout(store, index, newest, Path(folder), False, lambda _: None)
    return None


if __name__ == "__main__":
    main()
