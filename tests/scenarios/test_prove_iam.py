"""A mini story of `tide prove-iam`: one withheld statement makes its step fail, and is named; put back, the step passes again.

The whole story, and every statement, is `make prove-iam`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.project import Project
from cli.prove_iam import mutation
from cli.prove_iam.mutation import Task, withhold
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step, turn
from cli.prove_iam.steps import DEPLOY, STEPS
from contracts.errors import StateError
from twin.iam.grants import grants_of
from twin.iam.usage import Grant, withheld

pytestmark = pytest.mark.timeout(280)

BY_NAME = {step.name: step for step in STEPS}
REFUSED = "refused upload"
FOLDER = "accepted folder"
UNDELIVERED = "undelivered by upload-created"
TLS = "bucket 2 without TLS"


@pytest.fixture(scope="module")
def session(project: Project, assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The small project, deployed, with every rule and schedule asleep."""
    with Session(tmp_path_factory.mktemp("proof"), project, assembly) as session:
        turn(session, BY_NAME[DEPLOY])
        yield session


def _grant(session: Session, owner: str, has: str) -> Grant:
    """The deployed statement of an owner (by the beginning of its logical id) that has these words."""
    cloud = session.twin.cloud
    grants = grants_of(session.twin.part("cloudformation").stacks(), cloud.account, cloud.region)
    return next(each for each in grants if each.owner.startswith(owner) and has in str(each.document))


def test_nothing_is_denied_that_no_step_wanted(session: Session) -> None:
    for name in (REFUSED, FOLDER, UNDELIVERED, TLS):
        turn(session, BY_NAME[name])
    denied = [each for each in session.twin.part("iam").decisions.latest() if not each.allowed and not each.expected]
    assert [f"{each.caller} {each.action}" for each in denied] == []


@pytest.mark.parametrize(
    ("step", "owner", "has", "breaks"),
    [
        (REFUSED, "IngestDatasetRole", "quarantine/", "s3:PutObject"),
        (REFUSED, "IngestDatasetRole", "sts:AssumeRole", "sts:AssumeRole"),
        (FOLDER, "IngestDatasetRole", "s3:GetObjectVersion", "s3:GetObject"),
        (REFUSED, "uploadcreated", "events.amazonaws.com", "lambda:InvokeFunction"),
        (UNDELIVERED, "DeadLetters", "upload-created", "sqs:SendMessage"),
        (TLS, "DataPolicy", "SecureTransport", "was allowed"),
    ],
)
def test_a_step_fails_without_a_statement_that_it_needs(session: Session, step: str, owner: str, has: str, breaks: str) -> None:
    grant = _grant(session, owner, has)
    ((name, broken),) = withhold(session, Task(step, (grant.id,)))
    assert name == grant.id
    assert broken.step == step
    assert breaks in broken.how


def test_a_statement_that_a_step_does_not_need_breaks_nothing(session: Session) -> None:
    grant = _grant(session, "ApproveModelRole", "UpdateModelPackage")
    ((_, broken),) = withhold(session, Task(REFUSED, (grant.id,)))
    assert broken.how == ""


def test_a_step_that_fails_of_something_else_misses_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_session: Session) -> None:
        raise StateError("a flake")

    grant = _grant(session, "IngestDatasetRole", "quarantine/")
    monkeypatch.setattr(mutation, "STEPS", (Step(REFUSED, "", fail),))
    with pytest.raises(StateError, match=r"not for want of .*: a flake"):
        list(withhold(session, Task(REFUSED, (grant.id,))))


def test_a_step_that_does_not_pass_again_is_an_error(session: Session) -> None:
    grant = _grant(session, "IngestDatasetRole", "quarantine/")
    with withheld(session.twin.cloud, grant), pytest.raises(StateError, match="does not pass again"):
        list(withhold(session, Task(REFUSED, ())))
    session.settle()
