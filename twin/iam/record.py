"""Every decision of the account: who asked for which permission, what was consulted, and what came of it.

What is refused before any policy is asked (an unknown key, a call that the twin cannot map) is written down as well, with the reason.

Decisions that no policy can tell apart are one, with a count: a run of hours stays small. The latest LIMIT are in memory, from which least
privilege is proven (twin.iam.usage); each is also a line of `decisions.jsonl` in the state folder when it is made for the first time. The
file starts anew when it has grown to FILE_LIMIT bytes; the one before it is kept as `decisions.1.jsonl`.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from twin.iam.question import NOBODY, Answer, Question

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
    why: str = ""
    """Why it was refused before any policy was asked; "" when policies decided."""

    @property
    def action(self) -> str:
        """The IAM action."""
        return self.question.action

    @property
    def resource(self) -> str:
        """The ARN it was asked for, or "*"."""
        return self.question.resource


_Key = tuple[str, str, str, Question, bool, str]
Refusal = tuple[str, str]
"""Patterns of a caller and of an action."""


class Decisions:
    """The decisions, in the order in which each was made for the last time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "decisions.jsonl"
        self._file: IO[str] = self._path.open("a")
        self._made: dict[_Key, Recorded] = {}
        self._lock = threading.Lock()
        self._step = ""
        self._refusals: tuple[Refusal, ...] = ()
        self.forgotten = 0
        """Decisions that are no longer in memory."""

    @contextmanager
    def during(self, step: str, refusals: Sequence[Refusal] = ()) -> Iterator[None]:
        """Say what is under way; `refusals` are who wants to be refused what in this step, as patterns."""
        before = self._step, self._refusals
        self._step, self._refusals = step, tuple(refusals)
        try:
            yield
        finally:
            self._step, self._refusals = before

    def add(self, time: datetime, caller: str, operation: str, question: Question, given: Answer) -> None:
        """Write down one decision."""
        statement = given.decision.statement
        self._add(
            Recorded(
                time=time.isoformat(timespec="milliseconds"),
                step=self._step,
                caller=caller,
                operation=operation,
                question=question.reduced(),
                allowed=given.allowed,
                statement=statement.name if statement else None,
                expected=given.allowed or self._wanted(caller, question.action),
            )
        )

    def refuse(self, time: datetime, caller: str, operation: str, resource: str, why: str) -> None:
        """Write down what was refused before any policy was asked. No step wants that: its refusals are those of policies."""
        question = Question(NOBODY, NOBODY, operation, resource, ())
        moment = time.isoformat(timespec="milliseconds")
        self._add(Recorded(moment, self._step, caller, operation, question, allowed=False, statement=None, expected=False, why=why))

    def _wanted(self, caller: str, action: str) -> bool:
        return any(fnmatchcase(caller, who) and fnmatchcase(action, what) for who, what in self._refusals)

    def _add(self, decision: Recorded) -> None:
        with self._lock:
            if self._file.closed:
                return  # the twin has stopped; a request that was still under way has nowhere to be written
            key = (decision.step, decision.caller, decision.operation, decision.question, decision.allowed, decision.why)
            before = self._made.pop(key, None)
            self._made[key] = replace(decision, count=1 + (before.count if before else 0))
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
        names = ("time", "step", "caller", "operation", "action", "resource", "allowed", "statement", "expected", "why")
        self._file.write(json.dumps({name: getattr(decision, name) for name in names}) + "\n")
        if self._file.tell() > FILE_LIMIT:
            self._file.close()
            self._path.replace(self._path.with_name("decisions.1.jsonl"))
            self._file = self._path.open("a")
