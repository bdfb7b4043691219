"""InvokeEndpoint: one request to one model server, its answer or a ModelError, and the metrics of both.

Sources: API_runtime_InvokeEndpoint (errors; twin.constraints checks the size of the body), developer guide, your-algorithms-inference-code
(60 seconds), monitoring-cloudwatch (each request puts 0 or 1 into the error metrics; latencies are microseconds). Modelled: a container
that cannot be reached gives a ModelError with OriginalStatusCode 503, one that is too slow 0; metrics are those of requests that reached a
variant. The container sees Content-Type, Accept and the custom attributes, not the InferenceId, which is captured
(twin.sagemaker.capture).
"""

import json
import time
from typing import Any

from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from twin import patches
from twin.cloud import Cloud
from twin.patches import Patch
from twin.sagemaker.capture import Exchange
from twin.sagemaker.endpoints import Endpoints
from twin.sagemaker.fleet import Answer, Fleet, Unreachable
from twin.sagemaker.serverless import LONGEST_BODY

TIMEOUT = 60.0
OCTETS = "application/octet-stream"
_FORWARDED = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes")
_REFUSED = ("Target-Model", "Target-Container-Hostname", "Inference-Component", "Session-Id", "Enable-Explanations")
Reply = tuple[int, dict[str, Any], bytes]


class Invocations:
    """Answers InvokeEndpoint."""

    def __init__(self, cloud: Cloud, endpoints: Endpoints) -> None:
        self._cloud = cloud
        self._endpoints = endpoints

    def invoke(self, name: str, headers: Any, body: bytes) -> Reply:
        """(status, headers, body) of one invocation."""
        started = time.perf_counter()
        problem = _problem(headers)
        if problem:
            return _error(400, "ValidationError", problem)
        endpoint = self._endpoints.find(name)
        taken = None if endpoint is None else endpoint.acquire(headers.get("X-Amzn-SageMaker-Target-Variant"))
        if endpoint is None or taken is None:
            return _error(400, "ValidationError", f"Endpoint {name} of account {self._cloud.account} not found.")
        fleet, variant, instance = taken
        answer: Answer | Unreachable
        limit = _limit(fleet, variant, len(body))
        if limit is not None:
            endpoint.release(fleet)
            return limit
        sent = time.perf_counter()
        try:
            answer = instance.post(body, {key: headers[key] for key in _FORWARDED if key in headers}, TIMEOUT)
            answered = time.perf_counter()
            if 200 <= answer.status < 300:
                fleet.capture.take(variant, _exchange(headers, body, answer))
        except Unreachable as error:
            answer, answered = error, time.perf_counter()
        finally:
            endpoint.release(fleet)
        status = answer.status if isinstance(answer, Answer) else 0 if answer.timed_out else 503
        self._measure(name, variant, status, answered - sent, sent - started)
        if isinstance(answer, Answer) and 200 <= status < 300:
            return 200, _headers(answer, variant), answer.body
        said = answer.body.decode(errors="replace") if isinstance(answer, Answer) else str(answer)
        return self._model_error(name, status, said)

    def _measure(self, name: str, variant: str, status: int, model: float, overhead: float) -> None:
        dimensions = {"EndpointName": name, "VariantName": variant}
        values = (
            ("Invocations", 1, "None"),
            ("Invocation4XXErrors", int(400 <= status < 500), "None"),
            ("Invocation5XXErrors", int(status >= 500 or status == 0), "None"),
            ("ModelLatency", model * 1e6, "Microseconds"),
            ("OverheadLatency", overhead * 1e6, "Microseconds"),
        )
        for metric, value, unit in values:
            self._cloud.measure("AWS/SageMaker", metric, dimensions, value, unit=unit)

    def _model_error(self, name: str, status: int, said: str) -> Reply:
        group = f"/aws/sagemaker/Endpoints/{name}"
        side = "client" if 400 <= status < 500 else "server"
        message = f'Received {side} error ({status}) from primary with message "{said}". See the log group {group} for more information.'
        arn = f"arn:aws:logs:{self._cloud.region}:{self._cloud.account}:log-group:{group}"
        return _error(424, "ModelError", message, OriginalStatusCode=status, OriginalMessage=said, LogStreamArn=arn)


def _problem(headers: Any) -> str:
    refused = [name for name in _REFUSED if f"X-Amzn-SageMaker-{name}" in headers]
    return f"The twin does not serve requests with {', '.join(refused)}." if refused else ""


def _limit(fleet: Fleet, variant: str, size: int) -> Reply | None:
    """What a serverless variant does not take: long requests, and more at once than its concurrency."""
    if fleet.variants[0].concurrency is not None and size > LONGEST_BODY:
        return _error(400, "ValidationError", f"The body has {size} bytes, and a serverless endpoint takes {LONGEST_BODY}.")
    return _error(400, "ThrottlingException", "Rate exceeded") if fleet.throttles(variant) else None


def _exchange(headers: Any, body: bytes, answer: Answer) -> Exchange:
    return Exchange(
        content_type=headers.get("Content-Type", OCTETS),
        body=body,
        answer_type=_given(answer).get("content-type", OCTETS),
        answer=answer.body,
        inference_id=headers.get("X-Amzn-SageMaker-Inference-Id"),
        custom_attributes=headers.get("X-Amzn-SageMaker-Custom-Attributes"),
    )


def _given(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _headers(answer: Answer, variant: str) -> dict[str, Any]:
    given = _given(answer)
    shown = {"Content-Type": given.get("content-type", OCTETS), "x-Amzn-Invoked-Production-Variant": variant}
    custom = given.get("x-amzn-sagemaker-custom-attributes")
    return shown | ({"X-Amzn-SageMaker-Custom-Attributes": custom} if custom else {})


def _error(status: int, code: str, message: str, **more: Any) -> Reply:
    body = json.dumps({"Message": message} | more).encode()
    return status, {"Content-Type": "application/json", "x-amzn-ErrorType": code, "status": status}, body


def _refuse_async(_self: Any) -> Reply:
    raise NotImplementedError("the twin has no asynchronous endpoints")


def install(cloud: Cloud, endpoints: Endpoints) -> None:
    """Put real invocations behind the runtime API."""
    invocations = Invocations(cloud, endpoints)

    def dispatch(self: Any, request: Any, full_url: str | None = None, headers: Any = None) -> Any:
        self.setup_class(request, full_url, headers, use_raw_body=True)
        return self.call_action()

    def invoke_endpoint(self: Any) -> Reply:
        return invocations.invoke(self.path.split("/")[2], self.headers, self.raw_body)

    expected = "(self, request: 'Request', full_url: 'str | None' = None, headers: 'Any' = None) -> 'TYPE_RESPONSE'"
    patches.apply(
        Patch(SageMakerRuntimeResponse, "_dispatch", dispatch, expected, "moto decodes bodies as text, and models take bytes"),
        Patch(
            SageMakerRuntimeResponse,
            "invoke_endpoint",
            invoke_endpoint,
            "(self) -> tuple[int, dict[str, typing.Any], str | bytes]",
            "moto answers with canned bytes",
        ),
        Patch(
            SageMakerRuntimeResponse,
            "invoke_endpoint_async",
            _refuse_async,
            "(self) -> tuple[int, dict[str, typing.Any], str | bytes]",
            "moto pretends that a model answered",
        ),
    )
