"""What the workers of one server share: the listening socket, the metrics' memory, and a line to the process that looks after them."""

import mmap
import os
import socket
from dataclasses import dataclass
from typing import Self


def bind(host: str, port: int) -> socket.socket:
    """A socket that is bound and does not listen yet: a client is turned away until there is somebody to answer it. Raises OSError."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


@dataclass(frozen=True)
class Shared:
    """As worker `number` of `workers` has it. Without a line nobody looks after it."""

    listener: socket.socket
    memory: mmap.mmap | bytearray
    line: socket.socket | None
    number: int
    workers: int

    @classmethod
    def alone(cls, listener: socket.socket, size: int) -> Self:
        """Of the only worker there is; `size` bytes of memory."""
        return cls(listener, bytearray(size), None, 0, 1)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the worker's command line: numbers of inherited files, and who it is. Raises ValueError and OSError."""
        listener, memory, line, number, workers = map(int, text.split(","))
        mapped = mmap.mmap(memory, os.fstat(memory).st_size)
        os.close(memory)
        return cls(socket.socket(fileno=listener), mapped, socket.socket(fileno=line), number, workers)

    def ready(self) -> None:
        """Tell that this worker answers."""
        if self.line is not None:
            self.line.send(b"1")
