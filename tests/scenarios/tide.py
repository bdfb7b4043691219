"""`tide` as a process, with nothing of the shell's AWS settings."""

import os
import subprocess
import sys
from pathlib import Path

LIMIT = 280
"""Seconds; below the time that pytest gives a test."""


def tide(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [str(Path(sys.executable).parent / "tide"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
