"""One transform job, run: a model server is started, object after object is sent to it in mini-batches, and each whole output is uploaded.

Everything happens under the model's execution role: it pulls the image, reads model and input, writes the output, logs and metrics.
Sources: developer guide, your-algorithms-batch-code (the container and its variables), batch-transform (an object with a bad record has no
output; the others have theirs, and the job fails); API_CreateTransformJob (ModelClientConfig, S3OutputPath).
Modelled: objects are processed one after the other, on one instance; what fails is asked again at once, a 4xx answer is not; a container
that exits fails the job; the output of an object is uploaded when the object is done, as the API's reference has it; nothing of the
object at which a stop came.
"""

import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from twin import images
from twin.cloud import Credentials
from twin.sagemaker import joblogs, rights, utilisation
from twin.sagemaker.context import Context
from twin.sagemaker.fleet import POLL, START_LIMIT, STOP_GRACE, Instance, Unreachable, Variant
from twin.sagemaker.storage import TransferError, download_file, relative, split, unpack, upload_file
from twin.sagemaker.transform_records import MEGABYTE, MiniBatch, Processing, RecordError, lines, mini_batches, outputs

LOG_GROUP = "/aws/sagemaker/TransformJobs"
CHUNK = 1 << 18
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ModelClientConfig.html
TIMEOUT, RETRIES = 600, 3
SHOWN = 200
LOOK_EVERY = 0.2


class TransformFailedError(Exception):
    """The job fails; the message is its FailureReason."""


class _StoppedError(Exception):
    """The job was told to stop."""


@dataclass
class TransformJob:
    """A job's record in Describe's shape, and what it takes to run it."""

    name: str
    record: dict[str, Any]
    container: dict[str, Any]
    image: images.Image
    credentials: Credentials
    processing: Processing
    stop: threading.Event = field(default_factory=threading.Event)


