"""An S3 server in a process of its own, with the data stack of a project in it, and `tide` in processes of theirs."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from cli.datasets.store import Store

BUCKET = "tides-data"
CONFIG = "project: tides\ndata: {dataset: tides, target: swims, problem: binary, positive: 'yes', features: {height: numeric}}\n"
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
STACK = {
    "Resources": {"Data": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}}},
    "Outputs": {"DataBucketName": {"Value": BUCKET}},
}


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """The server's URL."""
    log = folder / "server.log"
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        while not (found := re.search(r"Running on (http://\S+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        url = found.group(1)
        client("cloudformation", url).create_stack(StackName="tides-dev-data", TemplateBody=json.dumps(STACK))
        client("s3", url).put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield url
    finally:
        process.kill()
        process.wait()


def client(name: str, url: str) -> Any:
    """A client of the server's."""
    session: Any = boto3.Session("a", "b", region_name="us-east-1")  # boto3-stubs know a client only by its literal name
    return session.client(name, endpoint_url=url)


@dataclass(frozen=True)
class Person:
    """Somebody with the project in a folder, and so with a memory of what was sent and read."""

    folder: Path
    url: str

    @classmethod
    def at(cls, folder: Path, url: str) -> "Person":
        """A new one."""
        folder.mkdir()
        (folder / "tidewheel.yaml").write_text(CONFIG)
        return cls(folder, url)

    @property
    def store(self) -> Store:
        """The versions, as anybody sees them."""
        return Store(client("s3", self.url), BUCKET)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`tide data ... --json` as a process."""
        command = [sys.executable, "-c", "from cli.main import main; main()", "data", *arguments, "--json"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        variables = kept | KEYS | {"AWS_ENDPOINT_URL": self.url, "TIDEWHEEL_CONFIG": str(self.folder / "tidewheel.yaml")}
        return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def tell(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """What a command found, when it succeeded."""
        out, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
        document: dict[str, Any] = json.loads(out)
        return document

    def tide(self, *arguments: str) -> dict[str, Any]:
        """`tide data ...`, from start to end."""
        return self.tell(self.start(*arguments))

    def fail(self, *arguments: str) -> tuple[dict[str, Any] | None, str]:
        """`tide data ...` that ends with 1: what it found, and what it said."""
        process = self.start(*arguments)
        out, error = process.communicate(timeout=60)
        assert process.returncode == 1, error
        return json.loads(out) if out else None, error

    def kill(self, after: float, *arguments: str) -> bool:
        """`tide data ...`, killed some seconds after its start; whether it was at work still."""
        process = self.start(*arguments)
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        return process.returncode != 0
