"""Which statement is withheld where, and in which order."""

from dataclasses import dataclass, field
from typing import Any

from cli.prove_iam.mutation import AT_ONCE, TRIES, tasks_of
from cli.prove_iam.steps import DEPLOY, STEPS


@dataclass(frozen=True)
class _Grant:
    id: str


@dataclass(frozen=True)
class _Usage:
    grant: _Grant
    steps: list[str] = field(default_factory=list)


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
