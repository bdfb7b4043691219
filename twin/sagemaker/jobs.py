"""Jobs that really run: inputs from S3, a container, outputs to S3, all under the job's role, at most two at a time.

A kind of job (twin.sagemaker.training, twin.sagemaker.processing) says how its request becomes folders and a command, and what its record
says at the end. This engine keeps the records, the threads and the folders: a folder per job below the state folder, removed after success,
kept after failure for as many as KEPT_FOLDERS jobs.

Modelled: limits on run time are real seconds, because work takes the time it takes; one instance per job, whatever InstanceCount says,
is refused above one; logs arrive when the job ends.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from twin import images
from twin.cloud import Credentials
from twin.iam.errors import AccessDenied
from twin.processes import Child
from twin.sagemaker import joblogs, rights, utilisation
from twin.sagemaker.context import Context
from twin.sagemaker.storage import TransferError
from twin.warm import Containers

log = logging.getLogger(__name__)

CONCURRENT = 2
GRACE = 120.0
KEPT_FOLDERS = 20
POLL = 0.05


@dataclass
class Job:
    """One run: its record in Describe's shape, and what the engine needs to run and stop it.

    `collected`: what else becomes of the output of a job that a monitoring schedule started. Raises TransferError.
    """

    name: str
    record: dict[str, Any]
    image: images.Image
    credentials: Credentials
    root: Path
    log: Path
    collected: "Callable[[Job], None] | None" = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def role(self) -> str:
        """The job's role."""
        return str(self.record["RoleArn"])


@dataclass(frozen=True)
class Ending:
    """How the container ended: its exit code, or None when it was stopped by a person or by the time limit."""

    code: int | None
    timed_out: bool = False


class Kind(Protocol):
    """What distinguishes training from processing."""

    log_group: str
    """Its metrics' namespace too."""

    def keys(self, job: Job) -> tuple[str | None, str | None]:
        """(the key of the volume, the key of the outputs)."""

    def prepare(self, job: Job, s3: Any) -> None:
        """Fill the job's folder. Raises TransferError."""

    def command(self, job: Job) -> Sequence[str]:
        """The container's whole command."""

    def environment(self, job: Job) -> dict[str, str]:
        """What SageMaker adds to the environment."""

    def collect(self, job: Job, s3: Any) -> None:
        """Upload the outputs. Raises TransferError."""

    def move(self, job: Job, status: str, secondary: str, reason: str = "") -> None:
        """Write a status into the record, and publish it."""

    def reason(self, job: Job, ending: Ending) -> str:
        """The FailureReason of an exit code that is not 0."""


class Jobs:
    """Runs jobs in threads, and keeps their folders."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._containers = Containers(context.cloud)
        self._slots = threading.BoundedSemaphore(CONCURRENT)
        self._threads: list[threading.Thread] = []
        self._running: list[Job] = []
        self._closing = threading.Event()
        self._failed: list[Path] = []
        self._lock = threading.Lock()

    @property
    def is_busy(self) -> bool:
        """A job has not ended."""
        with self._lock:
            return bool(self._running)

    def folders(self, kind: str, name: str) -> tuple[Path, Path]:
        """(the container's /opt/ml, the log file) of a new job."""
        root = self._context.folder / kind / name / "ml"
        root.mkdir(parents=True)
        log_file = self._context.cloud.folder / "logs" / kind / f"{name}.log"
        log_file.parent.mkdir(parents=True, exist_ok=True)
        return root, log_file

    def start(self, kind: Kind, job: Job) -> None:
        """Run a job in the background."""
        thread = threading.Thread(target=self._run, args=(kind, job), name=f"job-{job.name}", daemon=True)
        with self._lock:
            self._running.append(job)
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def close(self) -> None:
        """End every job with the twin."""
        self._closing.set()
        with self._lock:
            running, threads = list(self._running), list(self._threads)
        for job in running:
            job.stop.set()
        for thread in threads:
            thread.join(timeout=10)

    def _run(self, kind: Kind, job: Job) -> None:
        try:
            with self._slots:
                self._phases(kind, job)
        except TransferError as error:
            kind.move(job, "Failed", "Failed", str(error))
        except AccessDenied as error:
            kind.move(job, "Failed", "Failed", f"ClientError: AccessDeniedException: {error}")
        except Exception as error:
            if self._closing.is_set():
                return  # the account is going away under the job
            log.exception("job %s broke", job.name)
            kind.move(job, "Failed", "Failed", f"InternalServerError: the twin could not run the job: {error!r}")
        finally:
            with self._lock:
                self._running.remove(job)
            self._tidy(job)

    def _phases(self, kind: Kind, job: Job) -> None:
        cloud, (volume_key, output_key) = self._context.cloud, kind.keys(job)
        s3 = cloud.client("s3", job.credentials)
        output = joblogs.Output(cloud, job.credentials, kind.log_group, f"{job.name}/algo-1", job.log)
        rights.encrypt_volume(self._context, job.credentials, volume_key)
        rights.pull(self._context, job.credentials, job.image.uri)
        kind.move(job, "InProgress", "Downloading")
        kind.prepare(job, s3)
        kind.move(job, "InProgress", "Training")
        ending = self._contain(kind, job)
        kind.move(job, str(job.record.get("TrainingJobStatus") or job.record["ProcessingJobStatus"]), "Uploading")
        output.send(ended=True)
        if ending.code:
            kind.move(job, "Failed", "Failed", kind.reason(job, ending))
            return
        rights.encrypt_output(self._context, job.credentials, output_key)
        kind.collect(job, s3)
        if ending.timed_out:
            kind.move(job, "Stopped", "MaxRuntimeExceeded", "The job exceeded its maximum run time (MaxRuntimeInSeconds).")
        elif ending.code is None:
            kind.move(job, "Stopped", "Stopped")
        else:
            kind.move(job, "Completed", "Completed")

    def _contain(self, kind: Kind, job: Job) -> Ending:
        limit = float((job.record.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", 86400))
        if job.stop.is_set():
            return Ending(None)
        program = images.program(
            self._context.cloud,
            job.image,
            kind.command(job),
            root=job.root,
            environment=kind.environment(job),
            credentials=job.credentials,
        )
        with job.log.open("ab") as output:
            child = self._containers.start(job.image, program, output)
            meter = utilisation.Meter(child.pid)
            try:
                return self._watch(job, child, meter, time.monotonic() + limit)
            finally:
                host = {"Host": f"{job.name}/algo-1"}
                utilisation.publish(self._context.cloud, job.credentials, kind.log_group, host, [meter])

    def _watch(self, job: Job, child: Child, meter: utilisation.Meter, deadline: float) -> Ending:
        processes, looked = self._context.cloud.processes, 0.0
        while (code := child.poll()) is None:
            if time.monotonic() - looked > utilisation.LOOK_EVERY:
                looked = time.monotonic()
                meter.look()
            if time.monotonic() > deadline:
                processes.stop(child, GRACE)
                return Ending(None, timed_out=True)
            if job.stop.wait(POLL):
                processes.stop(child, 1.0 if self._closing.is_set() else GRACE)
                return Ending(None)
        processes.forget(child)
        return Ending(code)

    def _tidy(self, job: Job) -> None:
        status = job.record.get("TrainingJobStatus") or job.record["ProcessingJobStatus"]
        with self._lock:
            if status == "Failed":
                self._failed.append(job.root.parent)
            gone = [job.root.parent] if status != "Failed" else []
            while len(self._failed) > KEPT_FOLDERS:
                gone.append(self._failed.pop(0))
        for folder in gone:
            shutil.rmtree(folder, ignore_errors=True)
