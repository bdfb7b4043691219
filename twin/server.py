"""The twin's one port, and what is behind it.

    /execute-api/<api>/...   the HTTP API front (twin.http_api)
    /_twin/health, /clock    the twin's own state and clock
    everything else          an AWS API call: IAM gate (twin.iam.gate), the limits of AWS's models (twin.constraints),
                             then moto with the twin's operations on top (twin.application)

A server starts in a fixed order (folder, port, parts, gate, account as `cdk bootstrap` leaves it) and writes `twin.json` when it answers.
One server at a time in a process: moto's stores and the patches on them are module-wide.
"""

import json
import logging
import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from twin import access_logs, alarms, api_stages, cloudformation, events, functions, iam, kinesis, metrics, object_times, patches, sagemaker
from twin.application import Moto, Wsgi
from twin.bootstrap import bootstrap
from twin.clock import Clock
from twin.cloud import Cloud, Part
from twin.constraints import Constraints
from twin.home import Home, TwinError
from twin.http_api import HttpApi
from twin.iam.gate import Gate
from twin.processes import Processes
from twin.replies import error_reply

# moto warns of error codes that a service's own model does not list; this one is common to all services.
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html
warnings.filterwarnings("ignore", message=".*AccessDeniedException does not match an error shape", category=UserWarning)

log = logging.getLogger("twin.server")

ACCOUNT = "123456789012"
PARTS: Mapping[str, Callable[[Cloud], Part]] = {
    "iam": iam.install,
    "object_times": object_times.install,
    "functions": functions.install,
    "kinesis": kinesis.install,
    "events": events.install,
    "metrics": metrics.install,
    "alarms": alarms.install,
    "sagemaker": sagemaker.install,
    "api_stages": api_stages.install,
    "access_logs": access_logs.install,
    "cloudformation": cloudformation.install,
}
"""Installed in this order, stopped in the opposite one."""
CLOSED = ("/moto-api", "/favicon.ico", "/latest/meta-data", "/latest/api")


class TwinServer:
    """An AWS account on 127.0.0.1. `port` 0 takes a free one; `speed` is the clock's; `assembly` is the folder that `cdk synth` wrote."""

    def __init__(self, folder: Path, assembly: Path | None = None, port: int = 0, speed: float = 1.0, region: str = "us-east-1") -> None:
        self._home = Home(folder.resolve())
        self._assembly = (assembly or folder / "cdk.out").resolve()
        self._port = port
        self._speed = speed
        self._region = region
        self._parts: dict[str, Part] = {}
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._log: logging.Handler | None = None
        self.cloud: Cloud

    def start(self) -> Self:
        """Start, and return when the twin answers. Raises TwinError when the folder or the port is taken."""
        self._home.take()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop answering, end every process of the account, and leave the folder. Safe to call twice."""
        for part in reversed(self._parts.values()):
            part.stop()
        self._parts.clear()
        if self._thread is not None and self._server is not None:
            self._server.shutdown()
            self._thread.join()
        if self._server is not None:
            self._server.server_close()
            self.cloud.processes.stop_all()
        self._server = self._thread = None
        patches.undo()
        if self._log is not None:
            logging.getLogger("twin").removeHandler(self._log)
            self._log.close()
            self._log = None
        self._home.leave()

    def part(self, name: str) -> Any:
        """An installed part by its name in PARTS, for tests that reach into it."""
        return self._parts[name]

    @property
    def parts(self) -> list[str]:
        """The names of the installed parts."""
        return list(self._parts)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _start(self) -> None:
        folder = self._home.folder
        self._log = _log_to(folder / "twin.log")
        server = _bind(self._port)
        self._server = server
        processes = Processes(folder / "processes")
        self.cloud = Cloud(ACCOUNT, self._region, server.server_port, folder, self._assembly, Clock(self._speed), processes)
        ended = processes.end_leftovers()
        if ended:
            log.warning("ended the processes of an earlier twin: %s", ended)
        BackendDict.reset()
        reset_model_data()
        for name, install in PARTS.items():
            self._parts[name] = install(self.cloud)
        server.app = Routes(self)
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="twin-server", daemon=True)
        self._thread.start()
        bootstrap(self.cloud)
        self._home.announce(self._note())

    def _note(self) -> dict[str, Any]:
        started = psutil.Process().create_time()
        cloud = self.cloud
        return {
            "url": cloud.url,
            "pid": os.getpid(),
            "started": started,
            "account": cloud.account,
            "region": cloud.region,
            "speed": self._speed,
        }


class Routes:
    """What answers which path."""

    def __init__(self, twin: TwinServer) -> None:
        self._twin = twin
        self._aws: Wsgi = twin.part("access_logs").around(Gate(Constraints(Moto()), twin.cloud))
        self._http_api: Wsgi = HttpApi(twin.cloud)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        if path.startswith("/_twin/"):
            return self._own(path, environ, start_response)
        if path.startswith("/execute-api/"):
            return self._http_api(environ, start_response)
        if path.startswith(CLOSED):
            return error_reply(environ, start_response, 404, "NotFound", f"{path} is no path of this account")
        return self._aws(environ, start_response)

    def _own(self, path: str, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        clock = self._twin.cloud.clock
        method = environ["REQUEST_METHOD"]
        if path == "/_twin/health" and method == "GET":
            return _json(start_response, {"status": "ok", "parts": self._twin.parts, "time": clock.now().isoformat()})
        if path == "/_twin/clock" and method == "POST":
            try:
                clock.advance(float(json.loads(_body(environ))["advance"]))
            except (ValueError, KeyError, TypeError) as error:
                message = f'the clock takes {{"advance": seconds}}, seconds at least 0: {error!r}'
                return _json(start_response, {"message": message}, "400 Bad Request")
        elif path != "/_twin/clock" or method != "GET":
            return _json(start_response, {"message": f"{method} {path} is not one of /_twin/health, /_twin/clock"}, "404 Not Found")
        return _json(start_response, {"time": clock.now().isoformat(), "speed": clock.speed})


class _Handler(MotoRequestHandler):  # type: ignore[misc]  # moto ships no types
    """moto's header handling, without a line on the terminal for every call."""

    def log_request(self, *code_and_size: object) -> None:
        log.debug("%s %s", self.requestline, code_and_size)


def _bind(port: int) -> BaseWSGIServer:
    if port and not _is_free(port):
        raise TwinError(f"port {port} of 127.0.0.1 is taken. Next: give another one with --port, or 0 for a free one.")
    return make_server("127.0.0.1", port, _not_yet, threaded=True, request_handler=_Handler)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _not_yet(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return error_reply(environ, start_response, 500, "ServiceUnavailable", "the twin is starting")


def _log_to(path: Path) -> logging.Handler:
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(threadName)s %(message)s"))
    logger = logging.getLogger("twin")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return handler


def _body(environ: dict[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return body


def _json(start_response: Any, content: dict[str, Any], status: str = "200 OK") -> Iterable[bytes]:
    body = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
