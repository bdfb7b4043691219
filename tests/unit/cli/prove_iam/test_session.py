"""How a step waits: as long as something moves, and no longer for what is only tried again and again."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.prove_iam import session as module
from cli.prove_iam.session import ATTEMPTS, LONGEST_WAIT, MINUTE, Session, StepFailedError
from twin.clock import Clock


class Waiter:
    """Activity of which one thing waits, until the clock has been moved on so many minutes."""

    def __init__(self, clock: Clock, minutes: float) -> None:
        self._clock = clock
        self._since = clock.now()
        self._minutes = minutes

    @property
    def advanced(self) -> float:
        """Minutes by which the clock was moved on."""
        return (self._clock.now() - self._since).total_seconds() / MINUTE

    def works(self) -> bool:
        return False

    def bakes(self) -> bool:
        return False

    def waits(self) -> bool:
        return self.advanced < self._minutes

    def waits_for_time(self) -> bool:
        return self.waits()

    def signs(self, since: datetime) -> Any:
        return ("", 0, 0)

    def given_up(self) -> Counter[str]:
        return Counter()


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a session in which something waits so many minutes."""
    monkeypatch.setattr(module, "QUIET", 0.02)
    monkeypatch.setattr(module, "LOOK_EVERY", 0.001)

    def make(minutes: float) -> Any:
        project: Any = SimpleNamespace()
        session: Any = Session(tmp_path, project, tmp_path)
        clock = Clock(speed=0.0, start=datetime(2026, 1, 1, tzinfo=UTC))
        session.twin.cloud = SimpleNamespace(clock=clock)
        session.activity = Waiter(clock, minutes)
        stopped: dict[str, Any] = {"PipelineExecutionSummaries": []}
        session.app = SimpleNamespace(prefix="tides", sagemaker=SimpleNamespace(list_pipeline_executions=lambda **_: stopped))
        return session

    return make


def test_what_waits_its_time_is_waited_for(waiting: Any) -> None:
    session = waiting(minutes=3)
    session.settle()
    assert session.activity.advanced == 3


def test_what_is_tried_without_end_ends_the_wait(waiting: Any) -> None:
    session = waiting(minutes=float("inf"))
    assert not session.comes_to_rest()
    assert session.activity.advanced == LONGEST_WAIT
    with pytest.raises(StepFailedError, match="still tried again"):
        session.settle()


def test_an_outcome_that_never_comes_is_not_waited_for_without_end(waiting: Any) -> None:
    session = waiting(minutes=float("inf"))
    with pytest.raises(StepFailedError, match="an answer did not come"):
        session.reach("an answer", lambda: None)
    assert session.activity.advanced == ATTEMPTS


def test_an_outcome_that_waits_is_reached(waiting: Any) -> None:
    session = waiting(minutes=2)
    assert session.reach("an answer", lambda: None if session.activity.waits() else "answer") == "answer"
