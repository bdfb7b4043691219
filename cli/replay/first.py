"""What the first model alone would have answered: its own archive, served by the project's own model server, on the same requests.

The archive is read from S3 as the endpoint reads it; the server checks its digest. It runs beside the twin, on loopback, and ends here.
What predict does to a request before the endpoint sees it is done here too: hashes stand for the values of hashed columns.
"""

import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from cli.batch.target import find_hasher
from cli.observe import App, Version
from cli.project import REPOSITORY
from cli.replay.client import batches
from cli.replay.table import Row
from contracts.batch.rows import Hasher
from contracts.errors import StateError
from contracts.layout import ARTIFACT_VARIABLE, ROOT_VARIABLE

READY_LIMIT = 60.0
ANSWER_LIMIT = 120.0


def first_answers(app: App, version: Version, rows: Sequence[Row], numbers: Sequence[int], folder: Path) -> dict[int, str | float]:
    """The predictions of a version for rows, by number; a row that does not fit has none. Raises StateError when it cannot be served."""
    config = app.project.config
    columns = frozenset(config.data.privacy.hash) & frozenset(config.data.features)
    hasher = find_hasher(app, columns)
    fitting = [number for number in numbers if rows[number].fits]
    found: dict[int, str | float] = {}
    with _served(app, version, folder) as url:
        for batch in batches([rows[number] for number in fitting], range(len(fitting)), 1, config.api.maximum_body_kilobytes):
            chosen = [fitting[place] for place in batch]
            found |= zip(chosen, _ask(version, url, [concealed(rows[number].record, columns, hasher) for number in chosen]), strict=True)
    return found


def concealed(record: Mapping[str, Any], columns: Collection[str], hasher: Hasher) -> dict[str, Any]:
    """A record as predict hands it to the endpoint."""
    return {name: hasher(name, value) if name in columns and value is not None else value for name, value in record.items()}


def _ask(version: Version, url: str, records: list[dict[str, Any]]) -> list[str | float]:
    try:
        reply = urllib3.request("POST", f"{url}/invocations", json={"instances": records}, timeout=ANSWER_LIMIT, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise StateError(f"version {version.number} gives no answer: {error!r}") from error
    if reply.status != 200:
        raise StateError(f"version {version.number} answers {reply.status}: {reply.data[:300].decode(errors='replace')}")
    return [answer["prediction"] for answer in reply.json()["predictions"]]


@contextmanager
def _served(app: App, version: Version, folder: Path) -> Iterator[str]:
    """The URL of a model server for a version."""
    if version.metadata is None:
        raise StateError(f"version {version.number} was not made by this project's pipeline, so its archive cannot be checked")
    root = folder / f"version-{version.number}"
    _download(app, version.arn, root)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {ROOT_VARIABLE: str(root), ARTIFACT_VARIABLE: version.metadata.artifact_sha256, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "training", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "first.log").open("wb") as said:
        server = subprocess.Popen(
            command,
            cwd=root,
            env={"PATH": os.defpath, "OMP_NUM_THREADS": "1"} | variables,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(server, url, folder / "first.log")
        yield url
    finally:
        server.terminate()
        server.wait()


def _download(app: App, arn: str, root: Path) -> None:
    container = app.sagemaker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]["Containers"][0]
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    root.mkdir(parents=True, exist_ok=True)
    archive = root / "model.tar.gz"
    app.s3.download_file(bucket, key, str(archive))
    with tarfile.open(archive, "r:gz") as tar:
        # Python has the data filter from 3.11.4 on; what is unpacked is checked against its digest before it is read.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(root / "model")  # noqa: S202 - this app's own archive


def _wait(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_LIMIT
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if urllib3.request("GET", f"{url}/ping", timeout=2, retries=False).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
    raise StateError(f"the first version's server did not start: {log.read_text(errors='replace')[-500:].strip()}")
