"""The process that warm containers are forked from. Started by twin.warm as `python -P warm_process.py LIBRARY...`.

It loads the libraries, then reads requests from the socket that is its standard input: a 4-byte length with two descriptors (the log, the
status), and JSON {"module", "arguments", "environment", "folder"}. Each becomes a process that goes on as `python -m MODULE ARGUMENT...`
would: a session of its own, that environment and folder, its output into the log. It sends its id into the status; a parent of its own
waits for it, and sends its exit code after that. The socket's end is this process's.

The standard library alone is imported here: this file is not part of the package when it runs.
"""

import contextlib
import gc
import json
import os
import runpy
import signal
import socket
import struct
import sys
import warnings
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

HEADER = struct.Struct(">I")


def main(libraries: list[str]) -> None:
    """Serve until the twin closes the socket; in a container, return when its module is done."""
    control = socket.socket(fileno=0)
    for library in libraries:
        with contextlib.suppress(Exception):  # the container says so itself, when it imports it
            import_module(library)
    gc.freeze()  # what is loaded stays: looked through by each child, it would be copied
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the containers' parents
    while True:
        header, descriptors, _, _ = socket.recv_fds(control, HEADER.size, 2)
        if not header:
            return
        request = json.loads(control.recv(HEADER.unpack(header)[0], socket.MSG_WAITALL))
        if _fork() == 0:
            control.detach()
            _contain(request, *descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)


def _fork() -> int:
    with warnings.catch_warnings():
        # Since 3.12 Python warns of threads. The only one here is of pyarrow's allocator (jemalloc), which is made for forks.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _contain(request: dict[str, Any], log: int, status: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()  # what ends this server's session leaves the containers' parents to tell how those ended
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, standard in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, standard)
    os.close(nothing)
    os.close(log)
    container = _fork()
    if container:
        _, ended = os.waitpid(container, 0)
        with contextlib.suppress(BrokenPipeError):  # the twin was killed
            Connection(status).send_bytes(str(os.waitstatus_to_exitcode(ended)).encode())
        os._exit(0)
    os.setsid()
    with Connection(status) as connection:
        connection.send_bytes(str(os.getpid()).encode())
    os.environ.update(request["environment"])  # which holds what this server was started with
    os.chdir(request["folder"])
    sys.path.insert(0, request["folder"])
    sys.argv[1:] = request["arguments"]
    if numbers := sys.modules.get("numpy.random"):
        numbers.seed()  # or each container would draw what the others draw; Python's own generator knows forks
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
