"""reconcile_endpoint: makes the endpoint serve the highest approved version of the registry.

Any event wakes it: an approval, a change of the stack or the endpoint, the 15-minute tick. What the event says does not matter, only its
id and time, which make what is done repeatable. No idempotency table: every act is conditional, or changes nothing when repeated.
"""

from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.environment import ReconcileEndpointEnvironment
from contracts.events import Anything, Event
from contracts.monitoring import ENDPOINT_DIMENSION, ENDPOINT_HELD
from lambdas import runtime
from lambdas.reconcile_endpoint.adapters import AwsAccount
from lambdas.reconcile_endpoint.logic import reconcile
from lambdas.reconcile_endpoint.states import Hold, Wait

SERVICE = "reconcile_endpoint"
logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)


@logger.inject_lambda_context(correlation_id_path="id", clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Gives the names of the actions taken, in order."""
    cause: Event[Anything] = parse(event=event, model=Event[Anything])
    variables = runtime.environment(ReconcileEndpointEnvironment)
    done = reconcile(AwsAccount.of(variables, runtime.client, cause.time, cause.id))
    names = [type(action).__name__ for action in done]
    # The functions of all projects put their metrics into one namespace, and alarms are a project's.
    metrics.add_dimension(name=ENDPOINT_DIMENSION, value=variables.endpoint_name)
    for name in names:
        metrics.add_metric(name, MetricUnit.Count, 1)
    if not isinstance(done[-1], Wait):  # while something moves, the last answer holds
        metrics.add_metric(ENDPOINT_HELD, MetricUnit.Count, isinstance(done[-1], Hold))
    logger.info("reconciled", cause=cause.detail_type, actions=[repr(action) for action in done])
    return {"actions": names}
