"""What the connections of one process share, and what looks after them."""

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from contracts.environment import ServerEnvironment
from training.serving.messages import Answer, Request

TICK = 0.5  # seconds
# Bodies of all connections together, in the largest body: enough to read some while others wait, and no more than that.
BODIES = 6

Answering = Callable[[Request], "Answer | asyncio.Future[Answer]"]
Observing = Callable[[str, int, float], None]
"""path ("" when there is none), status, seconds from the complete request to its answer."""


class Client(Protocol):
    """A connection, as the server knows it. `deadline`: in the loop's time."""

    deadline: float

    def expire(self) -> None:
        """The deadline is over."""

    def drain(self) -> None:
        """The server stops: close as soon as everything that has begun is answered."""

    def abort(self) -> None:
        """Close at once."""


class Server:
    """What the connections of one process share."""

    def __init__(self, limits: ServerEnvironment, answer: Answering, observe: Observing) -> None:
        self.limits = limits
        self.answer = answer
        self.observe = observe
        self.loop = asyncio.get_running_loop()
        self.connections: set[Client] = set()
        self.held = 0  # bytes of bodies
        self.held_limit = BODIES * limits.tidewheel_largest_body_bytes
        self.draining = False
        self.date = b""

    async def drain(self) -> None:
        """Answer what has begun to arrive, for as long as the limit says, and close every connection."""
        self.draining = True
        for connection in list(self.connections):
            connection.drain()
        end = self.loop.time() + self.limits.tidewheel_drain_seconds
        while self.connections and self.loop.time() < end:
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.abort()

    async def watch(self) -> None:
        """Look after deadlines and the date, until cancelled."""
        while True:
            self.date = b"date: %b\r\n" % formatdate(usegmt=True).encode()
            now = self.loop.time()
            for connection in [each for each in self.connections if each.deadline < now]:
                connection.expire()
            await asyncio.sleep(TICK)
