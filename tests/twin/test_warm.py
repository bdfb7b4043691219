"""A warm container is what a cold one is, only sooner."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.waiting import wait_for
from twin.clock import Clock
from twin.cloud import ADMIN, Cloud
from twin.images import Image, program, read_image
from twin.processes import Child, Processes
from twin.warm import Containers, ForkServer

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
elif what == "draw":
    import numpy
    print(numpy.random.random())
"""
RESTLESS = """
import threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
raise OSError("nothing to be restless about")
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
    """An image of one small program, which names a library, one that is not there, and one that cannot be loaded and leaves a thread."""
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM)
    (folder / "restless.py").write_text(RESTLESS)
    (folder / "Dockerfile").write_text('ENV A=b\nLABEL libraries="decimal nowhere restless"\nENTRYPOINT ["python", "-m", "program"]')
    return read_image("u", folder)


@pytest.fixture
def containers(cloud: Cloud) -> Containers:
    """What starts its containers."""
    return Containers(cloud)


def start(containers: Containers, image: Image, root: Path, *arguments: str, **environment: str) -> Child:
    """Start the program; its output is log.txt in its folder."""
    root.mkdir(exist_ok=True)
    command = [*image.entrypoint, *arguments]
    given = program(containers.cloud, image, command, root=root, environment=environment, credentials=ADMIN)
    with (root / "log.txt").open("wb") as log:
        return containers.start(image, given, log)


def told(containers: Containers, image: Image, root: Path, **environment: str) -> dict[str, Any]:
    """What the program sees."""
    assert start(containers, image, root, "tell", "a b", **environment).wait(20) == 0
    said, seen = (root / "log.txt").read_text().splitlines()
    assert said == "on stderr"
    found: dict[str, Any] = json.loads(seen)
    return found


def server() -> psutil.Process:
    """The process that containers of the image are forked from."""
    return next(child for child in psutil.Process().children() if "decimal" in child.cmdline())


def test_it_is_what_a_cold_one_is(containers: Containers, image: Image, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    warm = told(containers, image, tmp_path / "root", X="y")
    cold = told(containers, Image(image.uri, image.folder, image.entrypoint, image.environment), tmp_path / "root", X="y")
    assert (warm.pop("loaded"), cold.pop("loaded")) == (True, False)
    assert warm.pop("parent") != cold.pop("parent") == os.getpid()
    assert warm == cold
    assert (warm["environment"]["A"], warm["environment"]["X"], warm["leads its session"]) == ("b", "y", True)
    assert capfd.readouterr().err == ""  # Python 3.12 and later warn where a process with threads is forked


def test_what_it_draws_without_a_seed_nobody_else_draws(containers: Containers, image: Image, tmp_path: Path) -> None:
    numbers, drawn = replace(image, libraries=("numpy.random",)), set()
    for _ in range(2):
        assert start(containers, numbers, tmp_path / "root", "draw").wait(20) == 0
        drawn.add((tmp_path / "root" / "log.txt").read_text())
    assert len(drawn) == 2


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
    assert not told(containers, image, tmp_path / "root", PYTHONHASHSEED="0")["loaded"]
    (tmp_path / "root" / "script.py").write_text(PROGRAM)
    script = Image(image.uri, image.folder, ("python", "script.py"), image.environment, image.libraries)
    assert not told(containers, script, tmp_path / "root")["loaded"]


def test_a_server_that_died_is_replaced(containers: Containers, image: Image, tmp_path: Path) -> None:
    assert told(containers, image, tmp_path / "root")["loaded"]
    server().kill()
    wait_for("another", lambda: told(containers, image, tmp_path / "root")["loaded"] or None, 20)


def test_what_a_server_does_not_live_to_start_starts_cold(
    containers: Containers, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(containers, image, tmp_path / "root")["loaded"]
    stopped = server()
    stopped.suspend()
    threading.Timer(0.2, stopped.kill).start()  # it has the request by then, and has not read it
    assert not told(containers, image, tmp_path / "root")["loaded"]
    monkeypatch.setattr(ForkServer, "is_running", True)
    assert not told(containers, image, tmp_path / "root")["loaded"]


def test_a_container_whose_end_nobody_can_tell_ends(cloud: Cloud, containers: Containers, image: Image, tmp_path: Path) -> None:
    child = start(containers, image, tmp_path / "root", "sleep")
    container = psutil.Process(child.pid)
    waiting = container.parent()
    assert waiting is not None
    assert waiting.pid != os.getpid()
    waiting.kill()
    assert child.wait(20) == child.poll() == -signal.SIGKILL
    wait_for("its end", lambda: not container.is_running() or container.status() == psutil.STATUS_ZOMBIE or None, 20)
    cloud.processes.stop_all()


def test_the_libraries_of_one_image_alone_stay_loaded(containers: Containers, image: Image, tmp_path: Path) -> None:
    before = start(containers, image, tmp_path / "before", "sleep")
    first = server()
    anew = tmp_path / "anew"
    shutil.copytree(image.folder, anew)
    assert told(containers, replace(image, folder=anew), tmp_path / "root")["loaded"]
    assert not first.is_running()
    assert before.poll() is None
