"""describe_model: GET /model tells what is live, GET /openapi.json what the API takes and gives.

Read from the endpoint, the registry and the reports of the run that made the model; kept for some seconds, because a page of AWS calls is
no answer to a page that asks every second. A function of its own, so that predict needs no right to read any of this.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.config import Config
from contracts.environment import DescribeModelEnvironment
from contracts.live_model import LiveModel
from contracts.openapi import document
from lambdas import runtime
from lambdas.api import JSON, Reply, refuse
from lambdas.describe_model.adapters import Reports
from lambdas.describe_model.logic import describe, signature_uri
from lambdas.live import LiveEndpoint
from lambdas.packages import evaluation_uri
from lambdas.unknown import unless_unknown

SERVICE = "describe_model"
KEPT_SECONDS = 10.0
NO_MODEL = "no model is deployed yet. Next: upload a table (tide data push FILE), or approve a version (tide approve VERSION)"
logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)


class Kept:
    """What `read` gave, for KEPT_SECONDS of `clock`."""

    def __init__(self, read: Callable[[], LiveModel | None], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._found: tuple[float, LiveModel | None] | None = None

    def get(self) -> LiveModel | None:
        """The live model, not older than that; None when there is none."""
        if self._found is None or self._clock() - self._found[0] > KEPT_SECONDS:
            self._found = (self._clock(), self._read())
        return self._found[1]


def read() -> LiveModel | None:
    """The live model; None without an endpoint."""
    name, sagemaker = runtime.environment(DescribeModelEnvironment).endpoint_name, runtime.client("sagemaker")
    endpoint = LiveEndpoint(sagemaker, name).read()
    if endpoint is None:
        return None
    arn = endpoint.package_arn
    package = unless_unknown(sagemaker.describe_model_package, ModelPackageName=arn) if arn else None
    uri = evaluation_uri(package) if package else None
    reports = Reports(runtime.client("s3"))
    evaluation, signature = (reports.read(uri), reports.read(signature_uri(uri))) if uri else (None, None)
    model = describe(name, endpoint, package, evaluation, signature)
    for note in model.notes:
        logger.warning("not all of it can be told", note=note)
    return model


kept = Kept(read, time.monotonic)


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId", clear_state=True, log_event=False)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Gives the reply in payload format 2.0."""
    route, model = event["routeKey"], kept.get()
    metrics.add_metric("asked", MetricUnit.Count, 1)
    reply = openapi(runtime.project(), model, event) if route == "GET /openapi.json" else about(model)
    return reply.render()


def about(model: LiveModel | None) -> Reply:
    """GET /model: 404 before the first model."""
    if model is None:
        return refuse(404, "NotDeployed", NO_MODEL)
    return Reply(200, model.model_dump_json(), {"content-type": JSON})


def openapi(config: Config, model: LiveModel | None, event: dict[str, Any]) -> Reply:
    """GET /openapi.json: of the live model, or, before the first, of the project's data contract."""
    url = f"https://{event['requestContext']['domainName']}"
    return Reply(200, json.dumps(document(config, model, url)), {"content-type": JSON})
