"""Child processes that never outlive the twin.

Function workers, jobs and model servers are children of the twin. Each is written down in the state folder before it can do harm, and
is stopped when the twin stops. If the twin is killed, the next one finds the records and ends what is left: exactly the processes
written down, by id and start time, so a recycled id is left alone.
"""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import psutil


class Child(Protocol):
    """A process that the twin can wait for, as subprocess.Popen has it."""

    @property
    def pid(self) -> int:
        """Its id, which is its session's too."""

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired after `timeout` seconds."""


class Processes:
    """Starts children, each in a session of its own, and records them under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._children: dict[int, Child] = {}
        self._lock = threading.Lock()

    def start(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: int | IO[bytes] | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a child with exactly this environment."""
        child = subprocess.Popen(
            list(command), env=dict(env), cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True, close_fds=True
        )
        self.adopt(child)
        return child

    def adopt(self, child: Child) -> Child:
        """Record a child, also one that another child started for the twin."""
        with self._lock:
            self._children[child.pid] = child
        self._write_down(child.pid)
        return child

    def stop(self, child: Child, grace: float = 5.0) -> int:
        """SIGTERM, then SIGKILL after `grace` real seconds; the exit code. As SageMaker and Lambda stop their containers."""
        if child.poll() is None:
            signal_group(child.pid, signal.SIGTERM)
            try:
                child.wait(grace)
            except subprocess.TimeoutExpired:
                signal_group(child.pid, signal.SIGKILL)
        code = child.wait()
        self.forget(child)
        return code

    def forget(self, child: Child) -> None:
        """A child that has ended needs no record."""
        with self._lock:
            self._children.pop(child.pid, None)
        (self._folder / f"{child.pid}.json").unlink(missing_ok=True)

    def stop_all(self, grace: float = 2.0) -> None:
        """Stop every child at once: all are asked first, then each is waited for."""
        with self._lock:
            children = list(self._children.values())
        for child in children:
            if child.poll() is None:
                signal_group(child.pid, signal.SIGTERM)
        for child in children:
            self.stop(child, grace)

    def end_leftovers(self) -> list[int]:
        """End the children of an earlier twin that was killed; their ids."""
        ended = []
        for record in sorted(self._folder.glob("*.json")):
            written = _read(record)
            if written is not None and _is_running(written):
                signal_group(written["pid"], signal.SIGKILL)
                ended.append(written["pid"])
            record.unlink(missing_ok=True)
        return ended

    def _write_down(self, pid: int) -> None:
        try:
            started = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        record = self._folder / f"{pid}.json"
        record.write_text(json.dumps({"pid": pid, "started": started}))


def _read(record: Path) -> dict[str, Any] | None:
    try:
        written: dict[str, Any] = json.loads(record.read_text())
    except json.JSONDecodeError:
        # The twin was killed in the middle of writing it, so the child had only just begun: it ends with its closed pipe.
        return None
    return written


def _is_running(written: Mapping[str, Any]) -> bool:
    try:
        return bool(abs(psutil.Process(written["pid"]).create_time() - written["started"]) < 0.01)
    except psutil.NoSuchProcess:
        return False


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal a child and what it started, unless they have ended."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
