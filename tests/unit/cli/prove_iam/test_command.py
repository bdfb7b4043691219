"""The story as the command tells it: to its end, or to the step that fails, whose refusals are findings all the same."""

import io
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli.output import Output
from cli.prove_iam import command
from cli.prove_iam.report import Proof
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from contracts.config import parse_config
from contracts.errors import StateError
from tests.twin.functions.helpers import make_role
from tests.unit.contracts.test_config import project
from twin.processes import Processes
from twin.server import TwinServer


class Told:
    """As much of a session as steps need that make calls of their own."""

    def __init__(self, twin: TwinServer) -> None:
        self.twin = twin
        self.project = SimpleNamespace(config=parse_config(project()))
        role = make_role(twin, "worker", "lambda.amazonaws.com")
        self.worker = twin.cloud.client("sqs", twin.cloud.assume(role, "lambda.amazonaws.com", "session"))


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with TwinServer(tmp_path / "twin") as twin:
        yield Told(twin)


def fine(_session: Session) -> None:
    """Nothing happens."""


def forgotten(session: Session) -> None:
    try:
        cast(Any, session).worker.list_queues()
    except Exception as error:
        raise StateError("nothing came of it") from error


def turn(session: Session, step: Step) -> None:
    """A step without a loop around it."""
    with session.twin.part("iam").decisions.during(step.name, step.refusals):
        step.run(session)


def tell(told: Told, monkeypatch: pytest.MonkeyPatch, *steps: Step) -> Proof:
    proof = Proof()
    monkeypatch.setattr(command, "STEPS", steps)
    monkeypatch.setattr(command, "turn", turn)
    output = Output()
    output.console.file = io.StringIO()
    command.tell(cast(Session, told), output, proof)
    return proof


def test_a_story_that_comes_to_its_end_is_proven(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = tell(told, monkeypatch, Step("first", "", fine), Step("second", "", fine))
    assert proof.ok
    assert [phase.name for phase, _ in proof.steps] == ["first", "second"]


def test_a_step_that_fails_ends_the_story_and_its_refusals_are_named(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = tell(told, monkeypatch, Step("first", "", forgotten), Step("second", "", fine))
    assert [phase.name for phase, _ in proof.steps] == ["first"]
    assert proof.sentences() == [
        "step first failed: nothing came of it",
        "arn:aws:iam::123456789012:role/worker: denied sqs:ListQueues on * in step first. "
        "Next: allow it in the policy of arn:aws:iam::123456789012:role/worker",
    ]


def test_a_refusal_that_the_step_wanted_is_none_of_them(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def attack(session: Session) -> None:
        with pytest.raises(StateError):
            forgotten(session)

    assert tell(told, monkeypatch, Step("attack", "", attack, refusals=(("*/worker", "sqs:*"),))).ok
    assert not tell(told, monkeypatch, Step("attack by another", "", attack, refusals=(("*/another", "sqs:*"),))).ok
    assert not tell(told, monkeypatch, Step("no attack", "", attack)).ok


def test_what_a_killed_proof_left_running_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own: Any = SimpleNamespace(state=tmp_path)
    monkeypatch.setattr(command, "load_project", lambda *_: own)
    monkeypatch.setattr(command, "_prove", lambda *_, **__: None)
    kept = Processes(tmp_path / "prove-iam" / "worker-1-0" / "twin" / "processes")
    left = kept.start([sys.executable, "-c", "import time; time.sleep(60)"], env={}, cwd=tmp_path)
    command.prove_iam()
    try:
        assert left.wait(5) == -signal.SIGKILL
    finally:
        kept.stop_all()
