"""The model server's HTTP, through real sockets: nothing that a client does hangs it, breaks it or makes it grow."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import httptools
import pytest
import uvloop
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.environment import ServerEnvironment
from training.serving import http
from training.serving.accepting import Acceptor
from training.serving.http import HEAD_BYTES, Connection
from training.serving.messages import Answer, Request
from training.serving.server import Server
from training.serving.sharing import bind

LARGEST = 300_000
LATE = 0.2  # seconds until the answer to /late, and in which /slow keeps the loop busy
GET = b"GET /ping HTTP/1.1\r\nhost: here\r\n\r\n"


def post(body: bytes, path: str = "/", extra: bytes = b"") -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: here\r\ncontent-length: {len(body)}\r\n".encode() + extra + b"\r\n" + body


class Running:
    """A server on a thread. It answers with method, path and the body's length; to /late after a while, to /never never."""

    def __init__(self, **limits: float) -> None:
        self._limits = ServerEnvironment.model_validate({"tidewheel_largest_body_bytes": LARGEST} | limits)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=uvloop.run, args=(self._run(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.seen: list[tuple[str, int]] = []
        self.types: list[bytes | None] = []
        self.server = Server(self._limits, self._answer, lambda path, status, _seconds: self.seen.append((path, status)))
        watching = asyncio.create_task(self.server.watch())
        listener = bind("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        accepting = Acceptor(listener, partial(Connection, self.server), lambda _: False)
        self._ready.set()
        await self._stop.wait()
        await accepting.close()
        await self.server.drain()
        watching.cancel()

    def _answer(self, request: Request) -> "Answer | asyncio.Future[Answer]":
        self.types.append(request.headers.get(b"content-type"))
        if request.path == "/huge":
            return Answer(200, "text/plain", bytes(20_000_000))
        answer = Answer(200, "text/plain", f"{request.method} {request.path} {len(request.body)}".encode())
        if request.path == "/slow":
            time.sleep(LATE)
        if not request.path.startswith(("/late", "/never")):
            return answer
        future = self._loop.create_future()
        if request.path.startswith("/late"):
            self._loop.call_later(LATE, _answer_late, future, answer)
        return future

    def stop(self) -> None:
        """Drain."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def join(self) -> None:
        """Wait until it has drained."""
        self._thread.join(10)
        assert not self._thread.is_alive()


def _answer_late(future: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


@contextmanager
def running(**limits: float) -> Iterator[Running]:
    server = Running(**limits)
    try:
        yield server
    finally:
        server.stop()
        server.join()
        assert server.server.held == 0


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    with running() as server:
        yield server


def connect(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


class Reader:
    """Answers as the same parser reads them, which takes nothing that is not HTTP."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self.complete: list[tuple[int, dict[str, str], bytes]] = []

    def on_message_begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        self.complete.append((status, self._headers, self._body))
        if status == 100:
            return
        self._left -= 1

    def read(self, count: int) -> list[tuple[int, str]]:
        """So many answers, or all until the server closes; (status, body)."""
        self._parser = httptools.HttpResponseParser(self)
        self._left = count
        while self._left > 0:
            data = self._client.recv(1 << 20)
            if not data:
                break
            self._parser.feed_data(data)
        return [(status, body.decode()) for status, _, body in self.complete]


def exchange(server: Running, data: bytes, count: int = 1) -> list[tuple[int, str]]:
    with connect(server) as client:
        client.sendall(data)
        return Reader(client).read(count)


def closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_connection_answers_one_request_after_the_other(shared: Running) -> None:
    with connect(shared) as client:
        for body in (b"", b"x", b"y" * LARGEST):
            client.sendall(post(body))
            reader = Reader(client)
            assert reader.read(1) == [(200, f"POST / {len(body)}")]
            assert reader.complete[0][1]["date"].endswith("GMT")


def test_pipelined_requests_are_answered_in_their_order_also_where_one_takes_longer(shared: Running) -> None:
    data = post(b"1") + post(b"22", "/late?a=1") + GET + post(b"333") * 50
    assert exchange(shared, data, 53)[:4] == [(200, "POST / 1"), (200, "POST /late 2"), (200, "GET /ping 0"), (200, "POST / 3")]


def test_who_sends_requests_without_end_is_not_read_ahead_of_its_answers(shared: Running) -> None:
    count, longest = 60_000, 0
    with connect(shared) as client, ThreadPoolExecutor() as threads:
        threads.submit(client.sendall, GET * count)
        answers = threads.submit(Reader(client).read, count)
        while not answers.done():
            longest = max([longest, *(len(each._waiting) for each in list(shared.server.connections) if isinstance(each, Connection))])
            time.sleep(0.001)
    assert len(answers.result()) == count
    assert 1 < longest <= 256 * 1024 / len(GET)  # what uvloop reads at a time


@pytest.mark.parametrize("size", [1, 7, 50])
def test_a_request_in_pieces_is_a_request(shared: Running, size: int) -> None:
    data = post(b"0123456789")
    with connect(shared) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            client.sendall(data[start : start + size])
            time.sleep(0.001)
        assert Reader(client).read(1) == [(200, "POST / 10")]


def test_chunks_and_trailers(shared: Running) -> None:
    head = b"POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n"
    data = head + b"3;more=yes\r\nabc\r\n2\r\nde\r\n0\r\nhost: there\r\n\r\n"
    assert exchange(shared, data * 2, 2) == [(200, "POST / 5")] * 2
    assert exchange(shared, head + b"0\r\ncontent-type: text/css\r\n\r\n" + GET, 2)[1] == (200, "GET /ping 0")
    assert shared.types[-2:] == [None, None]


def test_a_chunk_that_is_too_large_is_refused_though_it_comes_in_one_piece() -> None:
    with running(tidewheel_largest_body_bytes=1000) as server:
        head = b"POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n"
        assert exchange(server, head + b"3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n")[0][0] == 413


def test_who_expects_to_be_told_is_told(shared: Running) -> None:
    with connect(shared) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: here\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert Reader(client).read(1) == [(200, "POST / 3")]


def test_head_has_the_length_and_no_body(shared: Running) -> None:
    with connect(shared) as client:
        client.sendall(b"HEAD /ping HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        answer = b"".join(iter(partial(client.recv, 1000), b""))
        assert b"content-length: 12\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(("connection", "stays"), [(b"", False), (b"connection: keep-alive\r\n", True)])
def test_http_1_0_keeps_a_connection_only_where_it_asks_to(shared: Running, connection: bytes, stays: bool) -> None:
    with connect(shared) as client:
        for _ in range(2):
            client.sendall(b"GET /ping HTTP/1.0\r\n" + connection + b"\r\n")
            reader = Reader(client)
            assert reader.read(1) == [(200, "GET /ping 0")]
            assert reader.complete[0][1]["connection"] == ("keep-alive" if stays else "close")
            if not stays:
                assert closed(client)
                break


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"HELLO / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\nexpect: a miracle\r\ncontent-length: 1\r\n\r\n", 417),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % (LARGEST + 1), 413),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + b"8000\r\n%b\r\n" % bytes(0x8000) * 12, 413),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: %b\r\n" % bytes(100).replace(b"\0", b"x") * 5000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 5 * HEAD_BYTES, 431),
        (b"GET /" + b"x" * 5 * HEAD_BYTES, 431),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 501),
    ],
)
def test_what_is_not_http_or_too_much_is_refused_in_its_turn_and_ends_the_connection(shared: Running, data: bytes, status: int) -> None:
    with connect(shared) as client:
        client.sendall(post(b"before", "/late") + data)
        reader = Reader(client)
        assert [found for found, _ in reader.read(3)] == [200, status]
        assert reader.complete[-1][1]["connection"] == "close"


