"""Several workers on one socket, each a process: one that ends is replaced, and meanwhile the others answer.

The socket is this process's, so what waits on it outlives any worker. Each worker has a line to this process: by it a worker says that
it answers, and learns when nobody looks after it any more; it then drains. This process imports no model and answers nobody.

A worker that ends before it has answered for the first time, or workers that end more often than DEATHS times in WITHIN seconds, end
the server with the reason: a container that exits is started again by SageMaker, and counts as unhealthy meanwhile, which a server that
is busy restarting does not.
"""

import asyncio
import contextlib
import logging
import mmap
import signal
import socket
import sys
import tempfile
from collections import deque

from contracts.environment import ServerEnvironment
from contracts.errors import TidewheelError
from training.paths import Paths
from training.serving.metrics import Metrics, size

DEATHS = 5
WITHIN = 60.0  # seconds
GRACE = 2.0  # seconds that a worker has to end after it should have drained
COMMAND = (sys.executable, "-m", "training", "serve")

log = logging.getLogger(__name__)


class WorkersError(TidewheelError):
    """Workers do not stay alive."""


def supervise(paths: Paths, listener: socket.socket, limits: ServerEnvironment) -> None:
    """Keep the workers alive until SIGTERM, and let them drain. Raises WorkersError."""
    paths.message.unlink(missing_ok=True)  # whatever is found there later is of one of these workers
    with tempfile.TemporaryFile() as file:
        file.truncate(size(limits.sagemaker_model_server_workers))
        asyncio.run(_Workers(paths, listener, file.fileno(), limits).run())


class _Workers:
    def __init__(self, paths: Paths, listener: socket.socket, memory: int, limits: ServerEnvironment) -> None:
        self._paths = paths
        self._listener = listener
        self._memory = memory
        self._metrics = mmap.mmap(memory, 0)
        self._limits = limits
        self._deaths: deque[float] = deque(maxlen=DEATHS + 1)
        self._alive: set[asyncio.subprocess.Process] = set()

    async def run(self) -> None:
        """Until SIGTERM. Raises WorkersError."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        stopped = loop.create_task(stop.wait())
        keepers = [loop.create_task(self._keep(number)) for number in range(self._limits.sagemaker_model_server_workers)]
        await asyncio.wait([stopped, *keepers], return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, *keepers):
            if not task.done():
                task.cancel()
        await self._end()
        for outcome in await asyncio.gather(*keepers, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        log.info("drained")

    async def _keep(self, number: int) -> None:
        """One worker after the other. Raises WorkersError."""
        answered = False
        while True:
            answers, how = await self._live(number)
            answered = answered or answers
            self._deaths.append(asyncio.get_running_loop().time())
            if not answered:
                raise WorkersError(f"worker {number} ended {how} before it answered{self._reason()}")
            if len(self._deaths) > DEATHS and self._deaths[-1] - self._deaths[0] < WITHIN:
                raise WorkersError(f"workers ended {len(self._deaths)} times within {WITHIN:.0f} s, the last {how}{self._reason()}")
            log.warning("worker %d ended %s, and is replaced", number, how)

    async def _live(self, number: int) -> tuple[bool, str]:
        """The life of one worker: (whether it ever answered, how it ended)."""
        ours, theirs = socket.socketpair()
        with theirs:
            files = (self._listener.fileno(), self._memory, theirs.fileno())
            shared = ",".join(map(str, (*files, number, self._limits.sagemaker_model_server_workers)))
            process = await asyncio.create_subprocess_exec(*COMMAND, "--worker", shared, pass_fds=files)
        self._alive.add(process)
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            answers = bool(await reader.read(1))
            status = await process.wait()
        finally:
            writer.close()
        self._alive.discard(process)
        Metrics(self._metrics, self._limits.sagemaker_model_server_workers, number).end()
        return answers, f"by signal {-status}" if status < 0 else f"with status {status}"

    async def _end(self) -> None:
        """SIGTERM to all, and SIGKILL to whoever has not drained in time.

        The socket is closed first, because it takes clients as long as anybody has it open: whoever came after its last worker would wait
        for nobody.
        """
        self._listener.close()
        for process in self._alive:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself
                process.terminate()
        waits = [asyncio.ensure_future(process.wait()) for process in self._alive]
        if waits:
            await asyncio.wait(waits, timeout=self._limits.tidewheel_drain_seconds + GRACE)
        for process in self._alive:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _reason(self) -> str:
        """What the worker wrote, as it writes when it fails (training/__main__.py)."""
        return f": {self._paths.message.read_text(errors='replace')}" if self._paths.message.exists() else ""
