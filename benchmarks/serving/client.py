"""The load: so many clients in one process, each of which sends a request, waits for the answer, and sends the next.

Keep-alive connections on uvloop, and as little of HTTP as there can be: find the length, count the bytes. What it can send at most is
measured against a server that answers without looking (`nothing` in floors.py).
"""

import argparse
import asyncio
import contextlib
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import cast

import uvloop


class Failed(Exception):  # noqa: N818 - an answer, not a fault
    """An answer that is not 200."""


class Client(asyncio.Protocol):
    """One client: `bodies` in turn, for ever. `latencies` in seconds."""

    def __init__(self, head: bytes, bodies: list[bytes], first: int, done: "asyncio.Future[None]") -> None:
        self._requests = [b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body) for body in bodies]
        self._number = first
        self._done = done
        self._missing = 0  # bytes of the answer, once its head is there
        self._got = b""
        self._sent = 0.0
        self._transport: asyncio.Transport
        self.latencies: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server hung up."""
        if not self._done.done():
            self._done.set_exception(Failed(f"the server closed the connection: {exc}"))

    def data_received(self, data: bytes) -> None:
        """A piece of the answer."""
        if self._missing:
            self._missing -= len(data)
        else:
            self._got += data
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return
            self._missing = _length(self._got[:end]) + end + 4 - len(self._got)
            if not self._got.startswith(b"HTTP/1.1 200") and not self._done.done():
                self._done.set_exception(Failed(self._got[:500].decode(errors="replace")))
        if not self._missing:
            self.latencies.append(perf_counter() - self._sent)
            self._got = b""
            if not self._done.done():
                self._send()

    def _send(self) -> None:
        self._number = (self._number + 1) % len(self._requests)
        self._sent = perf_counter()
        self._transport.write(self._requests[self._number])


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    return int(lower[start:].partition(b"\r\n")[0])


async def load(port: int, path: str, bodies: list[bytes], clients: int, seconds: float) -> tuple[float, list[float]]:
    """(answers a second, latencies) of so many seconds. Raises Failed at the first answer that is not 200."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json\r\n".encode()
    protocols = []
    begun = perf_counter()
    for number in range(clients):
        protocol = Client(head, bodies, number * 7, done)
        await loop.create_connection(lambda protocol=protocol: protocol, "127.0.0.1", port)  # type: ignore[misc]  # mypy knows no default of a lambda
        protocols.append(protocol)
    with contextlib.suppress(TimeoutError):  # as it should
        await asyncio.wait_for(done, seconds)
    elapsed = perf_counter() - begun
    latencies = [each for protocol in protocols for each in protocol.latencies]
    return len(latencies) / elapsed, latencies


def main() -> None:
    """Print {"rate", "p50", "p99"} (1/s, milliseconds) as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("bodies", type=Path, help="one body a line")
    parser.add_argument("clients", type=int)
    parser.add_argument("seconds", type=float)
    given = parser.parse_args()
    bodies = given.bodies.read_bytes().splitlines()
    try:
        rate, latencies = uvloop.run(load(given.port, given.path, bodies, given.clients, given.seconds))
    except Failed as error:
        sys.exit(str(error))
    latencies.sort()
    p50, p99 = (1000 * latencies[int((len(latencies) - 1) * share)] for share in (0.5, 0.99))
    print(json.dumps({"rate": rate, "p50": p50, "p99": p99}))


if __name__ == "__main__":
    main()
