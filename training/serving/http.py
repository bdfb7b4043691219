"""HTTP/1.1 in front of the model: strict, bounded in every direction, and little more than the parser on the way of a request.

One connection is one object. The parser (llhttp, by httptools) calls it back; what is complete waits in line, and is answered in its order:
at once, or when the future that stands for the answer is done. Everything that a client decides has a limit: the bytes around a body, the
body, all bodies together, the connections, the time for a request to arrive, for its answer to be ready, and for the client to take it.
What is over a limit, or not HTTP, is answered in its turn, and the connection closed: after a moment in which input is thrown away, because
closing on unread input would take the answer from the client too (RFC 9112, 9.6).

An ASGI server and its application spend about as long on a request of one row as the model does; see benchmarks/serving.py.
"""

import asyncio
from collections import deque
from time import perf_counter
from typing import cast

import httptools

from training.serving.messages import Answer, Request, head, refusal
from training.serving.server import Server

HEAD_BYTES = 64 * 1024  # request line, headers, trailers and chunk sizes; SageMaker adds some of its own
LINGER = 5.0  # seconds
FIRST = 1.0  # seconds that a new client has for its first request, when the server stops
_HEADERS = frozenset({b"content-type", b"content-encoding", b"accept", b"expect", b"host", b"content-length", b"transfer-encoding"})


