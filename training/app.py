"""The model server's ASGI application: GET /ping and POST /invocations, SageMaker's container contract.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html

Predictions run on one thread of their own, so that /ping, which must answer within 2 s, answers during a large batch too. A request that
does not fit the model is a 4xx with {"error": {"type", "message", "problems"}}, never a 5xx.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from contracts.errors import RequestError
from training.frame import to_column
from training.payload import Rows, decode, encode
from training.predictor import Predictor
from training.scoring import Predictions
from training.serving.media import JSON, accepted, media_type

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, str, bytes]

# The most that InvokeEndpoint lets through: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
MAXIMUM_BODY = 25 * 1024 * 1024
METHODS = {"/ping": "GET", "/invocations": "POST"}

log = logging.getLogger(__name__)


class RefusedError(Exception):
    """A request that is answered with this status."""

    def __init__(self, status: int, kind: str, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.body = orjson.dumps({"error": {"type": kind, "message": message, "problems": problems}})


class App:
    """One loaded model behind HTTP. `model` says which model it is: it goes into every answer."""

    def __init__(self, predictor: Predictor, model: dict[str, str], maximum_body: int = MAXIMUM_BODY) -> None:
        self._predictor = predictor
        self._model = model
        self._maximum = maximum_body
        self._worker = ThreadPoolExecutor(1, "predict")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise ValueError(f"the model server speaks HTTP, not {scope['type']}")
        try:
            status, kind, body = await self._answer(scope, receive)
        except RefusedError as error:
            status, kind, body = error.status, JSON, error.body
        except Exception:
            # A fault of ours: the client gets no details, the log gets all of them.
            log.exception("%s %s failed", scope["method"], scope["path"])
            status, kind, body = 500, JSON, RefusedError(500, "InternalError", "the model server failed; its log says why").body
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if path not in METHODS:
            raise RefusedError(404, "NotFound", f"there is no {path[:80]}; the model server has {' and '.join(METHODS)}")
        if method != METHODS[path]:
            raise RefusedError(405, "MethodNotAllowed", f"{path} takes {METHODS[path]}")
        if path == "/ping":
            return 200, JSON, orjson.dumps({"status": "ok"} | self._model)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        kind = media_type(headers.get("content-type", ""))
        if kind is None:
            raise RefusedError(
                415, "UnsupportedMediaType", "Content-Type must be application/json, application/jsonlines or text/csv, in UTF-8"
            )
        answer = accepted(headers.get("accept", "*/*"))
        if answer is None:
            raise RefusedError(406, "NotAcceptable", "Accept must allow application/json, application/jsonlines or text/csv")
        body = await self._body(receive)
        loop = asyncio.get_running_loop()
        return 200, answer, await loop.run_in_executor(self._worker, self._predict, kind, answer, body)

    async def _body(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RefusedError(400, "Disconnected", "the client left before its request was complete")
            body += message.get("body", b"")
            if len(body) > self._maximum:
                raise RefusedError(413, "TooLarge", f"the body is larger than {self._maximum} bytes; send fewer rows")
            if not message.get("more_body", False):
                return bytes(body)

    def _predict(self, kind: str, answer: str, body: bytes) -> bytes:
        signature = self._predictor.signature
        try:
            rows = decode(signature, kind, body)
        except RequestError as error:
            raise RefusedError(400, "RequestError", "the request does not fit the model", error.problems) from None
        return encode(signature, answer, predict_rows(self._predictor, rows), self._model)


def predict_rows(predictor: Predictor, rows: Rows) -> Predictions:
    """One prediction a row."""
    features = predictor.signature.features
    return predictor.predict({name: to_column(kind, [row[name] for row in rows]) for name, kind in features.items()})
