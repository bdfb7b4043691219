"""The model servers of one endpoint configuration: real processes that answer real HTTP.

An instance is a process that runs the image's `serve` with the unpacked model in its /opt/ml/model, on a port of its own given as
SAGEMAKER_BIND_TO_PORT. It is healthy when GET /ping answers 200 within two seconds. An instance that stays unhealthy is replaced, and gets
its share of the traffic all the while. Source: developer guide, your-algorithms-inference-code.

Modelled: at most MAX_PROCESSES processes stand for a variant's instances; a container that exits while it starts fails the deployment at
once, where AWS starts it again until the time limit; logs and instance metrics go out every TELL_EVERY real seconds; an instance is
replaced after REPLACE_AFTER twin seconds (AWS gives no number).
"""

import http.client
import logging
import random
import shutil
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from twin import images
from twin.cloud import Credentials
from twin.iam.errors import AccessDenied
from twin.sagemaker import joblogs, rights, utilisation
from twin.sagemaker.capture import Capture
from twin.sagemaker.context import Context, random_name
from twin.sagemaker.storage import TransferError, download_file, unpack

log = logging.getLogger(__name__)

MAX_PROCESSES = 2
START_LIMIT = 120.0
PING_TIMEOUT = 2.0
PING_EVERY = 0.5
REPLACE_AFTER = 90.0
STOP_GRACE = 30.0
CLOSING_GRACE = 2.0
DRAIN_LIMIT = 65.0
TELL_EVERY = 5.0
NAMESPACE = "/aws/sagemaker/Endpoints"
"""Of the log groups and the instances' metrics."""
POLL = 0.05


