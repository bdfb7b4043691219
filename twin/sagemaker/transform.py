"""Batch transform: jobs that send what is in S3 to a model server, and write what it answers to S3 (see transform_run.py).

Sources: API_CreateTransformJob, API_StopTransformJob (a stopped job stores nothing more), automating-sagemaker-with-eventbridge ("SageMaker
Transform Job State Change"), https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html (everything runs under the model's role).
Refused by name: several instances, manifests, compressed and binary input, data capture, joins and filters of anything but JSON Lines.
Modelled: one job runs at a time.
"""

import logging
import threading
from typing import Any

from twin.iam.errors import AccessDenied
from twin.sagemaker import api
from twin.sagemaker.context import Context, millis
from twin.sagemaker.models import Models
from twin.sagemaker.storage import TransferError
from twin.sagemaker.training import find_image, one_instance
from twin.sagemaker.transform_records import Filter, Processing
from twin.sagemaker.transform_run import Run, TransformFailedError, TransformJob

log = logging.getLogger(__name__)

_RECORDED = (
    "TransformJobName",
    "ModelName",
    "MaxConcurrentTransforms",
    "ModelClientConfig",
    "MaxPayloadInMB",
    "BatchStrategy",
    "Environment",
    "TransformInput",
    "TransformOutput",
    "TransformResources",
    "DataProcessing",
    "ExperimentConfig",
)
_SUMMARY = (
    "TransformJobName",
    "TransformJobArn",
    "CreationTime",
    "TransformEndTime",
    "LastModifiedTime",
    "TransformJobStatus",
    "FailureReason",
)
_EVENT = (
    "TransformJobName",
    "TransformJobArn",
    "TransformJobStatus",
    "ModelName",
    "FailureReason",
    "TransformInput",
    "TransformOutput",
    "TransformResources",
    "DataProcessing",
)
_TIMES = ("CreationTime", "TransformStartTime", "TransformEndTime")
_ENDED = frozenset({"Completed", "Failed", "Stopped"})
JSON_LINES = frozenset({"application/jsonlines", "application/x-jsonlines", "application/jsonl"})
MOST_PAYLOAD = 100


