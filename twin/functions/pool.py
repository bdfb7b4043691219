"""The workers of one function: as many as run at once, up to a limit; idle ones are kept; a new version of the function retires them all.

A laptop has few cores, so a request beyond LIMIT waits for a worker, where AWS would start another environment. Reserved concurrency
throttles, as on AWS. The credentials in a worker are those of a session that outlives every twin, so nothing refreshes them.
"""

import hashlib
import io
import json
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

from twin.cloud import Cloud
from twin.functions import runtime
from twin.functions.logs import LogStream
from twin.functions.worker_process import Reply, Worker
from twin.logwriter import LogWriter

LIMIT = 4


class ThrottledError(Exception):
    """The function's reserved concurrency is used up (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html)."""


class Pool:
    """Workers of one version of one function."""

    def __init__(self, cloud: Cloud, function: Any, folder: Path) -> None:
        self._cloud = cloud
        self._function = function
        self._folder = folder
        self._code = unpack(function.code_bytes, folder / "code" / f"{function.function_name}-{function.code_digest}")
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._retired = False
        self._started = 0
        self._running = 0
        self._free = threading.Condition()

    def run(self, request_id: str, payload: bytes) -> Reply:
        """Run one request on a worker of this pool."""
        worker = self._take()
        reply = None
        try:
            reply = worker.run(request_id, payload, self._function.function_arn, float(self._function.timeout))
        finally:
            self._give_back(worker, healthy=reply is not None and reply.healthy)
        return reply

    @property
    def busy(self) -> int:
        """Workers that run a request at this moment."""
        with self._free:
            return len(self._busy)

    @property
    def processes(self) -> list[int]:
        """The ids of the workers' processes."""
        with self._free:
            return [worker.pid for worker in (*self._idle, *self._busy)]

    def retire(self) -> None:
        """Stop the idle workers now, the busy ones when they are done."""
        with self._free:
            self._retired = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.stop()

    def kill(self) -> list[int]:
        """End every worker at once, as a fault: the ids of the processes."""
        with self._free:
            workers = [*self._idle, *self._busy]
            self._idle = []
        for worker in workers:
            worker.kill()
        return [worker.pid for worker in workers]

    def _take(self) -> Worker:
        reserved = self._function.reserved_concurrency
        with self._free:
            if reserved is not None and self._running >= int(reserved):
                raise ThrottledError(f"Rate Exceeded: {self._function.function_name} has a reserved concurrency of {reserved}")
            self._running += 1
            self._free.wait_for(lambda: len(self._busy) < LIMIT)
            worker = self._idle.pop() if self._idle else None
            if worker is None:
                self._started += 1
                worker = self._start(self._started)
            self._busy.add(worker)
            return worker

    def _give_back(self, worker: Worker, *, healthy: bool) -> None:
        with self._free:
            self._busy.discard(worker)
            self._running -= 1
            keep = healthy and not self._retired
            if keep:
                self._idle.append(worker)
            self._free.notify()
        if not keep:
            worker.stop()

    def _start(self, number: int) -> Worker:
        function, cloud = self._function, self._cloud
        now = cloud.clock.now()
        stream = f"{now:%Y/%m/%d}/[$LATEST]{hashlib.md5(f'{self._code.name}{number}{now}'.encode(), usedforsecurity=False).hexdigest()}"
        temporary = self._folder / "tmp" / f"{function.function_name}-{number}"
        temporary.mkdir(parents=True, exist_ok=True)
        credentials = cloud.assume(function.role, "lambda.amazonaws.com", function.function_name)
        writer = LogWriter(cloud, credentials, log_group(function), stream, looks=False)
        log = LogStream(cloud, writer, self._folder / f"{function.function_name}.log")
        environment = {
            **function.environment_vars,
            **standard_environment(function, self._code, temporary, stream),
            **cloud.environment(credentials),
        }
        return Worker(cloud.processes, function.handler, self._folders(), environment, self._code, log)

    def _folders(self) -> list[Path]:
        folders = [self._code]
        # Of two layers with the same file the later one's counts: https://docs.aws.amazon.com/lambda/latest/dg/adding-layers.html
        for layer in reversed(runtime.find_layers([layer["Arn"] for layer in self._function.layers])):
            folders.append(runtime.link(self._folder / "layers" / layer.name, *layer.requirements))
        return [*folders, runtime.link(self._folder / "layers" / "runtime", runtime.RUNTIME)]


def fingerprint(function: Any) -> str:
    """Changes with anything that a running worker has already read."""
    read = [
        id(function),  # a function that was deleted and made again is another one
        function.code_sha_256,
        function.handler,
        function.role,
        function.run_time,
        function.timeout,
        function.memory_size,
        function.environment_vars,
        [layer["Arn"] for layer in function.layers],
        log_group(function),
    ]
    return json.dumps(read, sort_keys=True, default=str)


def log_group(function: Any) -> str:
    """The function's log group: LoggingConfig's, or /aws/lambda/<name>."""
    configured = (function.twin_extras.get("LoggingConfig") or {}).get("LogGroup")
    return str(configured or f"/aws/lambda/{function.function_name}")


def standard_environment(function: Any, code: Path, temporary: Path, stream: str) -> dict[str, str]:
    """Lambda's own variables (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html)."""
    return {
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(function),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "LAMBDA_TASK_ROOT": str(code),
        "LAMBDA_RUNTIME_DIR": str(Path(__file__).parent),
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
    }


def unpack(asset: bytes, folder: Path) -> Path:
    """The unzipped asset; made once for each content, whole or not at all."""
    if not folder.exists():
        half = folder.with_name(f"{folder.name}.half-{threading.get_ident()}")
        half.mkdir(parents=True)
        with zipfile.ZipFile(io.BytesIO(asset)) as archive:
            archive.extractall(half)
        try:
            half.rename(folder)
        except OSError:  # another thread was first
            shutil.rmtree(half)
    return folder
