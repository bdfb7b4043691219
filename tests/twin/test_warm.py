"""A warm container is what a cold one is, only sooner."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.waiting import wait_for
from twin.clock import Clock
from twin.cloud import ADMIN, Cloud
from twin.images import Image, read_image
from twin.processes import Child, Processes
from twin.warm import Containers

PROGRAM = """
import json, os, sys, time
what, *rest = sys.argv[1:]
if what == "tell":
    loaded = "decimal" in sys.modules
    import decimal
    print("on stderr", file=sys.stderr)
    print(json.dumps({
        "arguments": sys.argv, "environment": dict(os.environ), "folder": os.getcwd(), "path": sys.path[:2], "name": __name__,
        "input": sys.stdin.read(), "leads its session": os.getsid(0) == os.getpid(), "loaded": loaded, "parent": os.getppid(),
        "descriptors": sorted(os.listdir("/dev/fd")) if sys.platform == "linux" else [],
    }))
elif what == "exit":
    sys.exit(int(rest[0]))
elif what == "raise":
    raise ValueError("a number is missing")
elif what == "sleep":
    print("asleep", flush=True)
    time.sleep(60)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every container starts cold")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """An account with nothing in it but processes."""
    processes = Processes(tmp_path / "processes")
    yield Cloud("1", "eu-west-1", 9, tmp_path, tmp_path, Clock(), processes)
    processes.stop_all()


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image of one small program, which names a library, and one that is not there."""
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM)
    (folder / "Dockerfile").write_text('ENV A=b\nLABEL libraries="decimal nowhere"\nENTRYPOINT ["python", "-m", "program"]')
    return read_image("u", folder)


@pytest.fixture
def containers(cloud: Cloud) -> Containers:
    """What starts its containers."""
    return Containers(cloud)


def start(containers: Containers, image: Image, root: Path, *arguments: str, **environment: str) -> Child:
    """Start the program; its output is log.txt in its folder."""
    root.mkdir(exist_ok=True)
    command = [*image.entrypoint, *arguments]
    with (root / "log.txt").open("wb") as log:
        return containers.start(image, command, root=root, environment=environment, credentials=ADMIN, log=log)


def told(containers: Containers, image: Image, root: Path, **environment: str) -> dict[str, Any]:
    """What the program sees."""
    assert start(containers, image, root, "tell", "a b", **environment).wait(20) == 0
    said, seen = (root / "log.txt").read_text().splitlines()
    assert said == "on stderr"
    found: dict[str, Any] = json.loads(seen)
    return found


def test_it_is_what_a_cold_one_is(containers: Containers, image: Image, tmp_path: Path) -> None:
    warm = told(containers, image, tmp_path / "root", X="y")
    cold = told(containers, Image(image.uri, image.folder, image.entrypoint, image.environment), tmp_path / "root", X="y")
    assert (warm.pop("loaded"), cold.pop("loaded")) == (True, False)
    assert warm.pop("parent") != cold.pop("parent") == os.getpid()
    assert warm == cold
    assert (warm["environment"]["A"], warm["environment"]["X"], warm["leads its session"]) == ("b", "y", True)


def test_its_end_is_told(containers: Containers, image: Image, tmp_path: Path) -> None:
    assert start(containers, image, tmp_path / "root", "exit", "3").wait(20) == 3
    failed = start(containers, image, tmp_path / "root", "raise")
    assert failed.wait(20) == failed.poll() == failed.wait() == 1
    assert (tmp_path / "root" / "log.txt").read_text().endswith("ValueError: a number is missing\n")


def test_it_is_stopped_and_found_again_like_every_child(cloud: Cloud, containers: Containers, image: Image, tmp_path: Path) -> None:
    roots = [tmp_path / "one", tmp_path / "two"]
    first, second = (start(containers, image, root, "sleep") for root in roots)
    wait_for("the programs", lambda: all((root / "log.txt").read_text() for root in roots) or None, 20)
    assert first.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        first.wait(0.01)
    assert cloud.processes.stop(first) == -signal.SIGTERM
    # Another twin in the same folder, as after this one was killed.
    assert set(Processes(tmp_path / "processes").end_leftovers()) >= {second.pid}
    assert second.wait(20) == -signal.SIGKILL
    assert first.pid not in cloud.processes.end_leftovers()


def test_what_could_be_another_one_starts_cold(containers: Containers, image: Image, tmp_path: Path) -> None:
    assert told(containers, image, tmp_path / "root")["loaded"]
    assert not told(containers, image, tmp_path / "root", A="c")["loaded"]  # a library may have read A when it was loaded
    (tmp_path / "root" / "script.py").write_text(PROGRAM)
    script = Image(image.uri, image.folder, ("python", "script.py"), image.environment, image.libraries)
    assert not told(containers, script, tmp_path / "root")["loaded"]


def test_a_server_that_died_is_replaced(containers: Containers, image: Image, tmp_path: Path) -> None:
    assert told(containers, image, tmp_path / "root")["loaded"]
    first = next(child for child in psutil.Process().children() if "decimal" in child.cmdline())
    first.kill()
    wait_for("its end", lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE or None, 20)
    assert told(containers, image, tmp_path / "root")["loaded"]
