"""A request and an answer, and an answer's bytes."""

from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

import orjson

JSON = "application/json"


class Request:
    """One complete request. `headers`: those that matter, by lower-case name."""

    __slots__ = ("body", "headers", "keep", "method", "path", "version")

    def __init__(self, method: str, path: str, headers: dict[bytes, bytes], body: bytes | bytearray, version: str, keep: bool) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.version = version
        self.keep = keep


class Answer(NamedTuple):
    """One answer. `headers`: whole lines, each with its CRLF. `close`: it ends the connection."""

    status: int
    kind: str
    body: bytes
    headers: bytes = b""
    close: bool = False


def refusal(status: int, kind: str, message: str, *, problems: tuple[str, ...] = (), headers: bytes = b"", close: bool = False) -> Answer:
    """An answer that says why there is no other: {"error": {"type", "message", "problems"}}."""
    body = orjson.dumps({"error": {"type": kind, "message": message, "problems": problems}})
    return Answer(status, JSON, body, headers, close)


def head(answer: Answer, date: bytes, keep: bool, request: Request | None) -> bytes:
    """Status line and headers. Without a request: of a refusal of what never became one."""
    connection = b""
    if not keep:
        connection = b"connection: close\r\n"
    elif request is not None and request.version == "1.0":
        connection = b"connection: keep-alive\r\n"
    return b"%b%bcontent-length: %d\r\n%b%b\r\n" % (
        _start(answer.status, answer.kind),
        date,
        len(answer.body),
        connection,
        answer.headers,
    )


@lru_cache(256)
def _start(status: int, kind: str) -> bytes:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {kind}\r\n".encode()
