"""The twin of one command, such as a demo or a replay: fresh, in a folder that nobody else works in."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.twin_process import end_leftovers, stop_twin
from contracts.errors import StateError


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold a command's folder. The lock goes with the process that holds it. Raises StateError when another process does."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"another {folder.name} runs in {folder}. Next: wait for it, or stop it") from None
        yield


def fresh(folder: Path) -> None:
    """End what a killed command left there, and empty the folder."""
    stop_twin(folder)
    end_leftovers(folder)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
