"""`tide` as a process, with nothing of the shell's AWS settings."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT = 280
"""Seconds; below the time that pytest gives a test."""


def tide(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(_command(arguments), cwd=folder, env=_environment(), capture_output=True, text=True, timeout=LIMIT, check=False)


def start_tide(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the command in a folder, without waiting for it; what it says goes to tide.txt there."""
    with (folder / "tide.txt").open("wb") as said, _heeding_interrupts():
        return subprocess.Popen(_command(arguments), cwd=folder, env=_environment(), stdout=said, stderr=said)


@contextmanager
def _heeding_interrupts() -> Iterator[None]:
    """A shell starts what runs in its background with SIGINT ignored, and that is inherited: also by a command whose Ctrl-C is tested."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [str(Path(sys.executable).parent / "tide"), *arguments]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
