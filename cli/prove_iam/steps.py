"""The story's steps, in order."""

from cli.prove_iam.data_steps import DATA_STEPS
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from cli.prove_iam.training_steps import TRAINING_STEPS


def _deploy(session: Session) -> None:
    session.deploy()


STEPS: tuple[Step, ...] = (Step("deploy", "every stack is deployed", _deploy), *DATA_STEPS, *TRAINING_STEPS)
