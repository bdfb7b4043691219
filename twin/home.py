"""The folder that a twin lives in: one twin at a time, and a note that says where it answers.

The lock is the kernel's and goes with the process, so a killed twin never blocks the next one. `twin.json` is written, atomically, only
when the twin answers, and removed at its end; a reader compares `pid` and `started` with the process table to tell a living twin from a
killed one.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import IO, Any

NOTE = "twin.json"


class TwinError(Exception):
    """The twin cannot start, or cannot go on. The message says why, and the next step."""


class Home:
    """The state folder, held by one twin between `take` and `leave`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: IO[str] | None = None

    def take(self) -> None:
        """Hold the folder. Raises TwinError when another twin lives in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        held = (self.folder / "twin.lock").open("w")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            note = read_note(self.folder)
            where = f" at {note['url']} (process {note['pid']})" if note else ""
            raise TwinError(
                f"another twin lives in {self.folder}{where}. Next: stop it (tide down), or give this one another folder."
            ) from None
        self._held = held
        (self.folder / NOTE).unlink(missing_ok=True)

    def announce(self, note: dict[str, Any]) -> None:
        """Write where the twin answers."""
        fresh = self.folder / f"{NOTE}.new"
        fresh.write_text(json.dumps(note, indent=2) + "\n")
        os.replace(fresh, self.folder / NOTE)  # noqa: PTH105 - one atomic step, as os documents it

    def leave(self) -> None:
        """Remove the note and let the folder go."""
        if self._held is not None:
            (self.folder / NOTE).unlink(missing_ok=True)
            self._held.close()
            self._held = None


def read_note(folder: Path) -> dict[str, Any] | None:
    """What the twin of this folder wrote; None when there is none."""
    try:
        note: dict[str, Any] = json.loads((folder / NOTE).read_text())
    except FileNotFoundError:
        return None
    return note
