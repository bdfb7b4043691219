"""Each statement withheld, in the first step that needs it: the step must fail, and pass again when the statement is back.

It must fail of the statement: something was refused that it allows, or allowed that it denies. A step that fails of anything else shows
nothing; then the telling is over, and the statement is withheld again in the next. What only the deployment needs, or what steps build on,
is not withheld: it is proven by use alone, and the report says so.

A step may ask for a permission and reach its outcome all the same, such as a log that nobody reads yet; then the next step that needs the
statement is tried.

A few processes share the statements, each with a twin and a telling of its own; what is next is taken from one list, the longest first. A
step that fails is given no time: it has failed when nothing moves any more (session.py). What a failed step leaves behind ends with the
grant still withheld, so that nothing heals; then all is put back, and made ready for the next. One run at the end of a step's statements
shows that it passes again.
"""

import multiprocessing
import queue
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.project import load_project
from cli.prove_iam.report import Broken
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step, run
from cli.prove_iam.steps import DEPLOY, STEPS
from contracts.errors import StateError, TidewheelError

if TYPE_CHECKING:
    from twin.iam.record import Recorded
    from twin.iam.usage import Grant, Usage

WORKERS = 3
"""Processes. They wait more than they work, so there are more of them than a small machine has cores."""
TRIES = 8
"""Steps in which a statement is withheld, at most."""
AT_ONCE = 8
"""Statements of a step that a process takes at a time: so that the last one to be busy is not busy for long."""
TELLINGS = 4
"""Times that a process begins anew, at most, when a failed step left behind what could not be put right."""
LONGEST = 240
"""Characters of what broke."""
LEFT_OUT = frozenset({DEPLOY})
"""A deployed stack is not deployed once more; what only that needs is not withheld (Proof.by_use)."""

FAILURES = (TidewheelError, ClientError, BotoCoreError)


@dataclass(frozen=True)
class Task:
    """Statements, by their ids, that are withheld in a step. `later`: steps, in order, that each of them is tried in when it passes."""

    step: str
    grants: tuple[str, ...]
    later: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where the app is found that a process deploys: everything that Session needs, as text."""

    folder: Path
    config: Path
    environment: str
    assembly: Path


def tasks_of(usages: "Iterable[Usage]", seconds: Mapping[str, float]) -> list[Task]:
    """What is to be withheld where, the longest first; `seconds` is how long each step took."""
    by_step: dict[str, list[str]] = {}
    later: dict[str, tuple[str, ...]] = {}
    for used in usages:
        steps = [name for name in used.steps if name and name not in LEFT_OUT]
        if steps:
            by_step.setdefault(steps[0], []).append(used.grant.id)
            later[used.grant.id] = tuple(steps[1:TRIES])
    parts = [(step, tuple(ids[start : start + AT_ONCE])) for step, ids in by_step.items() for start in range(0, len(ids), AT_ONCE)]
    tasks = [Task(step, ids, {name: later[name] for name in ids}) for step, ids in parts]
    return sorted(tasks, key=lambda task: seconds.get(task.step, 0.0) * (len(task.grants) + 1), reverse=True)


def mutate(place: Place, tasks: Sequence[Task], show: Callable[[str], None], workers: int = WORKERS) -> dict[str, Broken]:
    """What became of each statement's step without it, by the statement's id. Raises StateError when a process could not go on."""
    context = multiprocessing.get_context("spawn")
    waiting, found = context.Queue(), context.Queue()
    for task in tasks:
        waiting.put(task)
    processes = [context.Process(target=_work, args=(place, number, waiting, found), daemon=True) for number in range(workers)]
    for process in processes:
        process.start()
    try:
        return _collected(processes, found, sum(len(task.grants) for task in tasks), show)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _collected(processes: Sequence[Any], found: Any, count: int, show: Callable[[str], None]) -> dict[str, Broken]:
    """The answers, when every process has ended by itself: the last steps have passed again, and nothing of the twins is left."""
    broken: dict[str, Broken] = {}
    for grant, answer in _answers(processes, found):
        if not isinstance(answer, Broken):
            raise StateError(str(answer))
        broken[grant] = answer
        show(f"{len(broken)} of {count}: {answer.step}")
    if any(process.exitcode for process in processes):
        raise StateError("a process that withholds statements was killed, and nobody knows whether its last step passes again")
    if len(broken) < count:
        raise StateError(f"only {len(broken)} of {count} statements could be withheld: the processes ended before")
    return broken


def _answers(processes: Sequence[Any], found: Any) -> Iterator[tuple[str, Any]]:
    working = True
    while working:
        working = any(process.is_alive() for process in processes)  # before the look: what ended may have answered since the last one
        try:
            while True:
                yield found.get(timeout=0.2)
        except queue.Empty:
            continue


def _work(place: Place, number: int, waiting: Any, found: Any) -> None:
    """One process: its own telling, and tasks until there are none. What cannot be put right again is left, and told anew."""
    signal.signal(signal.SIGINT, lambda *_: None)  # who waits for this process hears it too, and ends it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # with its twin, and all that runs there
    project = load_project(place.config, place.environment)
    spoilt = ""
    try:
        for telling in range(TELLINGS):
            with Session(place.folder / f"worker-{number}-{telling}", project, place.assembly) as session:
                session.deploy()
                spoilt = _told(session, waiting, found)
            if not spoilt:
                return
        found.put(("", f"a process that withholds statements could not go on after {TELLINGS} tellings: {spoilt}"))
    except Exception as error:  # noqa: BLE001 - reported to the process that waits for it
        found.put(("", f"a process that withholds statements could not go on: {error!r}"))


def _told(session: Session, waiting: Any, found: Any) -> str:
    """Take tasks until there are none; else why this telling is over."""
    while True:
        try:
            task: Task = waiting.get(timeout=1.0)
        except queue.Empty:
            return ""
        answered: list[str] = []
        try:
            for name, broken in withhold(session, task):
                found.put((name, broken))
                answered.append(name)
        except StateError as error:
            # Even when every statement has its answer: that the step passes again is still to be shown.
            left = tuple(name for name in task.grants if name not in answered)
            waiting.put(Task(task.step, left, task.later))
            return str(error)


def withhold(session: Session, task: Task) -> Iterator[tuple[str, Broken]]:
    """Withhold each of a task's statements. Raises StateError when the step does not pass again with all of them."""
    for name in task.grants:
        broken = _missed(session, task.step, name)
        for step in task.later.get(name, ()):
            if broken.how:
                break
            broken = _missed(session, step, name)
            _pass_again(session, step)
        yield name, broken
    _pass_again(session, task.step)


