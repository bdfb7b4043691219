"""The twin in the background: started, found and stopped by the note that it writes into its folder.

A note of a killed twin is recognised by the process's id and start time together, so a recycled id never passes for a twin.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from cli.project import REPOSITORY
from contracts.errors import StateError

READY_LIMIT = 60.0
STOP_LIMIT = 20.0
LOG = "twin.log"
CONSOLE_LOG = "twin.out"
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Twin:
    """A running twin. `speed` is twin seconds per real second."""

    url: str
    pid: int
    region: str
    account: str
    speed: float
    folder: Path

    @property
    def port(self) -> int:
        """The port that it answers on."""
        return int(self.url.rpartition(":")[2])


def running_twin(folder: Path) -> Twin | None:
    """The twin that lives in a folder; None when there is none, or when it was killed."""
    from twin.home import read_note  # noqa: PLC0415 - the twin is loaded only where it is used

    try:
        note = read_note(folder)
    except ValueError:
        return None  # written by something else than a twin, which writes it in one atomic step
    if note is None or not _lives(int(note["pid"]), float(note["started"])):
        return None
    return Twin(note["url"], note["pid"], note["region"], note["account"], note["speed"], folder)


def start_twin(folder: Path, assembly: Path, port: int, speed: float) -> Twin:
    """Start a twin and wait until it answers. Raises StateError with the twin's own words when it cannot start."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "twin", "--dir", str(folder), "--port", str(port), "--speed", str(speed), "--assembly", str(assembly)]
    with (folder / CONSOLE_LOG).open("wb") as console:
        # A session of its own: Ctrl-C in this terminal must not reach a twin that is to stay.
        child = subprocess.Popen(
            command, cwd=REPOSITORY, env=_environment(), stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
        )
    try:
        return _when_ready(folder, child)
    except BaseException:
        child.kill()
        child.wait()
        raise


def stop_twin(folder: Path) -> bool:
    """Stop the twin of a folder; False when none was running. A twin that does not stop in time is killed."""
    twin = running_twin(folder)
    if twin is None:
        return False
    process = psutil.Process(twin.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_LIMIT)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(5)
    return True


def end_leftovers(folder: Path) -> None:
    """End what a killed twin of this folder left running."""
    from twin.processes import Processes  # noqa: PLC0415 - the twin is loaded only where it is used

    if (folder / "processes").is_dir():
        Processes(folder / "processes").end_leftovers()


def _when_ready(folder: Path, child: subprocess.Popen[bytes]) -> Twin:
    deadline = time.monotonic() + READY_LIMIT
    while time.monotonic() < deadline:
        twin = running_twin(folder)
        if twin is not None and twin.pid == child.pid:
            return twin
        if child.poll() is not None:
            said = (folder / CONSOLE_LOG).read_text(errors="replace").strip()
            raise StateError(_words(said) or f"the twin ended with status {child.returncode}. Next: see {folder / LOG}")
        time.sleep(0.05)
    raise StateError(f"the twin did not answer within {READY_LIMIT:.0f} s. Next: see {folder / LOG}")


def _words(said: str) -> str:
    """A twin that refuses says one line; a traceback is shown whole."""
    return f"the twin did not start: {said}" if said else ""


def _lives(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 0.01 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _environment() -> dict[str, str]:
    """What the twin gets of this shell: nothing of AWS, and no proxy, because it only talks to itself."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"NO_PROXY": "127.0.0.1,localhost"}
