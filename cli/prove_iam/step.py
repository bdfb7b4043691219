"""A step of the story: one link of the loop, turned by AWS calls alone, with an outcome that anybody can see."""

from collections.abc import Callable
from dataclasses import dataclass

from cli.prove_iam.session import Session, StepFailedError
from contracts.config import Config

Act = Callable[[Session], None]
When = Callable[[Config], bool]


def nothing(_session: Session) -> None:
    """Nothing has to be there before."""


def always(_config: Config) -> bool:
    """Every project has what the step is about."""
    return True


@dataclass(frozen=True)
class Step:
    """`run` reaches the outcome, or raises TidewheelError or botocore's ClientError; it may run any number of times, with fresh names.

    `ready` brings about what the step builds on, and is no part of it: it runs before, with every grant in place. `rules` are awake
    meanwhile. `refusals`: who is denied what when all is well, because the step is an attack: patterns of a caller (a role's or user's ARN,
    a token's subject) and of an action. `gives_up`: events that nobody could handle are what it is about. `when`: in which projects there
    is what it is about.
    """

    name: str
    what: str
    run: Act
    ready: Act = nothing
    rules: tuple[str, ...] = ()
    refusals: tuple[tuple[str, str], ...] = ()
    gives_up: bool = False
    when: When = always


def turn(session: Session, step: Step) -> None:
    """Make ready for a step and run it. Raises what the step raises."""
    step.ready(session)
    run(session, step)


def run(session: Session, step: Step) -> None:
    """Run a step that everything is ready for; the decisions that it causes are written down under its name.

    It is over when nothing moves any more, and it has failed too when an event was given up on the way, unless that was its purpose.
    """
    decisions, before = session.twin.part("iam").decisions, session.activity.given_up()
    with decisions.during(step.name, step.refusals), session.awake(*step.rules):
        step.run(session)
        session.settle()
    lost = None if step.gives_up else next(iter(session.activity.given_up() - before), None)
    if lost is not None:
        raise StepFailedError(f"an event was given up: {lost}")
