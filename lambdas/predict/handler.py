"""predict: the API's door to the endpoint. POST /predict with JSON, JSON Lines or CSV; the answer is the model server's JSON.

The body is passed on as it came, without the values of private columns: the model server knows the signature, and names row and feature of
what is wrong. Each row's answer has an inference id, and every reply the request's, refusals too. Where there are private columns, the log
does not say in words what was wrong, because that may quote a cell. Only what a request needs is imported, because a cold start is
somebody's waiting time: so there is no Tracer here, whose SDK would be a third of it; Lambda's active tracing shows the request and the
function without it.
"""

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from contracts.environment import PROJECT_FILE, PredictEnvironment
from contracts.privacy import Privacy, hashed
from contracts.sticky import bucket
from lambdas.api import Reply
from lambdas.predict.adapters import Endpoint, read_key
from lambdas.predict.cache import Cache
from lambdas.predict.logic import CONNECT_SECONDS, READ_SECONDS, predict
from lambdas.predict.outcomes import Outcome
from lambdas.predict.privacy import Concealer
from lambdas.predict.request import INFERENCE_HEADER, Request, identity_of, parse

SERVICE = "predict"
ROOT = Path(__file__).parents[2]  # of the asset
# An HTTP API waits 30 s (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html), so one attempt gets less.
CLIENT = Config(retries={"total_max_attempts": 1}, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, tcp_keepalive=True)
BUCKET_HEADER = "x-tidewheel-bucket"
logger = Logger(service=SERVICE)
metrics = Metrics(namespace="Tidewheel", service=SERVICE)


@cache
def endpoint() -> Endpoint:
    """The endpoint, with its connections kept between invocations."""
    return Endpoint(boto3.client("sagemaker-runtime", config=CLIENT), variables().endpoint_name)


@cache
def variables() -> PredictEnvironment:
    """The function's own variables."""
    return PredictEnvironment.read(os.environ)


@cache
def ask() -> Callable[[Request], Outcome]:
    """The endpoint, behind a cache where the project has one."""
    seconds = project()["api"]["cache_seconds"]
    invoke = endpoint().invoke
    return Cache(seconds, time.monotonic).through(invoke) if seconds else invoke


@cache
def project() -> dict[str, Any]:
    """project.json as it is: the whole Config takes 40 ms to import."""
    content: dict[str, Any] = json.loads((ROOT / PROJECT_FILE).read_bytes())
    return content


@cache
def concealer() -> Concealer | None:
    """What takes private values out of requests, with the key, which is read once; None when no column is private."""
    data = project()["data"]
    privacy = Privacy.model_validate(data["privacy"])
    if not privacy.columns:
        return None
    key = read_key(boto3.client("secretsmanager"), variables().hash_key_secret) if privacy.hash else b""
    return Concealer(privacy, data["features"], partial(hashed, key))


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId", clear_state=True, log_event=False)
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Gives the reply in payload format 2.0."""
    request, private = parse(event, project()["api"]["maximum_body_kilobytes"]), concealer()
    if private is not None and not isinstance(request, Reply):
        request = private.conceal(request)
    if isinstance(request, Reply):
        reply = request
    else:
        reply = predict(request, ask(), time.sleep, random.uniform, lambda: context.get_remaining_time_in_millis() / 1000)
        reply = with_bucket(reply, request.user)
    metrics.add_metric(f"status_{reply.status // 100}xx", MetricUnit.Count, 1)
    if reply.status != 200:
        logger.warning("not answered", status=reply.status, error=None if private else reply.body[:1000])
    return replace(reply, headers={**reply.headers, INFERENCE_HEADER: identity_of(event)}).render()


def with_bucket(reply: Reply, user: str) -> Reply:
    """The reply, with where its user stands in this project's split, cut to six digits; as it is when no user is named."""
    if not user:
        return reply
    place = f"{int(bucket(user, variables().endpoint_name) * 10**6) / 10**6:.6f}"
    return replace(reply, headers={**reply.headers, BUCKET_HEADER: place})
