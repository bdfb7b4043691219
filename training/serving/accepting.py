"""Taking new connections, so that workers that share a socket share its clients too.

Whoever wakes first takes a client, and the kernel nearly always wakes the same worker first; clients keep their connections, so it would
have them all. Hence one client at a turn of the loop, and a worker that has more of them than another leaves the next one to the others for
a moment. It takes it then, because the others may be busy, or gone.
"""

import asyncio
import logging
import socket
from collections.abc import Callable

BACKLOG = 2048
COURTESY = 0.002  # seconds
PAUSE = 1.0  # seconds, when there is no file descriptor left

log = logging.getLogger(__name__)


class Acceptor:
    """Listens on a bound socket, and gives each connection a protocol, until it is closed.

    `crowded`, given how many clients are just being taken, says whether this worker has more of them than another.
    """

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol], crowded: Callable[[int], bool]) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._protocol = protocol
        self._crowded = crowded
        self._beginning: set[asyncio.Task[None]] = set()
        self._open = True
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._wait()

    async def close(self) -> None:
        """Take who has come so far, whom nobody would answer otherwise, and no more. Whoever shares the socket goes on."""
        self._open = False
        self._loop.remove_reader(self._listener)
        try:
            while True:
                self._accept()
        except BlockingIOError:
            pass  # nobody waits
        except OSError:
            log.exception("clients that wait cannot be taken any more")
        self._listener.close()
        if self._beginning:
            await asyncio.wait(self._beginning)

    def _wait(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener, self._look)

    def _look(self) -> None:
        if self._crowded(len(self._beginning)):
            self._loop.remove_reader(self._listener)
            self._loop.call_later(COURTESY, self._take)
        else:
            self._take()

    def _take(self) -> None:
        if not self._open:
            return
        try:
            self._accept()
        except BlockingIOError:
            pass  # another worker was first
        except OSError:
            log.exception("no connection can be taken for %g s", PAUSE)
            self._loop.remove_reader(self._listener)
            self._loop.call_later(PAUSE, self._wait)
            return
        self._wait()

    def _accept(self) -> None:
        """One client. Raises BlockingIOError when nobody waits, and OSError when there is no file descriptor left."""
        try:
            client, _ = self._listener.accept()
        except ConnectionAbortedError:
            return  # the client has left
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._begin(client))
        self._beginning.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._beginning.discard)

    async def _begin(self, client: socket.socket) -> None:
        await self._loop.connect_accepted_socket(self._protocol, client)
