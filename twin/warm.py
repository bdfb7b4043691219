"""Containers that start warm: forked from a process that has loaded the image's libraries already.

On a laptop a job of a few rows mostly imports. An image whose Dockerfile names its libraries (LABEL libraries="pandas sklearn.ensemble")
has them loaded once, in a process of its own (twin.warm_process), which every later container of `python -m ...` is forked from. That
process has the Dockerfile's ENV, for libraries read some variables when they are loaded; a container that sets one of those otherwise, or
one that the interpreter reads when it starts, starts cold, as does every other command, and everything where a fork is not safe after
libraries are loaded: anywhere but on Linux
(https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods). Modelled: a warm container finds those libraries
imported, and has the hash seed of the others; AWS starts each cold, as `tide reproduce` does here.
"""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from twin import images
from twin.cloud import Cloud
from twin.images import Image, Program, image_environment
from twin.processes import Child, Processes, signal_group
from twin.warm_process import HEADER

SCRIPT = Path(__file__).with_name("warm_process.py")
_READ_AT_START = ("PYTHON", "LD_")
"""What variables begin with that the interpreter and the loader read when they start."""


class Forked:
    """A container that was forked; waited for like a child of the twin's own."""

    def __init__(self, status: "Connection[bytes, bytes]") -> None:
        self._status = status
        self._lock = threading.Lock()
        self._code: int | None = None
        self.pid = int(status.recv_bytes())

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        with self._lock:
            if self._code is None:
                if not self._status.poll(timeout):
                    raise subprocess.TimeoutExpired(f"container {self.pid}", timeout or 0)
                self._code = self._told()
                self._status.close()
        return self._code

    def _told(self) -> int:
        try:
            return int(self._status.recv_bytes())
        except EOFError:  # who waited for it was killed, so nobody can tell how it would end: it ends now
            signal_group(self.pid, signal.SIGKILL)
            return -signal.SIGKILL


class ForkServer:
    """The process that an image's warm containers are forked from. It ends with the twin, whatever that ends by."""

    def __init__(self, processes: Processes, image: Image) -> None:
        self._processes = processes
        self._environment = image_environment(image)
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        with theirs:
            command = [sys.executable, "-P", str(SCRIPT), *image.libraries]
            self._child = processes.start(
                command, env=self._environment, cwd=image.folder, stdin=theirs.fileno(), stdout=subprocess.DEVNULL
            )

    @property
    def is_running(self) -> bool:
        """Whether it can be forked from."""
        return self._child.poll() is None

    def can_start(self, program: Program) -> bool:
        """Whether a container is the same as if it were started cold."""
        is_module, own = list(program.command[:2]) == [sys.executable, "-m"], program.environment.keys() - self._environment.keys()
        has_all = self._environment.items() <= program.environment.items()
        return is_module and has_all and not any(name.startswith(_READ_AT_START) for name in own)

    def start(self, program: Program, log: IO[bytes]) -> Child:
        """Fork a container. Raises ConnectionError or EOFError when the process has died, before anything of the container has run."""
        _, _, module, *arguments = program.command
        environment, folder = dict(program.environment), str(program.folder)
        request = {"module": module, "arguments": arguments, "environment": environment, "folder": folder}
        body = json.dumps(request).encode()
        ours, theirs = Pipe(duplex=False)
        with theirs, self._lock:
            socket.send_fds(self._control, [HEADER.pack(len(body))], [log.fileno(), theirs.fileno()])
            self._control.sendall(body)
        return self._processes.adopt(Forked(ours))

    def stop(self) -> None:
        """End it; its containers go on."""
        self._processes.stop(self._child)


class Containers:
    """Starts containers, warm where that makes no difference to them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._latest: tuple[Path, ForkServer] | None = None
        self._lock = threading.Lock()

    def start(self, image: Image, program: Program, log: IO[bytes]) -> Child:
        """Run a container, its output into `log`."""
        server = self._server(image)
        if server is not None and server.can_start(program):
            with contextlib.suppress(ConnectionError, EOFError):  # it has died since: this container starts cold
                return server.start(program, log)
        return images.start(self.cloud, program, log)

    def _server(self, image: Image) -> ForkServer | None:
        if not image.libraries or sys.platform != "linux":
            return None
        with self._lock:
            if self._latest is not None:
                folder, server = self._latest
                if folder == image.folder and server.is_running:
                    return server
                server.stop()  # an app that was deployed anew has another image, and the old one's libraries need not stay loaded
            server = ForkServer(self.cloud.processes, image)
            self._latest = (image.folder, server)
            return server
