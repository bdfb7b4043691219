"""The parent's side of one worker: start it, hand it a request, read its output, and replace it when it dies or is too slow."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.functions.logs import LogStream
from twin.functions.worker import MARK, failure, read_frame, write_frame
from twin.processes import Processes

INIT_LIMIT = 30.0
"""Real seconds for importing the handler's module. Lambda gives 10 before it counts against the timeout; a busy laptop may need more."""

SCRIPT = Path(__file__).with_name("worker.py")


@dataclass(frozen=True)
class Reply:
    """What an invocation gave: the payload, and `error` (Unhandled) if it failed. `healthy` says whether the worker may be used again."""

    payload: bytes
    error: str | None
    healthy: bool
    log: tuple[str, ...]


class Worker:
    """One execution environment. Not for two threads at once."""

    def __init__(self, processes: Processes, handler: str, folders: list[Path], env: Mapping[str, str], cwd: Path, log: LogStream) -> None:
        self._processes = processes
        self._log = log
        self._lines: list[str] = []
        self._complete = threading.Event()
        self._ready = False
        ours, theirs = socket.socketpair()
        self._socket = ours
        with theirs.makefile("rb") as stdin:
            self._child = processes.start(
                [sys.executable, "-I", "-S", "-X", "utf8", str(SCRIPT), handler, *map(str, folders)],
                env=env,
                cwd=cwd,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        theirs.close()
        self._reader = threading.Thread(target=self._read_output, name=f"log-{self._child.pid}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The id of the worker's process."""
        return self._child.pid

    def run(self, request_id: str, payload: bytes, arn: str, timeout: float) -> Reply:
        """Run one request, for at most `timeout` real seconds."""
        if not self._ready:
            broken = self._await_ready(request_id)
            if broken is not None:
                return broken
        request = {"id": request_id, "event": payload.decode(), "deadline": time.time() + timeout, "arn": arn, "trace": _trace(request_id)}
        self._complete.clear()
        self._socket.settimeout(timeout)
        try:
            write_frame(self._socket, json.dumps(request).encode())
            frame = read_frame(self._socket)
        except TimeoutError:
            self.stop(grace=0.0)
            message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
            return self._broken("Sandbox.Timedout", message, request_id)
        except OSError:  # the worker is gone: the same as a closed socket
            frame = None
        if frame is None:
            code = self._exit_code()
            return self._broken("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {code}", request_id)
        self._complete.wait(2.0)
        answer: dict[str, Any] = json.loads(frame)
        return Reply(answer["payload"].encode(), None if answer["ok"] else "Unhandled", not answer["last"], self._take_log())

    def stop(self, grace: float = 1.0) -> None:
        """End the process."""
        self._socket.close()
        self._processes.stop(self._child, grace)

    def kill(self) -> None:
        """End the process under a running request, which then fails as on Lambda."""
        self._processes.stop(self._child, grace=0.0)

    def _await_ready(self, request_id: str) -> Reply | None:
        """Wait until the handler's module is imported; the reply of a request whose worker did not get there."""
        self._socket.settimeout(INIT_LIMIT)
        try:
            self._ready = read_frame(self._socket) is not None
        except TimeoutError:
            self.stop(grace=0.0)
            late = f"RequestId: {request_id} Error: Init timed out after {INIT_LIMIT:.2f} seconds"
            return self._broken("Sandbox.Timedout", late, request_id)
        except OSError:
            self._ready = False
        if self._ready:
            return None
        message = f"RequestId: {request_id} Error: Runtime exited with error: {self._exit_code()}"
        return self._broken("Runtime.ExitError", message, request_id)

    def _broken(self, kind: str, message: str, request_id: str) -> Reply:
        self._reader.join(2.0)
        self._log.write([message])
        document = failure(kind, message, request_id, [])
        del document["requestId"], document["stackTrace"]
        return Reply(json.dumps(document).encode(), "Unhandled", False, (*self._take_log(), message))

    def _exit_code(self) -> str:
        code = self._processes.stop(self._child, grace=2.0)
        return f"exit status {code}" if code >= 0 else f"signal {-code}"

    def _take_log(self) -> tuple[str, ...]:
        lines, self._lines = tuple(self._lines), []
        return lines

    def _read_output(self) -> None:
        """Lines go out as they come, those of one read together; the mark ends a request's log."""
        assert self._child.stdout is not None  # noqa: S101 - started with a pipe, for the type checker
        descriptor, rest = self._child.stdout.fileno(), b""
        while data := os.read(descriptor, 1 << 16):
            *complete, rest = (rest + data).split(b"\n")
            self._take_lines([line.decode(errors="replace") for line in complete])
        if rest:
            self._take_lines([rest.decode(errors="replace")])

    def _take_lines(self, lines: list[str]) -> None:
        written = [line.removesuffix(MARK) for line in lines if line != MARK]
        self._lines += written
        self._log.write(written)
        if any(line.endswith(MARK) for line in lines):
            self._complete.set()


def _trace(request_id: str) -> str:
    digits = request_id.replace("-", "")
    return f"Root=1-{digits[:8]}-{digits[8:32]};Parent={digits[:16]};Sampled=0"
