"""Which statement is withheld where, in which order, and what happens between two of them."""

import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.prove_iam import mutation
from cli.prove_iam.mutation import AT_ONCE, TRIES, Place, Task, tasks_of, withhold
from cli.prove_iam.report import Broken
from cli.prove_iam.step import Step
from cli.prove_iam.steps import DEPLOY, STEPS
from contracts.errors import StateError
from twin.clock import Clock


@dataclass(frozen=True)
class _Grant:
    id: str


@dataclass(frozen=True)
class _Usage:
    grant: _Grant
    steps: list[str] = field(default_factory=list)


PLACE: Any = None


class _Context:
    """multiprocessing's, but for the processes: they are threads, and `target` is what they do."""

    Queue = queue.Queue

    def __init__(self, target: Any) -> None:
        self.target = target
        self.exitcode = 0

    def Process(self, target: Any, args: tuple[Any, ...], daemon: bool) -> Any:  # noqa: N802 - multiprocessing's own name
        process: Any = threading.Thread(target=self.target, args=args, daemon=daemon)
        process.terminate, process.exitcode = lambda: None, self.exitcode
        return process


def _answer(_place: Any, _number: int, _waiting: Any, found: Any) -> None:
    found.put(("a", Broken("stream", "refused")))


def _answer_and_fail_to_pass_again(place: Any, number: int, waiting: Any, found: Any) -> None:
    _answer(place, number, waiting, found)
    time.sleep(0.2)
    found.put(("", "step stream does not pass again"))


def _tasks(needs: dict[str, list[str]], **seconds: float) -> list[tuple[str, tuple[str, ...]]]:
    usages: Any = [_Usage(_Grant(name), steps) for name, steps in needs.items()]
    return [(task.step, task.grants) for task in tasks_of(usages, seconds)]


def test_a_statement_is_withheld_in_the_first_step_that_needs_it() -> None:
    assert _tasks({"a": ["train", "approve"], "b": ["approve"]}, train=1, approve=1) == [("train", ("a",)), ("approve", ("b",))]


def test_what_nobody_needs_and_what_only_the_deployment_needs_is_not_withheld() -> None:
    assert _tasks({"a": [], "b": [DEPLOY], "c": [""], "d": [DEPLOY, "train"]}) == [("train", ("d",))]


def test_the_longest_comes_first_and_no_task_is_too_long() -> None:
    needs = {f"g{number}": ["train"] for number in range(AT_ONCE + 1)} | {"h": ["approve"]}
    tasks = _tasks(needs, train=1.0, approve=5.0)
    # Each statement costs a run, and so does the run that shows that the step passes again.
    assert [(step, len(grants)) for step, grants in tasks] == [("approve", 1), ("train", AT_ONCE), ("train", 1)]


def test_the_next_steps_that_need_a_statement_are_tried_when_the_first_one_passes() -> None:
    more = [f"step {number}" for number in range(TRIES)]
    usages: Any = [_Usage(_Grant("a"), [DEPLOY, "train", "approve", "", *more])]
    (task,) = tasks_of(usages, {})
    assert task.step == "train"
    assert task.later == {"a": ("approve", *more[: TRIES - 2])}


def test_every_step_has_a_name_of_its_own() -> None:
    assert len({step.name for step in STEPS}) == len(STEPS)


def test_what_is_tried_again_without_end_is_done_with_in_full_possession_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    refused: Any = SimpleNamespace(action="kinesis:GetRecords", allowed=False)

    @contextmanager
    def withheld(_cloud: Any, grant: _Grant) -> Iterator[None]:
        happened.append(f"without {grant.id}")
        yield
        happened.append("with all")

    def run(_session: Any, _step: Step) -> None:
        happened.append("run")
        if happened.count("run") == 1:
            raise StateError("no answer")

    def comes_to_rest() -> bool:
        happened.append("tried again")
        return False

    cloud = SimpleNamespace(clock=Clock(), account="1", region="r")
    twin = SimpleNamespace(cloud=cloud, part=lambda _: SimpleNamespace(stacks=list))
    session: Any = SimpleNamespace(twin=twin, comes_to_rest=comes_to_rest, settle=lambda: happened.append("done with"))
    monkeypatch.setattr("twin.iam.grants.grants_of", lambda *_: [_Grant("a")])
    monkeypatch.setattr("twin.iam.usage.withheld", withheld)
    monkeypatch.setattr("twin.iam.usage.changed", lambda *_: [refused])
    monkeypatch.setattr(mutation, "run", run)
    monkeypatch.setattr(mutation, "STEPS", (Step("stream", "", lambda _: None),))

    ((name, broken),) = withhold(session, Task("stream", ("a",)))
    assert (name, broken.how) == ("a", "kinesis:GetRecords refused; no answer")
    assert happened == ["without a", "run", "tried again", "with all", "done with", "run"]


def test_the_answers_are_complete_only_when_every_process_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    context = _Context(_answer_and_fail_to_pass_again)
    monkeypatch.setattr("multiprocessing.get_context", lambda _: context)
    with pytest.raises(StateError, match="does not pass again"):
        mutation.mutate(PLACE, [Task("stream", ("a",))], lambda _: None, workers=1)
    context.target = _answer
    assert mutation.mutate(PLACE, [Task("stream", ("a",))], lambda _: None, workers=1) == {"a": Broken("stream", "refused")}
    context.exitcode = -signal.SIGKILL
    with pytest.raises(StateError, match="was killed"):
        mutation.mutate(PLACE, [Task("stream", ("a",))], lambda _: None, workers=1)
    context.target, context.exitcode = lambda *_: None, 0
    with pytest.raises(StateError, match="only 0 of 1"):
        mutation.mutate(PLACE, [Task("stream", ("a",))], lambda _: None, workers=1)


def test_a_step_that_did_not_pass_again_is_tried_again_in_a_new_telling(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_session: Any, _task: Task) -> Iterator[tuple[str, Broken]]:
        yield "a", Broken("stream", "refused")
        raise StateError("stream does not pass again")

    monkeypatch.setattr(mutation, "withhold", fail)
    waiting: queue.Queue[Task] = queue.Queue()
    waiting.put(Task("stream", ("a",)))
    session: Any = None
    assert mutation._told(session, waiting, queue.Queue()) == "stream does not pass again"
    assert waiting.get_nowait() == Task("stream", ())


def test_a_process_that_is_ended_takes_its_twin_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ended: list[str] = []

    def survived(*_: Any) -> None:
        raise AssertionError("the process would have ended at once")

    @contextmanager
    def session(*_: Any) -> Iterator[Any]:
        try:
            yield SimpleNamespace(deploy=lambda: os.kill(os.getpid(), signal.SIGTERM))
        finally:
            ended.append("twin")

    before = {number: signal.signal(number, survived) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(mutation, "load_project", lambda *_: None)
    monkeypatch.setattr(mutation, "Session", session)
    try:
        with pytest.raises(SystemExit):
            mutation._work(Place(tmp_path, tmp_path, "dev", tmp_path), 0, queue.Queue(), queue.Queue())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert ended == ["twin"]
