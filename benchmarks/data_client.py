"""One push or pull, in a process of its own: `ours` as `tide data` does it, `floor` as little as can be done with boto3."""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from cli.datasets.difference import compare
from cli.datasets.fetch import checkout
from cli.datasets.index import Index
from cli.datasets.push import push_tree
from cli.datasets.send import THREADS
from cli.datasets.store import Store
from contracts.tree import Tree, TreeFile

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


def fetch_floor(s3: Any, tree: Tree, folder: Path) -> None:
    """A threaded download of a version's files, and SHA-256 of everything."""

    def fetch(file: TreeFile) -> str:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(BUCKET, file.key, str(path), ExtraArgs={"VersionId": file.version_id})
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fetch, tree.files))


def look(store: Store, dataset: str, what: str) -> None:
    """list, show the newest, or diff the two newest; without what people see of it."""
    versions = store.versions(dataset)
    if what == "list":
        for each in versions:
            store.summary(each)
    elif what == "show":
        store.read(versions[0])
    else:
        assert not compare(store.read(versions[1]), store.read(versions[0])).is_empty


def main() -> None:
    """floor URL FOLDER | push, fetch, pull, list, show or diff URL FOLDER INDEX; the dataset is called after the index."""
    what, url, folder, *rest = sys.argv[1:]
    s3 = client(url)
    if what == "floor":
        floor(s3, Path(folder))
        return
    store, dataset = Store(s3, BUCKET), Path(rest[0]).stem
    if what in {"list", "show", "diff"}:
        look(store, dataset, what)
        return
    with Index(Path(rest[0])) as index:
        if what == "push":
            push_tree(store, index, dataset, Path(folder), lambda _: None, lambda: datetime.now(UTC))
            return
        newest = store.read(store.resolve(dataset, "latest"))
        if what == "fetch":
            fetch_floor(s3, newest.tree, Path(folder))
        else:
            checkout(store, index, newest, Path(folder), False, lambda _: None)


if __name__ == "__main__":
    main()
