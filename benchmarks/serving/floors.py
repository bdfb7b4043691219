"""Servers that do no more than they must: `asgi`, `bare` and `nothing`. Run with the peers' Python: FLOOR FOLDER PORT.

asgi     a bare ASGI application on uvicorn: rows encoded by look-ups, the same ONNX graph as ours, nothing checked
bare     the same behind a loop that looks for nothing but the end of the request
nothing  the same without a prediction: what the load can send at most
"""

import asyncio
import sys
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson
import uvicorn
import uvloop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
Answering = Callable[[bytes], bytes]


def model(folder: Path) -> Answering:
    """From a body to the answer's."""
    encoding = orjson.loads((folder / "encoder.json").read_bytes())
    width, categories = encoding["width"], [(name, each["columns"]) for name, each in encoding["categories"].items()]
    numbers = [(name, parts[0]["column"]) for name, parts in encoding["numbers"].items()]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0].name
    zeros = array("d", bytes(8 * width))

    def answer(body: bytes) -> bytes:
        rows = orjson.loads(body)
        cells = zeros * len(rows)
        start = 0
        for row in rows:
            for name, column in numbers:
                cells[start + column] = row[name]
            for name, columns in categories:
                cells[start + columns[row[name]]] = 1.0
            start += width
        said = session.run(None, {taken: np.frombuffer(cells).reshape(len(rows), width)})[0]
        return orjson.dumps(said.ravel().tolist())

    return answer


async def application(answer: Answering, scope: Any, receive: Any, send: Any) -> None:
    """ASGI."""
    body = b""
    more = scope["type"] == "http"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    said = answer(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


class Bare(asyncio.Protocol):
    """Head, length, body."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Bytes of one request."""
        self._got += data
        end = self._got.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        length = self._got[:end].lower().partition(b"content-length:")[2].partition(b"\r")[0]
        if len(self._got) - end < int(length):
            return
        said = self._answer(self._got[end:])
        self._got = b""
        self._transport.write(HEAD % (len(said), said))


async def serve(protocol: Callable[[], asyncio.Protocol], port: int) -> None:
    """For ever."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    floor, folder, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if floor == "asgi":
        # A server that is given its parser and its loop, and asked for nothing else.
        parts: Any = {"interface": "asgi3", "http": "httptools", "loop": "uvloop", "lifespan": "off", "ws": "none", "proxy_headers": False}
        quiet: Any = {"access_log": False, "log_level": "warning"}
        uvicorn.run(partial(application, model(folder)), host="127.0.0.1", port=port, **parts, **quiet)
    elif floor == "bare":
        uvloop.run(serve(partial(Bare, model(folder)), port))
    else:
        uvloop.run(serve(partial(Bare, lambda _: b"[0.25]"), port))