class TransformJobs:
    """Transform jobs by name."""

    def __init__(self, context: Context, models: Models) -> None:
        self._context = context
        self._models = models
        self._jobs: dict[str, TransformJob] = {}
        self._threads: list[threading.Thread] = []
        self._slot = threading.BoundedSemaphore(1)
        self._closing = threading.Event()

    def replaced(self) -> dict[str, api.Operation]:
        """Operations that moto has."""
        return {"create_transform_job": self.create, "describe_transform_job": self.describe, "list_transform_jobs": self.list_all}

    def added(self) -> dict[str, api.Operation]:
        """Operations that moto lacks."""
        return {"stop_transform_job": self.stop}

    @property
    def is_busy(self) -> bool:
        """A job has not ended."""
        return any(job.record["TransformJobStatus"] in {"InProgress", "Stopping"} for job in list(self._jobs.values()))

    def close(self) -> None:
        """End every job with the twin."""
        self._closing.set()
        for job in list(self._jobs.values()):
            job.stop.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def create(self, request: api.Request) -> api.Reply:
        """CreateTransformJob."""
        api.refuse_unknown(request, (*_RECORDED, "Tags"), "CreateTransformJob")
        name = request["TransformJobName"]
        arn = self._context.arn("transform-job", name)
        if name in self._jobs:
            raise api.in_use(f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})")
        one_instance(request["TransformResources"].get("InstanceCount", 1))
        _check(request)
        processing = _processing(request)
        container, role = self._models.container(request["ModelName"])
        if role is None:
            raise api.invalid(f"Model {request['ModelName']} has no ExecutionRoleArn, and a transform job needs one.")
        image = find_image(self._context, container["Image"])
        credentials = self._context.assume(role, f"SageMaker-{name}")
        record = api.pick(request, _RECORDED) | {"TransformJobArn": arn, "CreationTime": self._context.now()}
        self._jobs[name] = job = TransformJob(name, record, container, image, credentials, processing)
        self._move(job, "InProgress")
        self._context.tag(arn, request.get("Tags"))
        thread = threading.Thread(target=self._run, args=(job,), name=f"transform-{name}", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()
        return {"TransformJobArn": arn}

    def describe(self, request: api.Request) -> api.Reply:
        """DescribeTransformJob."""
        return dict(self._find(request).record)

    def list_all(self, request: api.Request) -> api.Reply:
        """ListTransformJobs, by name and status."""
        return api.page_of_jobs(request, "Transform", [job.record for job in list(self._jobs.values())], _SUMMARY)

    def stop(self, request: api.Request) -> api.Reply:
        """StopTransformJob."""
        job = self._find(request)
        if job.record["TransformJobStatus"] != "InProgress":
            raise api.invalid(f"The request was rejected because the transform job is in status {job.record['TransformJobStatus']}.")
        self._move(job, "Stopping")
        job.stop.set()
        return {}

    def _run(self, job: TransformJob) -> None:
        log_file = self._context.cloud.folder / "logs" / "transform-jobs" / f"{job.name}.log"
        log_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._slot:
                job.record = job.record | {"TransformStartTime": self._context.now()}
                whole = Run(self._context, job, self._context.folder / "transform-jobs" / job.name, log_file).run()
            self._move(job, "Completed" if whole else "Stopped")
        except (TransformFailedError, TransferError) as error:
            self._move(job, "Failed", str(error))
        except AccessDenied as error:
            self._move(job, "Failed", f"ClientError: AccessDeniedException: {error}")
        except Exception as error:
            if self._closing.is_set():
                return  # the account is going away under the job
            log.exception("transform job %s broke", job.name)
            self._move(job, "Failed", f"InternalServerError: the twin could not run the job: {error!r}")

    def _move(self, job: TransformJob, status: str, reason: str = "") -> None:
        """Write a status into the record, and publish it."""
        now = self._context.now()
        changes: dict[str, Any] = {"TransformJobStatus": status, "LastModifiedTime": now}
        if status in _ENDED:
            changes["TransformEndTime"] = now
        if status == "Failed":
            changes["FailureReason"] = reason[:1024]
        job.record = job.record | changes
        detail = api.pick(job.record, _EVENT) | {key: millis(job.record.get(key)) for key in _TIMES}
        self._context.publish("SageMaker Transform Job State Change", detail, [job.record["TransformJobArn"]])

    def _find(self, request: api.Request) -> TransformJob:
        if request["TransformJobName"] not in self._jobs:
            raise api.not_found(f"Could not find transform job with name {request['TransformJobName']}.")
        return self._jobs[request["TransformJobName"]]


def _check(request: api.Request) -> None:
    """Stop at what the twin does not do, and at limits of the API."""
    given, source = request["TransformInput"], request["TransformInput"]["DataSource"]["S3DataSource"]
    unknown = [
        f"{key} {value}"
        for key, value, known in (
            ("S3DataType", source.get("S3DataType"), {"S3Prefix"}),
            ("CompressionType", given.get("CompressionType"), {None, "None"}),
            ("SplitType", given.get("SplitType"), {None, "None", "Line"}),
        )
        if value not in known
    ]
    if unknown:
        raise api.invalid(f"The twin does not transform input with {', '.join(unknown)}.")
    if request.get("BatchStrategy") and given.get("SplitType") != "Line":
        raise api.invalid("BatchStrategy needs SplitType Line.")
    payload = request.get("MaxPayloadInMB")
    if payload == 0:
        raise api.invalid("The twin does not send payloads of any size (MaxPayloadInMB 0).")
    if (payload or 6) * (request.get("MaxConcurrentTransforms") or 1) > MOST_PAYLOAD:
        raise api.invalid("MaxConcurrentTransforms * MaxPayloadInMB cannot exceed 100 MB.")


def _processing(request: api.Request) -> Processing:
    given = request.get("DataProcessing") or {}
    try:
        before, after = Filter.parse(given.get("InputFilter") or "$"), Filter.parse(given.get("OutputFilter") or "$")
    except ValueError as error:
        raise api.invalid(f"The twin understands the filters $, $.name and $['a','b'], and not {error}.") from None
    processing = Processing(before, after, given.get("JoinSource") == "Input")
    into, out = request["TransformInput"], request["TransformOutput"]
    is_lines = into.get("ContentType") in JSON_LINES and out.get("Accept") in JSON_LINES
    split = into.get("SplitType") == "Line" and out.get("AssembleWith") == "Line"
    if processing != Processing() and not (is_lines and split):
        raise api.invalid("The twin filters and joins JSON Lines, in and out, with SplitType and AssembleWith Line.")
    return processing