def _missed(session: Session, step_name: str, name: str) -> Broken:
    """What becomes of a step without a statement."""
    from twin.iam.grants import grants_of  # noqa: PLC0415 - the twin is loaded only where it is used

    step, cloud = _step(step_name), session.twin.cloud
    _ready(session, step)
    # Read anew: the Endpoint stack's resources come and go.
    stacks = session.twin.part("cloudformation").stacks()
    grant = next((each for each in grants_of(stacks, cloud.account, cloud.region) if each.id == name), None)
    if grant is None:
        raise StateError(f"{name} is not deployed any more, and cannot be withheld in step {step_name}")
    return Broken(step.name, _without(session, step, grant))


def _step(name: str) -> Step:
    return next(step for step in STEPS if step.name == name)


def _pass_again(session: Session, name: str) -> None:
    step = _step(name)
    _ready(session, step)
    try:
        run(session, step)
    except FAILURES as error:
        raise StateError(f"step {step.name} does not pass again with every statement in place: {error}") from error


def _without(session: Session, step: Step, grant: "Grant") -> str:
    """How the step fails without a statement; empty when it passes. Raises StateError when it fails of anything else."""
    from twin.iam.usage import changed, withheld  # noqa: PLC0415 - the twin is loaded only where it is used

    cloud, failure = session.twin.cloud, None
    since = cloud.clock.now()
    with withheld(cloud, grant):
        try:
            run(session, step)
        except FAILURES as error:
            failure = error
        rests = session.comes_to_rest()
    if not rests:  # what is tried without end succeeds now, before the next step
        session.settle()
    if failure is None:
        return ""
    decisions = changed(cloud, since)
    if not decisions:
        raise StateError(f"step {step.name} failed, and not for want of {grant.id}, which no decision missed: {failure}")
    return in_words(decisions[-1], failure)


def _ready(session: Session, step: Step) -> None:
    """Make ready; a second time, when what was left behind stood in the way."""
    try:
        step.ready(session)
    except FAILURES:
        session.settle()
        try:
            step.ready(session)
        except FAILURES as error:
            raise StateError(f"nothing could be made ready for step {step.name}: {error}") from error


def in_words(decision: "Recorded", failure: Exception) -> str:
    """What broke, shortened: the last decision that was another one, and what the step said."""
    text = f"{decision.action} {'allowed' if decision.allowed else 'refused'}; {' '.join(str(failure).split())}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."
