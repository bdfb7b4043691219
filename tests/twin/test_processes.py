"""Children of the twin end with it, also when it was killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from twin.processes import Processes

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


def start(processes: Processes, command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    child = processes.start(command, env={}, cwd=folder, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    child.stdout.close()
    return child


def test_a_child_has_only_the_environment_it_was_given(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "p")
    child = processes.start(
        [sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))"],
        env={"ONLY": "this"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    )
    out, _ = child.communicate()
    assert {key: value for key, value in json.loads(out).items() if key != "LC_CTYPE"} == {"ONLY": "this"}
    processes.forget(child)


def test_stopping_asks_then_insists(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "p")
    assert processes.stop(start(processes, SLEEP, tmp_path)) == -signal.SIGTERM
    assert processes.stop(start(processes, STUBBORN, tmp_path), grace=0.1) == -signal.SIGKILL
    assert list((tmp_path / "p").iterdir()) == []


def test_all_are_stopped_at_once(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "p")
    children = [start(processes, SLEEP, tmp_path) for _ in range(3)]
    processes.stop_all()
    assert [child.poll() for child in children] == [-signal.SIGTERM] * 3


def test_the_next_twin_ends_what_a_killed_one_left(tmp_path: Path) -> None:
    child = start(Processes(tmp_path / "p"), SLEEP, tmp_path)
    assert Processes(tmp_path / "p").end_leftovers() == [child.pid]
    assert child.wait(5) == -signal.SIGKILL
    assert list((tmp_path / "p").iterdir()) == []


def test_a_recycled_id_and_a_torn_record_are_left_alone(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "p")
    stranger = subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL)
    started = psutil.Process(stranger.pid).create_time()
    (tmp_path / "p" / f"{stranger.pid}.json").write_text(json.dumps({"pid": stranger.pid, "started": started - 100}))
    (tmp_path / "p" / "torn.json").write_text('{"pid":')
    assert processes.end_leftovers() == []
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