class Connection(asyncio.Protocol):
    """One client. The methods named on_... are the parser's."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._waiting: deque[Request | Answer] = deque()
        self._busy: tuple[asyncio.Future[Answer], Request] | None = None
        self._begun = 0.0
        self._new = True  # no request has begun
        self._receiving = False  # a request has begun, and is not complete
        self._deaf = False  # what comes in is thrown away
        self._ended = False  # the client sends no more
        self._stuck = False  # the client does not take what was sent
        self._headed = False  # the headers of the request are complete
        self._overhead = 0
        self._held = 0
        self.deadline = server.loop.time() + server.limits.tidewheel_keep_alive_seconds
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more connection, if there is room."""
        self._transport = cast(asyncio.Transport, transport)
        full = len(self._server.connections) >= self._server.limits.tidewheel_connections
        self._server.connections.add(self)
        if full:
            self._ended = True  # nothing was asked, so nothing is thrown away
            self._refuse(503, "Overloaded", "the model server has as many connections as it takes", b"retry-after: 1\r\n")
            self._next()
        elif self._server.draining:
            self.drain()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter: nobody is left to tell
        """Forget it, and what waited."""
        self._server.connections.discard(self)
        self._forget()
        if self._busy is not None:
            self._busy[0].cancel()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self._deaf:
            return
        if self._busy is not None or self._stuck:
            self._transport.pause_reading()  # what is parsed below is one buffer at most
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._decline()
        except httptools.HttpParserError as error:
            self._refuse(400, "BadRequest", f"the request is not HTTP/1.1: {error}")
        if self._overhead > HEAD_BYTES + self._held:
            self._refuse(431, "TooLarge", f"the request has more than {HEAD_BYTES} bytes around its body")
        if len(self._waiting) > 1:
            self._transport.pause_reading()  # until they are answered: a client sends quicker than the loop takes its turns
        if self._waiting:
            self._next()

    def eof_received(self) -> bool:
        """The client sends no more; it may still read."""
        self._ended = True
        return bool(self._waiting or self._busy or self._stuck)

    def pause_writing(self) -> None:
        """The client reads slower than it is answered: no more for it, until it has read."""
        self._stuck = True
        self.deadline = self._server.loop.time() + self._server.limits.sagemaker_model_server_timeout

    def resume_writing(self) -> None:
        """It has read."""
        self._stuck = False
        self._rest()
        self._next()

    def on_message_begin(self) -> None:
        """A request begins to arrive."""
        self._new = False
        self._receiving = True
        self._headed = False
        self._headers = {}
        self._url = self._body = b""
        self.deadline = self._server.loop.time() + self._server.limits.sagemaker_model_server_timeout

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which comes after the body and is not looked at."""
        name = name.lower()
        if name in _HEADERS and not self._headed:
            before = self._headers.get(name)
            self._headers[name] = value if before is None else b"%b, %b" % (before, value)  # several are a list (RFC 9110, 5.3)

    def on_headers_complete(self) -> None:
        """Refuse what can be refused before the body comes."""
        self._headed = True
        headers, version = self._headers, self._parser.get_http_version()
        modern = version == "1.1"
        length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
        if version not in {"1.0", "1.1"}:
            self._refuse(400, "BadRequest", f"the request is HTTP/{version}, and not HTTP/1.1")
        elif length is not None and int(length) > self._server.limits.tidewheel_largest_body_bytes:
            self._refuse_body()
        elif coding is not None and not modern:
            self._refuse(400, "BadRequest", "HTTP/1.0 has no Transfer-Encoding")  # where its body ends is a guess (RFC 9112, 6.1)
        elif coding is not None and coding.lower() != b"chunked":
            self._refuse(501, "NotImplemented", "the only Transfer-Encoding that is known is chunked")
        elif self._parser.should_upgrade() and headers.keys() & {b"content-length", b"transfer-encoding"}:
            self._refuse(400, "BadRequest", "a request with a body cannot ask for another protocol")  # the parser drops the body
        elif b"," in headers.get(b"host", b"," if modern else b""):
            self._refuse(400, "BadRequest", "the request must have one Host header")
        elif b"expect" in headers and modern:
            if headers[b"expect"].lower() != b"100-continue":
                self._refuse(417, "ExpectationFailed", "the only expectation that is known is 100-continue")
            elif not self._waiting and self._busy is None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        size = len(body)
        self._overhead -= size
        if self._deaf:
            return
        self._held += size
        self._server.held += size
        if self._held > self._server.limits.tidewheel_largest_body_bytes:
            self._refuse_body()
        elif self._held == size:
            self._body = body
        elif self._server.held > self._server.held_limit:
            self._refuse(503, "Overloaded", "the model server holds as many bytes as it may", b"retry-after: 1\r\n")
        elif isinstance(self._body, bytearray):
            self._body += body
        else:
            self._body = bytearray(self._body + body)

    def on_message_complete(self) -> None:
        """The request waits for its turn."""
        if self._deaf:
            return
        parser = self._parser
        path = self._url.partition(b"?")[0].decode("latin-1")
        version, method = parser.get_http_version(), parser.get_method().decode("latin-1")
        self._waiting.append(Request(method, path, self._headers, self._body, version, parser.should_keep_alive()))
        self._receiving = False
        self._held = self._overhead = 0  # the bytes are the request's now
        self._body = b""

    def drain(self) -> None:
        """The server stops: close as soon as everything that has begun is answered. A new client is waited for a moment."""
        if self._new:
            self.deadline = self._server.loop.time() + FIRST
        elif not (self._receiving or self._waiting or self._busy or self._stuck or self._deaf):
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def expire(self) -> None:
        """The deadline is over."""
        if self._stuck:
            self._transport.abort()
        elif self._busy is not None:
            future, request = self._busy
            self._busy = None
            future.cancel()
            self._server.held -= len(request.body)
            message = f"there was no answer in {self._server.limits.sagemaker_model_server_timeout:g} s"
            self._send(refusal(503, "Timeout", message, headers=b"retry-after: 1\r\n", close=True), request)
        elif self._deaf:
            self._transport.abort()
        elif self._receiving:
            self._refuse(408, "Timeout", "the request did not arrive in time")
            self._next()
        else:
            self._transport.close()

    def _decline(self) -> None:
        """What follows is of the protocol that the client asked for; the request itself is answered in this one (RFC 9110, 7.8)."""
        if not self._deaf:
            self._deaf = True
            cast(Request, self._waiting[-1]).keep = False

    def _refuse_body(self) -> None:
        self._refuse(413, "TooLarge", f"the body is larger than {self._server.limits.tidewheel_largest_body_bytes} bytes; send fewer rows")

    def _refuse(self, status: int, kind: str, message: str, headers: bytes = b"") -> None:
        if not self._deaf:
            self._deaf = True
            self._waiting.append(refusal(status, kind, message, headers=headers, close=True))
            self._release()

    def _next(self) -> None:
        """Answer the first in line. The others wait for the loop's next turn, so that no client keeps it to itself."""
        if self._busy is not None or self._stuck or not self._waiting or self._transport.is_closing():
            return
        request = self._waiting.popleft()
        self._begun = perf_counter()
        if isinstance(request, Answer):
            self._send(request, None)
            return
        self.deadline = self._server.loop.time() + self._server.limits.sagemaker_model_server_timeout
        answer = self._server.answer(request)
        if isinstance(answer, Answer):
            self._server.held -= len(request.body)
            self._send(answer, request)
        else:
            self._busy = (answer, request)
            answer.add_done_callback(self._answered)

    def _answered(self, future: "asyncio.Future[Answer]") -> None:
        if self._busy is None or self._busy[0] is not future:
            return  # it took too long, and the client has been told
        request = self._busy[1]
        self._busy = None
        self._server.held -= len(request.body)
        if not future.cancelled() and not self._transport.is_closing():
            self._send(future.result(), request)

    def _send(self, answer: Answer, request: Request | None) -> None:
        """Write an answer, and see what comes next. Without a request: a refusal of what never became one."""
        server, more = self._server, bool(self._waiting)
        keep = not answer.close and request is not None and request.keep and (more or not (server.draining or self._ended))
        body = b"" if request is not None and request.method == "HEAD" else answer.body
        server.observe(request.path if request is not None else "", answer.status, perf_counter() - self._begun)
        self._transport.write(head(answer, server.date, keep, request) + body)
        if not keep:
            self._hang_up(request is not None)
        elif more:
            server.loop.call_soon(self._next)
        elif not self._stuck:
            self._rest()

    def _rest(self) -> None:
        """Nothing waits: read on."""
        if not (self._receiving or self._busy or self._waiting or self._deaf):
            self.deadline = self._server.loop.time() + self._server.limits.tidewheel_keep_alive_seconds
        if not self._transport.is_reading():
            self._transport.resume_reading()

    def _hang_up(self, complete: bool) -> None:
        """Send no more. Where input is still to come, give the client a moment to read what was sent."""
        self._deaf = True
        self._forget()
        limit = self._server.limits.sagemaker_model_server_timeout if complete else LINGER
        self.deadline = self._server.loop.time() + limit
        if complete or self._ended:
            self._transport.close()
            return
        if not self._transport.is_reading():
            self._transport.resume_reading()
        self._transport.write_eof()

    def _forget(self) -> None:
        self._release()
        self._server.held -= sum(len(each.body) for each in self._waiting if isinstance(each, Request))
        self._waiting.clear()

    def _release(self) -> None:
        self._server.held -= self._held
        self._held = 0
        self._body = b""