def test_an_endless_trailer_is_refused(shared: Running) -> None:
    head = b"POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\ntrailer: "
    assert exchange(shared, head + b"x" * 5 * HEAD_BYTES)[0][0] == 431


def test_who_sends_a_body_that_is_too_large_reads_why_after_it_was_sent(shared: Running) -> None:
    assert exchange(shared, post(bytes(20 * LARGEST)))[0][0] == 413


def test_an_upgrade_is_declined_by_an_answer(shared: Running) -> None:
    """As RFC 9110, 7.8 allows."""
    extra = b"connection: upgrade\r\nupgrade: h2c\r\n"
    assert exchange(shared, b"GET / HTTP/1.1\r\nhost: a\r\n" + extra + b"\r\n\x00\x01", 2) == [(200, "GET / 0")]
    assert exchange(shared, post(b"abc", extra=extra) + b"\x00\x01", 2)[0][0] == 400
    assert exchange(shared, b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n\x00", 2)[0][0] == 200


def test_a_client_that_has_said_everything_is_still_answered(shared: Running) -> None:
    with connect(shared) as client:
        client.sendall(post(b"1", "/late") + post(b"22"))
        client.shutdown(socket.SHUT_WR)
        assert Reader(client).read(3) == [(200, "POST /late 1"), (200, "POST / 2")]


def test_slow_silent_and_deaf_clients_are_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LINGER", 0.3)
    with running(sagemaker_model_server_timeout=0.3, tidewheel_keep_alive_seconds=0.3) as server:
        slow, silent, deaf, waiting = (connect(server) for _ in range(4))
        with slow, silent, deaf, waiting:
            slow.sendall(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 5\r\n\r\nab")
            deaf.sendall(b"GET /huge HTTP/1.1\r\nhost: here\r\n\r\n" * 3)
            waiting.sendall(post(b"1", "/never"))
            assert Reader(slow).read(2)[0][0] == 408
            assert Reader(waiting).read(2)[0][0] == 503
            assert closed(silent)
            for _ in range(100):
                if len(server.server.connections) == 0:
                    break
                time.sleep(0.1)
        assert not server.server.connections


def test_connections_and_bodies_have_a_limit_together() -> None:
    with running(tidewheel_connections=7, tidewheel_drain_seconds=0.2) as server:
        held = [connect(server) for _ in range(7)]
        for client in held[:6]:
            client.sendall(post(bytes(LARGEST), "/never"))
        held[6].sendall(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: %d\r\n\r\n" % LARGEST)
        for _ in range(10):
            time.sleep(0.05)
            held[6].sendall(bytes(LARGEST // 10))
        assert Reader(held[6]).read(1)[0][0] == 503
        held[5].close()
        held[6].close()
        time.sleep(0.2)
        assert exchange(server, GET)[0][0] == 200
        held.append(connect(server))
        held.append(connect(server))
        assert Reader(held[-1]).read(1)[0][0] == 503
        assert closed(held[-1])
        for client in held:
            client.close()


def test_draining_answers_what_has_begun_and_closes_the_rest() -> None:
    server = Running()
    idle, busy, half = (connect(server) for _ in range(3))
    with idle, busy, half:
        busy.sendall(post(b"1", "/late") + post(b"22"))
        half.sendall(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 5\r\n\r\nab")
        time.sleep(0.05)
        server.stop()
        assert closed(idle)
        half.sendall(b"cde")
        assert Reader(half).read(2) == [(200, "POST / 5")]
        assert Reader(busy).read(3) == [(200, "POST /late 1"), (200, "POST / 2")]
    server.join()


def test_draining_answers_who_came_while_the_server_was_busy() -> None:
    server = Running()
    with connect(server) as kept, connect(server) as slow:
        kept.sendall(GET)
        Reader(kept).read(1)
        slow.sendall(post(b"", "/slow"))
        time.sleep(LATE / 4)
        kept.sendall(GET)
        new = [connect(server) for _ in range(3)]
        server.stop()
        for client in (kept, *new):
            with client:
                if client is not kept:
                    client.sendall(GET)
                assert Reader(client).read(1) == [(200, "GET /ping 0")]
                assert closed(client)
    server.join()


def test_draining_ends_although_a_client_does_not() -> None:
    server = Running(tidewheel_drain_seconds=0.2)
    with connect(server) as client:
        client.sendall(post(b"1", "/never"))
        time.sleep(0.05)
        begun = time.monotonic()
        server.stop()
        server.join()
        assert time.monotonic() - begun < 2
        assert closed(client)


pieces = st.sampled_from([
    GET, post(b"abc"), post(b"1", "/late"), b"GET ", b"POST / HTTP/1.1\r\n", b"host: a\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"0\r\n\r\n",
    b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"connection: close\r\n", b"expect: 100-continue\r\n", b"HTTP/9.9",
    b"upgrade: x\r\nconnection: upgrade\r\n", b"5\r\nabcde\r\n", b"ffffffffffffffff\r\n", b"GET\0",
    b"content-length: 99999999999999999999\r\n",
])  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(parts=st.lists(pieces | st.binary(max_size=40), max_size=12))
@example(parts=[post(b"1", "/late"), b"\0"])
def test_no_bytes_hang_break_or_grow_the_server(shared: Running, parts: list[bytes]) -> None:
    with connect(shared) as client:
        client.sendall(b"".join(parts))
        client.shutdown(socket.SHUT_WR)
        client.settimeout(3)
        received = b"".join(iter(partial(received_or_reset, client), b""))
    assert b"HTTP/1.1 5" not in received
    reader: Any = Reader(client)
    parser = httptools.HttpResponseParser(reader)
    reader._parser, reader._left = parser, 0
    if b"HEAD" not in b"".join(parts):
        parser.feed_data(received)  # raises where it is no HTTP


def received_or_reset(client: socket.socket) -> bytes:
    try:
        return client.recv(1 << 16)
    except ConnectionResetError:
        return b""


def test_nothing_is_left_of_all_that(shared: Running) -> None:
    for _ in range(100):
        if not shared.server.connections:
            break
        time.sleep(0.1)
    assert not shared.server.connections
    assert shared.server.held == 0
    assert {status for _, status in shared.seen} <= {200, 400, 413, 417, 431, 501}
    assert exchange(shared, GET) == [(200, "GET /ping 0")]
