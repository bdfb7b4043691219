"""What the model server answers: /ping, /invocations and /metrics.

GET /ping            200 while the model is loaded: SageMaker's health check, and which model it is
POST /invocations    predictions, see media.py for what it takes and gives
GET /metrics         Prometheus

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html

A small request is answered at once, on the loop: handing it to a thread and back takes longer than most predictions. A large one, or a
table that another process reads, goes to the one thread that there is, so that /ping, which must answer within 2 s, and small requests are
answered meanwhile; scikit-learn is asked by one thread at a time, and there small ones wait. A request that does not fit the model is a 4xx
with {"error": {"type", "message", "problems"}}, never a 5xx.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import orjson

from contracts.environment import ServerEnvironment
from contracts.errors import RequestError
from training.serving.media import TABLES, accepted, media_type
from training.serving.messages import JSON, Answer, Request, refusal
from training.serving.metrics import Metrics
from training.serving.model import Model

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
METHODS = {"/ping": ("GET", "HEAD"), "/invocations": ("POST",), "/metrics": ("GET", "HEAD")}
GIVEN = "application/json, application/jsonlines or text/csv"
TAKEN = f"{GIVEN}, or a table in Parquet or an Arrow stream"

log = logging.getLogger(__name__)


class App:
    """One loaded model behind HTTP."""

    def __init__(self, model: Model, limits: ServerEnvironment, metrics: Metrics) -> None:
        self._model = model
        self._alone = model.runtime == "skops"
        self._limits = limits
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(1, "predict")
        self._under_way = 0  # requests in the thread, or waiting for it
        self._ping = Answer(200, JSON, orjson.dumps({"status": "ok"} | dict(model.details)))

    @property
    def under_way(self) -> int:
        """Requests in the thread, or waiting for it."""
        return self._under_way

    def answer(self, request: Request) -> "Answer | asyncio.Future[Answer]":
        """The answer, or the future of one; neither raises."""
        if request.path == "/invocations" and request.method == "POST":
            return self._invoke(request)
        methods = METHODS.get(request.path)
        if methods is None:
            return refusal(404, "NotFound", f"there is no {request.path[:80]}; the model server has {', '.join(METHODS)}")
        if request.method not in methods:
            allow = f"allow: {', '.join(methods)}\r\n".encode()
            return refusal(405, "MethodNotAllowed", f"{request.path} takes {' and '.join(methods)}", headers=allow)
        return self._ping if request.path == "/ping" else Answer(200, PROMETHEUS, self._metrics.text(self._model.details))

    def _invoke(self, request: Request) -> "Answer | asyncio.Future[Answer]":
        headers = request.headers
        kind, answer = _kind(headers.get(b"content-type", b"")), _accepted(headers.get(b"accept", b"*/*"))
        if kind is None:
            return refusal(415, "UnsupportedMediaType", f"Content-Type must be {TAKEN}; text in UTF-8")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            return refusal(415, "UnsupportedMediaType", "the body must be sent as it is, without a Content-Encoding")
        if answer is None:
            return refusal(406, "NotAcceptable", f"Accept must allow {GIVEN}")
        if kind not in TABLES and len(request.body) <= self._limits.tidewheel_inline_bytes and not (self._alone and self._under_way):
            return self._predict(kind, answer, request.body)
        if self._under_way >= self._limits.tidewheel_waiting_requests:
            return refusal(503, "Overloaded", "as many requests wait as may", headers=b"retry-after: 1\r\n")
        self._under_way += 1
        loop = asyncio.get_running_loop()
        future = self._thread.submit(self._predict, kind, answer, request.body)
        # When the thread is done with it, which may be after the client was told that it took too long.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        return asyncio.wrap_future(future)

    def _done(self) -> None:
        self._under_way -= 1

    def _predict(self, kind: str, accept: str, body: bytes | bytearray) -> Answer:
        try:
            answer = self._model.answer(kind, accept, bytes(body))
        except RequestError as error:
            return refusal(400, "RequestError", "the request does not fit the model", problems=error.problems)
        except Exception:  # a fault of ours: the client gets no details, the log gets all of them
            log.exception("a prediction failed")
            return refusal(500, "InternalError", "the model server failed; its log says why")
        self._metrics.predicted(_rows(accept, answer))
        return Answer(200, accept, answer)


def _rows(accept: str, answer: bytes) -> int:
    """Of an answer. Within JSON's strings every quote has a backslash before it, so what is counted stands between two rows alone."""
    return 1 + answer.count(b',{"prediction":') if accept == JSON else answer.count(b"\n")


@lru_cache(256)
def _kind(header: bytes) -> str | None:
    return media_type(header.decode("latin-1"))


@lru_cache(256)
def _accepted(header: bytes) -> str | None:
    return accepted(header.decode("latin-1"))