class Run:
    """The processing of one job. `folder` is its own, `log_file` is kept."""

    def __init__(self, context: Context, job: TransformJob, folder: Path, log_file: Path) -> None:
        self._context, self._job, self._folder, self._log_file = context, job, folder, log_file
        self._data_log = log_file.with_suffix(".data.log")
        self._s3 = context.cloud.client("s3", job.credentials)
        self._input, self._output = job.record["TransformInput"], job.record["TransformOutput"]
        client = job.record.get("ModelClientConfig") or {}
        self._timeout = float(client.get("InvocationsTimeoutInSeconds", TIMEOUT))
        self._retries = int(client.get("InvocationsMaxRetries", RETRIES))
        self._parallel = int(job.record.get("MaxConcurrentTransforms") or 1)

    def run(self) -> bool:
        """Process every object; False when a stop came first. Raises TransformFailedError, TransferError and AccessDenied."""
        cloud, job = self._context.cloud, self._job
        rights.encrypt_volume(self._context, job.credentials, job.record["TransformResources"].get("VolumeKmsKeyId"))
        rights.pull(self._context, job.credentials, job.image.uri)
        logs = [joblogs.Output(cloud, job.credentials, LOG_GROUP, stream, path) for stream, path in self._streams()]
        instance = Instance(self._context, self._variant(), self._root(), self._log_file)
        pool = ThreadPoolExecutor(self._parallel, f"transform-{job.name}")
        try:
            instance.start()
            assert instance.process is not None  # noqa: S101 - start made it
            meter = utilisation.Meter(instance.process.pid)
            self._wait_for(instance)
            failed = self._all(instance, pool, meter)
            utilisation.publish(cloud, job.credentials, LOG_GROUP, {"Host": f"{job.name}/algo-1"}, [meter])
        except _StoppedError:
            return False
        finally:
            instance.stop(1.0 if job.stop.is_set() else STOP_GRACE)  # which ends what is under way
            pool.shutdown()
            for log in logs:
                log.send(ended=True)
            shutil.rmtree(self._folder, ignore_errors=True)
        if failed:
            raise TransformFailedError(f"ClientError: See job logs for more information ({failed} of the input's objects have no output)")
        return True

    def _streams(self) -> list[tuple[str, Path]]:
        return [(f"{self._job.name}/algo-1", self._log_file), (f"{self._job.name}/algo-1/data-log", self._data_log)]

    def _root(self) -> Path:
        """The container's /opt/ml, with the model."""
        root = self._folder / "ml"
        (root / "model").mkdir(parents=True)
        if self._job.container.get("ModelDataUrl"):
            archive = self._folder / "model.tar.gz"
            download_file(self._s3, self._job.container["ModelDataUrl"], archive)
            unpack(archive, root / "model")
            archive.unlink()
        return root

    def _variant(self) -> Variant:
        record = self._job.record
        given = {
            "SAGEMAKER_BATCH": "true",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": record.get("MaxPayloadInMB"),
            "SAGEMAKER_BATCH_STRATEGY": {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}.get(
                record.get("BatchStrategy", "")
            ),
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": record.get("MaxConcurrentTransforms"),
        }
        environment = {name: str(value) for name, value in given.items() if value is not None}
        environment |= self._job.container["Environment"] | (record.get("Environment") or {})
        return Variant(self._job.name, self._job.image, None, environment, self._job.credentials, 1, 1.0)

    def _wait_for(self, instance: Instance) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not instance.ping():
            if self._job.stop.wait(POLL):
                raise _StoppedError
            if not instance.is_running or time.monotonic() > deadline:
                raise TransformFailedError(
                    "AlgorithmError: The container did not pass the ping health check. See job logs for more information"
                )

    def _all(self, instance: Instance, pool: ThreadPoolExecutor, meter: utilisation.Meter) -> int:
        """How many objects have no output."""
        failed = 0
        for bucket, key, name in self._objects():
            try:
                self._one(instance, pool, bucket, key, name)
            except RecordError as error:
                failed += 1
                with self._data_log.open("a", encoding="utf-8") as log:
                    log.write(f"s3://{bucket}/{key}: {str(error)[:SHOWN]}\n")
            meter.look()
        return failed

    def _objects(self) -> Iterator[tuple[str, str, str]]:
        """(bucket, key, the key below the prefix) of every object of the input. Raises TransferError when there is none."""
        uri = self._input["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, prefix = split(uri)
        found = False
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for key in (each["Key"] for each in page.get("Contents", ()) if not each["Key"].endswith("/")):
                    found = True
                    yield bucket, key, relative(key, prefix)
        except ClientError as error:
            raise TransferError(f"ClientError: Data download failed: {uri}: {error}") from error
        if not found:
            raise TransferError(f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source.')

    def _one(self, instance: Instance, pool: ThreadPoolExecutor, bucket: str, key: str, name: str) -> None:
        """Transform one object. Raises RecordError when it gets no output."""
        record, path = self._job.record, self._folder / "object.out"
        limit = int(record.get("MaxPayloadInMB") or 6) * MEGABYTE
        try:
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            raise TransferError(f"ClientError: Data download failed: s3://{bucket}/{key}: {error}") from error
        if self._input.get("SplitType") == "Line":
            single = record.get("BatchStrategy") == "SingleRecord"
            batches = mini_batches(lines(body.iter_chunks(CHUNK)), self._job.processing, limit, single=single)
        else:
            whole = body.read(limit + 1)
            if len(whole) > limit:
                raise RecordError(f"it has more than {limit} bytes, and SplitType is None")
            batches = iter([MiniBatch((whole,), whole)])
        end = b"\n" if self._output.get("AssembleWith") == "Line" else b""
        with path.open("wb") as file:
            for batch, answer in self._answered(instance, pool, batches):
                file.writelines(line + end for line in outputs(batch, answer, self._job.processing))
        rights.encrypt_output(self._context, self._job.credentials, self._output.get("KmsKeyId"))
        upload_file(self._s3, path, f"{self._output['S3OutputPath'].rstrip('/')}/{name}.out", self._output.get("KmsKeyId"))

    def _answered(self, instance: Instance, pool: ThreadPoolExecutor, batches: Iterator[MiniBatch]) -> Iterator[tuple[MiniBatch, bytes]]:
        """Each mini-batch with its answer, in order; never more than MaxConcurrentTransforms are under way."""
        under_way: deque[tuple[MiniBatch, Future[bytes]]] = deque()
        try:
            for batch in batches:
                under_way.append((batch, pool.submit(self._ask, instance, batch.payload)))
                if len(under_way) == self._parallel:
                    first, answer = under_way.popleft()
                    yield first, self._result(answer)
            while under_way:
                first, answer = under_way.popleft()
                yield first, self._result(answer)
        finally:
            for _, answer in under_way:
                answer.cancel()

    def _result(self, answer: Future[bytes]) -> bytes:
        """Raises what _ask raises, and _StoppedError as soon as there is no need to wait."""
        while not self._job.stop.is_set():
            with suppress(TimeoutError):
                return answer.result(timeout=LOOK_EVERY)
        raise _StoppedError

    def _ask(self, instance: Instance, payload: bytes) -> bytes:
        """Raises RecordError when the container does not answer, however often it is asked."""
        headers = {"Content-Type": self._input.get("ContentType"), "Accept": self._output.get("Accept")}
        said = ""
        for _ in range(1 + self._retries):
            try:
                answer = instance.post(payload, {name: value for name, value in headers.items() if value}, self._timeout)
            except Unreachable as error:
                if self._job.stop.wait(LOOK_EVERY):  # a process that breaks off takes a moment to be gone
                    raise _StoppedError from error
                if not instance.is_running:
                    raise TransformFailedError("AlgorithmError: The container exited. See job logs for more information") from error
                said = str(error)
                continue
            if 200 <= answer.status < 300:
                return answer.body
            said = f"the container answered {answer.status}: {answer.body[:SHOWN].decode(errors='replace')}"
            if answer.status < 500:
                break
        raise RecordError(said)
