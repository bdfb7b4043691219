"""One Lambda execution environment: a process that runs one handler, one request at a time.

Started by twin.functions.pool as `python -I -S worker.py HANDLER FOLDER...`: no site-packages and no variable of the laptop reach it,
only the asset, the layer and the runtime (the folders, in this order) and the standard library. It speaks over the socket that is its
standard input, in frames of a 4-byte length and JSON: {"ready"} when the handler's module is imported, then {"id", "event", "deadline",
"arn", "trace"} in and {"ok", "payload", "last"} out. What the handler prints goes to standard output, as on Lambda; after each request a
MARK line there tells the parent that the request's log is complete.

The standard library alone is imported here: this file is not part of the package when it runs.
Error replies have the shape of AWS's Python runtime (https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html).
"""

import importlib
import json
import os
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

MARK = "\x00twin-end-of-request\x00"
HEADER = struct.Struct(">I")


class Context:
    """Lambda's context object (https://docs.aws.amazon.com/lambda/latest/dg/python-context.html)."""

    identity = None
    client_context = None

    def __init__(self, request: dict[str, Any], environment: dict[str, str]) -> None:
        self._deadline = float(request["deadline"])
        self.aws_request_id: str = request["id"]
        self.invoked_function_arn: str = request["arn"]
        self.function_name = environment["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environment["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environment["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environment["AWS_LAMBDA_LOG_STREAM_NAME"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda stops this invocation."""
        return max(0, int((self._deadline - time.time()) * 1000))


def read_frame(connection: socket.socket) -> bytes | None:
    """The next frame, or None when the other side has closed."""
    header = _read_exactly(connection, HEADER.size)
    return None if header is None else _read_exactly(connection, HEADER.unpack(header)[0])


def write_frame(connection: socket.socket, body: bytes) -> None:
    """Send one frame."""
    connection.sendall(HEADER.pack(len(body)) + body)


def _read_exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def load(handler: str) -> Callable[[Any, Any], Any]:
    """The handler function; an error names the module as Lambda does."""
    module, _, name = handler.rpartition(".")
    function: Callable[[Any, Any], Any] = getattr(importlib.import_module(module.replace("/", ".")), name)
    return function


def failure(kind: str, message: str, request_id: str, stack: list[str]) -> dict[str, Any]:
    """Lambda's error document."""
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": stack}


def init_failure(handler: str, error: BaseException) -> tuple[str, str]:
    """Type and message that Lambda gives for an error while the handler's module is imported."""
    module = handler.rpartition(".")[0]
    match error:
        case AttributeError() if "has no attribute" in str(error):
            return "Runtime.HandlerNotFound", f"Handler '{handler.rpartition('.')[2]}' missing on module '{module}'"
        case ImportError():
            return "Runtime.ImportModuleError", f"Unable to import module '{module}': {error}"
        case SyntaxError():
            return "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}"
        case _:
            return type(error).__name__, str(error)


def run(function: Callable[[Any, Any], Any], request: dict[str, Any]) -> tuple[bool, str]:
    """(succeeded, JSON payload) of one request."""
    request_id = request["id"]
    os.environ["_X_AMZN_TRACE_ID"] = request["trace"]
    try:
        result = function(json.loads(request["event"]), Context(request, dict(os.environ)))
    except Exception as error:  # noqa: BLE001 - whatever the handler raises is the reply
        traceback.print_exc()
        stack = traceback.format_tb(error.__traceback__)[1:]
        return False, json.dumps(failure(type(error).__name__, str(error), request_id, stack))
    try:
        return True, json.dumps(result)
    except (TypeError, ValueError) as error:
        return False, json.dumps(failure("Runtime.MarshalError", f"Unable to marshal response: {error}", request_id, []))


def main(handler: str, folders: list[str]) -> int:
    """Serve until the parent closes the socket."""
    connection = socket.socket(fileno=0)
    sys.path[0:0] = folders
    sys.argv = [handler]
    broken: tuple[str, str, list[str]] | None = None
    function: Callable[[Any, Any], Any] | None = None
    try:
        function = load(handler)
    except Exception as error:  # noqa: BLE001 - reported to the first caller, as Lambda does
        traceback.print_exc()
        broken = (*init_failure(handler, error), traceback.format_tb(error.__traceback__)[1:])
    write_frame(connection, b'{"ready": true}')
    while (frame := read_frame(connection)) is not None:
        request = json.loads(frame)
        if broken is not None or function is None:
            kind, message, stack = broken or ("Runtime.Unknown", "the handler was not loaded", [])
            ok, payload = False, json.dumps(failure(kind, message, request["id"], stack))
        else:
            ok, payload = run(function, request)
        sys.stderr.flush()
        sys.stdout.write(f"{MARK}\n")
        sys.stdout.flush()
        write_frame(connection, json.dumps({"ok": ok, "payload": payload, "last": broken is not None}).encode())
        if broken is not None:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
