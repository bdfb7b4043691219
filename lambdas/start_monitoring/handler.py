"""start_monitoring: starts the analyzer on the window of traffic that ended last, or on one that a person names.

Idempotent by construction: the window comes from the event's time, and the job's name from the window, or from the person's event.
A tick may be lost and a job may fail, so each tick also looks at the few windows before that have no verdict, as far as the live model is
the one that answered in them.
"""

from dataclasses import replace
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.environment import StartMonitoringEnvironment
from contracts.events import Event, MonitoringWindow
from lambdas import runtime
from lambdas.start_monitoring.adapters import Jobs, LiveModel, Nothing, Verdicts
from lambdas.start_monitoring.logic import Task, earlier_tasks, job_request, task_of

SERVICE = "start_monitoring"
logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)


@logger.inject_lambda_context(correlation_id_path="id", clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Gives the job's name and where its verdict goes, or why there is nothing to watch."""
    asked: Event[MonitoringWindow] = parse(event=event, model=Event[MonitoringWindow])
    task = task_of(asked, runtime.project().monitoring.window_hours)
    try:
        result = start(task, runtime.environment(StartMonitoringEnvironment))
    except Nothing as nothing:
        result = {"why": str(nothing)}
    metrics.add_metric("monitoring_started" if "job" in result else "nothing_to_watch", MetricUnit.Count, 1)
    logger.info("looked for something to watch", start=task.start.isoformat(), end=task.end.isoformat(), **result)
    return result


def start(task: Task, variables: StartMonitoringEnvironment) -> dict[str, Any]:
    """Start the job of one window, and those of windows before it that have no verdict. Raises Nothing."""
    sagemaker, config = runtime.client("sagemaker"), runtime.project()
    live, jobs = LiveModel(sagemaker, variables.endpoint_name).read(), Jobs(sagemaker)
    verdicts = Verdicts(runtime.client("s3"), variables.artifacts_bucket)
    missed = [each for each in earlier_tasks(task) if each.end > live.since and not verdicts.has(each.output_prefix(config.prefix))]

    def run(each: Task) -> bool:
        return jobs.start(job_request(each, live.run, config, variables))

    def run_after_all(late: Task) -> bool:
        first = replace(late, late=0)
        return run(first) or (jobs.failed(first.job_name(config.prefix)) and run(late))

    uri = f"s3://{variables.artifacts_bucket}/{task.output_prefix(config.prefix)}"
    result = {"job": task.job_name(config.prefix), "verdict": uri, "started": run(task)}
    return result | {"made_good": [each.end.isoformat() for each in missed if run_after_all(each)]}
