"""Every decision of the account, in the order in which it was made: which role used which permission.

The latest are in memory; all are in `decisions.jsonl` of the state folder, from which least privilege can be proven. The file starts
anew when
it has grown to FILE_LIMIT bytes; the one before it is kept as `decisions.1.jsonl`.
"""

import json
import threading
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

FILE_LIMIT = 64 * 1024 * 1024
IN_MEMORY = 20_000


@dataclass(frozen=True)
class Recorded:
    """One decision: `statement` names the policy statement that gave it, None when nothing allowed it."""

    time: str
    caller: str
    operation: str
    action: str
    resource: str
    allowed: bool
    statement: str | None


class Decisions:
    """The append-only list of decisions."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "decisions.jsonl"
        self._file: IO[str] = self._path.open("a")
        self._latest: deque[Recorded] = deque(maxlen=IN_MEMORY)
        self._lock = threading.Lock()

    def add(self, time: datetime, caller: str, operation: str, action: str, resource: str, allowed: bool, statement: str | None) -> None:
        """Write down one decision."""
        decision = Recorded(time.isoformat(timespec="milliseconds"), caller, operation, action, resource, allowed, statement)
        with self._lock:
            if self._file.closed:
                return  # the twin has stopped; a request that was still under way has nowhere to be written
            self._latest.append(decision)
            self._file.write(json.dumps(asdict(decision)) + "\n")
            if self._file.tell() > FILE_LIMIT:
                self._rotate()

    def latest(self) -> list[Recorded]:
        """The decisions in memory, the oldest first."""
        with self._lock:
            self._file.flush()
            return list(self._latest)

    def close(self) -> None:
        """Write out and close the file."""
        with self._lock:
            self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_name("decisions.1.jsonl"))
        self._file = self._path.open("a")