class Unreachable(Exception):  # noqa: N818 - a state of the container, named as the invocation path speaks of it
    """The container did not answer; `timed_out` says whether it was only too slow."""

    def __init__(self, message: str, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


@dataclass(frozen=True)
class Answer:
    """What the container answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Variant:
    """A production variant, ready to run."""

    name: str
    image: images.Image
    model_data: str | None
    environment: Mapping[str, str]
    credentials: Credentials
    instances: int
    weight: float
    start_limit: float = START_LIMIT
    serverless: Mapping[str, int] | None = None
    """ServerlessConfig; one process stands for all that AWS would start."""

    @property
    def concurrency(self) -> int | None:
        """Requests that it takes at once; None: any number."""
        return self.serverless["MaxConcurrency"] if self.serverless else None


class Instance:
    """One model server process, its keep-alive connections and its health."""

    def __init__(self, context: Context, variant: Variant, root: Path, log_file: Path) -> None:
        self._context = context
        self._variant = variant
        self._root = root
        self._log_file = log_file
        self._idle: deque[http.client.HTTPConnection] = deque()
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.unhealthy_since: float | None = None

    def start(self) -> None:
        """Start the process, on a free port."""
        self._idle.clear()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        cloud, image = self._context.cloud, self._variant.image
        program = images.program(
            cloud,
            image,
            [*image.entrypoint, "serve"],
            root=self._root,
            environment={"SAGEMAKER_BIND_TO_PORT": str(self.port)} | dict(self._variant.environment),
            credentials=self._variant.credentials,
        )
        with self._log_file.open("ab") as output:
            self.process = images.start(cloud, program, output)

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self.process is not None and self.process.poll() is None

    def ping(self) -> bool:
        """Whether GET /ping answers 200 in time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PING_TIMEOUT)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def post(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
        """POST /invocations. Raises Unreachable."""
        reused = self._reused()
        if reused is not None:
            try:
                return self._send(reused, body, headers, timeout)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                reused.close()  # closed between two requests, as an idle connection may be: the request was not taken
        fresh = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            return self._send(fresh, body, headers, timeout)
        except TimeoutError as error:
            fresh.close()
            raise Unreachable("Your invocation timed out while waiting for a response from container primary", timed_out=True) from error
        except (OSError, http.client.HTTPException) as error:
            fresh.close()
            raise Unreachable(f"The container primary could not be reached: {error!r}") from error

    def stop(self, grace: float = STOP_GRACE) -> None:
        """SIGTERM, SIGKILL after the grace (real seconds)."""
        if self.process is not None:
            self._context.cloud.processes.stop(self.process, grace)
        while self._idle:
            self._idle.pop().close()

    def _reused(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _send(self, connection: http.client.HTTPConnection, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        connection.request("POST", "/invocations", body, dict(headers))
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer


@dataclass
class Fleet:
    """All instances of one endpoint configuration. Traffic goes to it between `start` and `retire`."""

    context: Context
    endpoint: str
    config_name: str
    variants: list[Variant]
    chance: random.Random
    capture: Capture
    weights: dict[str, float] = field(default_factory=dict)
    instances: dict[str, list[Instance]] = field(default_factory=dict)
    in_flight: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.folder = self.context.folder / "endpoints" / self.endpoint / random_name(10)
        self.log_file = self.context.cloud.folder / "logs" / "endpoints" / f"{self.endpoint}-{self.config_name}.log"
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self.weights = {variant.name: variant.weight for variant in self.variants}
        group, stream = f"{NAMESPACE}/{self.endpoint}", f"{self.variants[0].name}/{self.folder.name}"
        self._output = joblogs.Output(self.context.cloud, self.variants[0].credentials, group, stream, self.log_file)

    def start(self) -> str:
        """Start every instance and wait until all are healthy; why not, or nothing."""
        try:
            for variant in self.variants:
                rights.pull(self.context, variant.credentials, variant.image.uri)
                self.instances[variant.name] = [self._launch(variant, number) for number in range(min(variant.instances, MAX_PROCESSES))]
        except TransferError as error:
            return str(error)
        except AccessDenied as error:
            return (
                f"The image of production variant {variant.name} cannot be pulled. Please make sure that it exists, and that the execution "
                f"role of the model may access it. {error}"
            )
        for variant in self.variants:
            if not all(self._becomes_healthy(instance, variant.start_limit) for instance in self.instances[variant.name]):
                return (
                    f"The primary container for production variant {variant.name} did not pass the ping health check. "
                    f"Please check CloudWatch logs for this endpoint."
                )
        threading.Thread(target=self._watch, name=f"fleet-{self.config_name}", daemon=True).start()
        self.capture.start()
        return ""

    def throttles(self, name: str) -> bool:
        """Whether more requests are in flight than a serverless variant takes at once, this one among them."""
        (limit,) = (variant.concurrency for variant in self.variants if variant.name == name)
        return limit is not None and self.in_flight > limit

    def choose(self, target: str | None) -> tuple[str, Instance]:
        """(variant, instance) for a request: the variant by weight, the instance at random, as SageMaker's default routing."""
        names = list(self.instances)
        name = target or self.chance.choices(names, [max(self.weights[each], 0.0) or 1e-12 for each in names])[0]
        return name, self.chance.choice(self.instances[name])

    def rescale(self, name: str, weight: float | None, count: int | None) -> None:
        """Change a variant's weight or its number of instances (recorded; the processes stay as they are)."""
        if weight is not None:
            self.weights[name] = weight
        if count is not None:
            self.variants = [replace(variant, instances=count) if variant.name == name else variant for variant in self.variants]

    def retire(self, drain: bool = True) -> None:
        """Let the requests in flight finish, then end every instance."""
        deadline = time.monotonic() + DRAIN_LIMIT
        while drain and self.in_flight and time.monotonic() < deadline:
            time.sleep(POLL)
        self._stop.set()
        self.capture.close(write=drain)
        for instance in (each for listed in self.instances.values() for each in listed):
            instance.stop(STOP_GRACE if drain else CLOSING_GRACE)
        if drain:
            self._output.send(ended=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self, variant: Variant, number: int) -> Instance:
        root = self.folder / f"{variant.name}-{number}"
        (root / "model").mkdir(parents=True)
        if variant.model_data:
            archive = root / "model.tar.gz"
            download_file(self.context.cloud.client("s3", variant.credentials), variant.model_data, archive)
            unpack(archive, root / "model")
            archive.unlink()
        instance = Instance(self.context, variant, root, self.log_file)
        instance.start()
        return instance

    def _becomes_healthy(self, instance: Instance, limit: float) -> bool:
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and not self._stop.is_set():
            if instance.ping():
                return True
            if not instance.is_running:
                return False
            time.sleep(POLL)
        return False

    def _watch(self) -> None:
        told = 0.0
        while not self._stop.wait(PING_EVERY):
            if time.monotonic() - told > TELL_EVERY:
                told = time.monotonic()
                self._tell()
            for instance in [each for listed in self.instances.values() for each in listed]:
                self._look_after(instance)

    def _tell(self) -> None:
        """Logs and metrics, in the name of the model's role."""
        self._output.send(ended=False)
        for variant in self.variants:
            running = [each.process.pid for each in self.instances[variant.name] if each.process is not None]
            meters = [utilisation.Meter(pid) for pid in running]
            for meter in meters:
                meter.look()
            dimensions = {"EndpointName": self.endpoint, "VariantName": variant.name}
            utilisation.publish(self.context.cloud, variant.credentials, NAMESPACE, dimensions, meters)

    def _look_after(self, instance: Instance) -> None:
        now = self.context.cloud.clock.now().timestamp()
        if instance.is_running and instance.ping():
            instance.unhealthy_since = None
            return
        if instance.unhealthy_since is None:
            instance.unhealthy_since = now
        elif now - instance.unhealthy_since > REPLACE_AFTER and not self._stop.is_set():
            log.warning("endpoint %s: an instance of %s is replaced", self.endpoint, self.config_name)
            instance.stop()
            instance.start()
            instance.unhealthy_since = now
            if self._stop.is_set():
                instance.stop()  # the fleet was retired while this one started
