"""Every decision of the account: who asked for which permission, what was consulted, and what came of it.

Decisions that no policy can tell apart are one, with a count: a run of hours stays small. The latest LIMIT are in memory, from which least
privilege is proven (twin.iam.usage); each is also a line of `decisions.jsonl` in the state folder when it is made for the first time. The
file starts anew when it has grown to FILE_LIMIT bytes; the one before it is kept as `decisions.1.jsonl`.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from twin.iam.question import Answer, Question

FILE_LIMIT = 64 * 1024 * 1024
LIMIT = 50_000


@dataclass(frozen=True)
class Recorded:
    """One decision. `statement` names the policy statement that gave it, None when nothing allowed it."""

    time: str
    step: str
    """What was under way, "" when nobody said."""
    caller: str
    """The ARN of a role or user, or the domain of a service."""
    operation: str
    question: Question
    allowed: bool
    statement: str | None
    expected: bool
    """Is this what the step wanted? A refusal is, when the step said so."""
    count: int = 1

    @property
    def action(self) -> str:
        """The IAM action."""
        return self.question.action

    @property
    def resource(self) -> str:
        """The ARN it was asked for, or "*"."""
        return self.question.resource


_Key = tuple[str, str, str, Question, bool]


class Decisions:
    """The decisions, in the order in which each was made for the last time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "decisions.jsonl"
        self._file: IO[str] = self._path.open("a")
        self._made: dict[_Key, Recorded] = {}
        self._lock = threading.Lock()
        self._step = ""
        self._refusals: tuple[str, ...] = ()
        self.forgotten = 0
        """Decisions that are no longer in memory."""

    @contextmanager
    def during(self, step: str, refusals: Sequence[str] = ()) -> Iterator[None]:
        """Say what is under way; `refusals` are patterns of the actions that this step wants to see refused."""
        before = self._step, self._refusals
        self._step, self._refusals = step, tuple(refusals)
        try:
            yield
        finally:
            self._step, self._refusals = before

    def add(self, time: datetime, caller: str, operation: str, question: Question, given: Answer) -> None:
        """Write down one decision."""
        reduced = question.reduced()
        with self._lock:
            if self._file.closed:
                return  # the twin has stopped; a request that was still under way has nowhere to be written
            key = (self._step, caller, operation, reduced, given.allowed)
            before = self._made.pop(key, None)
            statement = given.decision.statement
            decision = Recorded(
                time=time.isoformat(timespec="milliseconds"),
                step=self._step,
                caller=caller,
                operation=operation,
                question=reduced,
                allowed=given.allowed,
                statement=statement.name if statement else None,
                expected=given.allowed or any(fnmatchcase(question.action, pattern) for pattern in self._refusals),
                count=1 + (before.count if before else 0),
            )
            self._made[key] = decision
            if before is None:
                self._write(decision)
            if len(self._made) > LIMIT:
                self.forgotten += 1
                del self._made[next(iter(self._made))]

    def latest(self) -> list[Recorded]:
        """The decisions in memory, the latest last."""
        with self._lock:
            self._file.flush()
            return list(self._made.values())

    def close(self) -> None:
        """Write out and close the file."""
        with self._lock:
            self._file.close()

    def _write(self, decision: Recorded) -> None:
        names = ("time", "step", "caller", "operation", "action", "resource", "allowed", "statement", "expected")
        self._file.write(json.dumps({name: getattr(decision, name) for name in names}) + "\n")
        if self._file.tell() > FILE_LIMIT:
            self._file.close()
            self._path.replace(self._path.with_name("decisions.1.jsonl"))
            self._file = self._path.open("a")
