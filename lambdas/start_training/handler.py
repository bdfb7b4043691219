"""start_training: starts the pipeline for a dataset version, and decides when the loop trains by itself.

A manifest's event starts a run. Any other event only says "look again": the guard of retraining reads alarms, jobs and runs itself. The end
of a run is recorded when it comes; a tick makes good what was lost.
"""

from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.environment import StartTrainingEnvironment
from contracts.events import Anything, DetailType, Event, ObjectCreated, PipelineExecutionStatusChange
from contracts.ledger import Outcome
from contracts.monitoring import ENDPOINT_DIMENSION, RETRAINING_STOPPED, TOO_FEW_LABELS
from lambdas import runtime
from lambdas.start_training.account import AwsAccount
from lambdas.start_training.guard import retrain
from lambdas.start_training.logic import Cause
from lambdas.start_training.starting import Starter
from lambdas.start_training.states import Action, Settle, Skip, Stop

SERVICE = "start_training"
logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)


@logger.inject_lambda_context(correlation_id_path="id", clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Gives the run's name and the execution's ARN, or the names of the actions taken, in order."""
    cause: Event[Anything] = parse(event=event, model=Event[Anything])
    variables = runtime.environment(StartTrainingEnvironment)
    # The functions of all projects put their metrics into one namespace, and alarms are a project's.
    metrics.add_dimension(name=ENDPOINT_DIMENSION, value=variables.endpoint_name)
    if cause.detail_type == DetailType.OBJECT_CREATED:
        return _start(parse(event=event, model=Event[ObjectCreated]), variables)
    account = AwsAccount(variables, runtime.client, runtime.project(), cause.time)
    if cause.detail_type == DetailType.PIPELINE_EXECUTION:
        ended: Event[PipelineExecutionStatusChange] = parse(event=event, model=Event[PipelineExecutionStatusChange])
        account.record_end(ended.detail.arn)
    elif cause.detail_type == DetailType.TICK:
        account.record_ends()
    done = retrain(account, account.rules)
    _tell(cause, done)
    return {"actions": [type(action).__name__ for action in done]}


def _start(created: Event[ObjectCreated], variables: StartTrainingEnvironment) -> dict[str, str]:
    """Start the run that a manifest's event asks for."""
    cause = Cause(created.id, created.source, created.detail.bucket.name, created.detail.object.key)
    starter = Starter(variables, runtime.client, runtime.project().data.dataset)
    result = starter.start(cause, created.detail.object.version_id, created.time)
    metrics.add_metric("training_started", MetricUnit.Count, 1)
    logger.info("training started", run=result["run"], execution_arn=result["execution_arn"])
    return result


def _lacks_labels(action: Action) -> bool:
    """An alarm rings, and labels are what is missing. Where no alarm rings, labels may well take their time."""
    if isinstance(action, Settle):
        return action.outcome is Outcome.TOO_FEW_LABELS and bool(action.retraining.alarms)
    return isinstance(action, Skip) and action.lacks_labels


def _tell(cause: Event[Anything], done: tuple[Action, ...]) -> None:
    """Log what was done, and count what people are to hear of."""
    metrics.add_metric(TOO_FEW_LABELS, MetricUnit.Count, sum(_lacks_labels(action) for action in done))
    metrics.add_metric(RETRAINING_STOPPED, MetricUnit.Count, sum(isinstance(action, Stop) for action in done))
    logger.info("looked at retraining", cause=cause.detail_type, actions=[repr(action) for action in done])
