"""`tide data` against DVC and a floor, all on one local S3 server, in one run. See README.md."""

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import boto3
import psutil
import urllib3

from benchmarks.data_client import BUCKET, client
from benchmarks.monitor import measure

SMALL, SMALL_BYTES, LARGE_BYTES = 2000, 50_000, 1_000_000_000
Row = tuple[float, float, float]


class Server:
    """moto's S3 on loopback."""

    def __enter__(self) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        url, quiet = f"http://127.0.0.1:{port}", subprocess.DEVNULL
        self._process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=quiet, stderr=quiet)
        while not is_up(url):
            time.sleep(0.1)
        s3 = client(url)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        return url

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def is_up(url: str) -> bool:
    """Whether the server answers."""
    try:
        return urllib3.request("GET", f"{url}/moto-api/", retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def fill(folder: Path, files: int, size: int, seed: int) -> None:
    """Random bytes."""
    generator = random.Random(seed)
    for number in range(files):
        path = folder / f"{number % 20:02}" / f"{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            for start in range(0, size, 1 << 24):
                stream.write(generator.randbytes(min(1 << 24, size - start)))


def change(folder: Path, every: int, size: int) -> None:
    """One file of so many gets other bytes."""
    for path in sorted(folder.rglob("*.bin"))[::every]:
        path.write_bytes(random.Random(path.name).randbytes(size))


class Dvc:
    """A repository with the folder in it."""

    def __init__(self, command: str, url: str, work: Path, name: str) -> None:
        self.command, self.work, self.url = command, work / f"dvc-{name}", url
        self.work.mkdir()
        self.environment = {
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
            "DVC_NO_ANALYTICS": "1",
        }
        for line in (
            ["init", "--no-scm", "-q"],
            ["remote", "add", "-d", "store", f"s3://{BUCKET}/dvc-{name}"],
            ["remote", "modify", "store", "endpointurl", url],
            ["config", "core.check_update", "false"],
        ):
            self.run(line)

    def run(self, arguments: list[str]) -> None:
        """A command that is not measured."""
        subprocess.run([self.command, *arguments], cwd=self.work, env=os.environ | self.environment, check=True, stdout=subprocess.DEVNULL)

    def push(self) -> Row:
        """add and push, as its users do."""
        script = f"{self.command} add -q folder && {self.command} push -q"
        return measure(["sh", "-c", f"cd {self.work} && {script}"], self.environment)

    def pull(self) -> Row:
        """Into an empty working tree with an empty cache."""
        shutil.rmtree(self.work / ".dvc" / "cache")
        shutil.rmtree(self.work / "folder")
        return measure(["sh", "-c", f"cd {self.work} && {self.command} pull -q"], self.environment)


def scenario(url: str, work: Path, name: str, files: int, size: int, dvc: str | None) -> dict[str, Row]:
    """First push, second push with 1 % changed, clean pull: of each."""
    source = work / f"source-{name}"
    fill(source, files, size, 1)
    run = [sys.executable, "-m", "benchmarks.data_client"]
    found = {"push: floor": measure([*run, "floor", url, str(source)], {})}
    index = str(work / f"{name}.sqlite")
    push = [*run, "push", url, str(source), index]
    found["push: tide"] = measure(push, {})
    peer = None
    if dvc:
        peer = Dvc(dvc, url, work, name)
        shutil.copytree(source, peer.work / "folder")
        found["push: dvc"] = peer.push()
    if files > 1:
        change(source, 100, size)
        found["1 % changed: tide"] = measure(push, {})
        if peer:
            change(peer.work / "folder", 100, size)
            found["1 % changed: dvc"] = peer.push()
    fresh = str(work / "fresh" / f"{name}.sqlite")
    found["pull: floor"] = measure([*run, "fetch", url, str(work / f"floor-{name}"), fresh], {})
    found["pull: tide"] = measure([*run, "pull", url, str(work / f"out-{name}"), fresh], {})
    if peer:
        found["pull: dvc"] = peer.pull()
    return found


def many(url: str, work: Path, files: int, size: int) -> dict[str, Row]:
    """A dataset of many files: what is done with it day by day, each in a process of its own."""
    source, out, index = work / "source", str(work / "out"), str(work / "many.sqlite")
    fill(source, files, size, 1)
    run = [sys.executable, "-m", "benchmarks.data_client"]
    found = {"first push": measure([*run, "push", url, str(source), index], {})}
    found["nothing changed"] = measure([*run, "push", url, str(source), index], {})
    change(source, files // 10, size)
    found["10 changed"] = measure([*run, "push", url, str(source), index], {})
    for what in ("list", "show", "diff"):
        found[what] = measure([*run, what, url, "", index], {})
    found["first checkout"] = measure([*run, "pull", url, out, index], {})
    change(source, files // 10, size + 1)
    measure([*run, "push", url, str(source), index], {})
    found["checkout, 10 changed"] = measure([*run, "pull", url, out, index], {})
    return found


def main() -> None:
    """Every scenario, a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dvc", help="the dvc command of an environment with dvc[s3]")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--small-only", action="store_true")
    parser.add_argument("--files", type=int, help="only a dataset of so many small files, without peers")
    parser.add_argument("--size", type=int, default=200, help="bytes of each of them")
    given = parser.parse_args()
    if given.files:
        with tempfile.TemporaryDirectory() as temporary, Server() as url:
            rows = many(url, Path(temporary), given.files, given.size)
        print(f"{given.files:,} files of {given.size:,} bytes")
        for row, (seconds, processor, megabytes) in rows.items():
            print(f"{row:<22}{seconds:>8.2f} s {processor:>8.2f} s of processor {megabytes:>6.0f} MB")
        return
    cases = [("small", SMALL, SMALL_BYTES)] + ([] if given.small_only else [("large", 1, LARGE_BYTES)])
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, boto3 {boto3.__version__}, psutil {psutil.__version__}")
    for name, files, size in cases:
        rounds = []
        for _ in range(given.rounds):
            with tempfile.TemporaryDirectory() as temporary, Server() as url:
                rounds.append(scenario(url, Path(temporary), name, files, size, given.dvc))
        print(f"\n{files:,} files of {size:,} bytes; median of {given.rounds}")
        show({row: tuple(median(each[row][part] for each in rounds) for part in range(3)) for row in rounds[0]})  # type: ignore[misc]  # three medians


def show(found: dict[str, Row]) -> None:
    """A line for each, beside how it compares with ours."""
    against: Callable[[str], float] = lambda row: found[f"{row.partition(':')[0]}: tide"][0]  # noqa: E731 - one expression
    for row, (seconds, processor, megabytes) in found.items():
        print(f"{row:<20}{seconds:>8.2f} s {seconds / against(row):>6.2f} x {processor:>8.2f} s of processor {megabytes:>6.0f} MB")


if __name__ == "__main__":
    main()
