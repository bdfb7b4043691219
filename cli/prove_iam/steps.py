"""The story's steps, in order."""

from cli.prove_iam.attack_steps import ATTACK_STEPS
from cli.prove_iam.batch_steps import BATCH_STEPS
from cli.prove_iam.data_steps import DATA_STEPS
from cli.prove_iam.endpoint_steps import ALARM_STEPS, ENDPOINT_STEPS, LAST_STEPS
from cli.prove_iam.failure_steps import ALERT_STEPS, FAILURE_STEPS, FUNCTION_STEPS, TICK_STEPS
from cli.prove_iam.github_steps import GITHUB_STEPS
from cli.prove_iam.log_steps import LOG_STEPS
from cli.prove_iam.operator_steps import OPERATOR_STEPS, SERVING_STEPS
from cli.prove_iam.retraining_steps import RETRAINING_STEPS
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from cli.prove_iam.stream_steps import STREAM_STEPS
from cli.prove_iam.traffic_steps import TRAFFIC_STEPS
from cli.prove_iam.training_steps import TRAINING_STEPS

DEPLOY = "deploy"


def _deploy(session: Session) -> None:
    session.deploy()


STEPS: tuple[Step, ...] = (
    Step(DEPLOY, "every stack is deployed", _deploy),
    *LOG_STEPS,
    *GITHUB_STEPS,
    *ALERT_STEPS,
    *FUNCTION_STEPS,
    *DATA_STEPS,
    *TICK_STEPS,
    *FAILURE_STEPS,
    *ATTACK_STEPS,
    *OPERATOR_STEPS,
    *ALARM_STEPS,
    *TRAINING_STEPS,
    *ENDPOINT_STEPS,
    *SERVING_STEPS,
    *STREAM_STEPS,
    *TRAFFIC_STEPS,
    *RETRAINING_STEPS,
    *BATCH_STEPS,
    *LAST_STEPS,
)
