"""start_batch: takes tables in batch/input/ one step further at every look, one table after the other.

Woken by the schedule, and by the end of each of its jobs. Level-triggered, like reconcile_endpoint: a look reads what is in S3 and what the
job says, and does what is next, so lost and repeated events change nothing. Only one table is under way at a time. Two looks at once do the
same and get the same; the one that comes second to a table's summary stops there.
"""

from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.environment import StartBatchEnvironment
from contracts.events import Anything, Event
from lambdas import runtime
from lambdas.start_batch.batches import SERVICE, Batches

logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)


@logger.inject_lambda_context(correlation_id_path="id", clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Gives the batch that is under way or waits for a live model, and what came of those that are finished."""
    cause: Event[Anything] = parse(event=event, model=Event[Anything])
    batch, finished = Batches(runtime.environment(StartBatchEnvironment), cause.time).look()
    words = {each.source: each.words for each in finished}
    metrics.add_metric("batches_finished", MetricUnit.Count, len(finished))
    metrics.add_metric("rows_without_prediction", MetricUnit.Count, sum(each.rows - each.predicted for each in finished))
    logger.info("looked for tables to predict", batch=batch, finished=words)
    return {"batch": batch, "finished": words}
