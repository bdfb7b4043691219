"""Processing jobs: inputs and outputs below /opt/ml/processing, the container's entry point from the request.

Sources: developer guide, build-your-own-processing-container; API_ProcessingS3Input, API_ProcessingS3Output. A failed job's
/opt/ml/output/message (first 1,024 characters) is its ExitMessage, and ends its FailureReason (modelled: AWS may only point to the log).
Modelled: File mode, EndOfJob uploads, one instance; dataset definitions and feature store outputs are refused; network settings are
accepted and not enforced.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twin import images
from twin.sagemaker import api
from twin.sagemaker.context import Context, millis
from twin.sagemaker.jobs import Ending, Job, Jobs
from twin.sagemaker.storage import download_prefix, upload_folder
from twin.sagemaker.training import SHOWN_FAILURE, find_image, one_instance

_RECORDED = (
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingJobName",
    "ProcessingResources",
    "StoppingCondition",
    "AppSpecification",
    "Environment",
    "NetworkConfig",
    "RoleArn",
    "ExperimentConfig",
)
_SUMMARY = (
    "ProcessingJobName",
    "ProcessingJobArn",
    "CreationTime",
    "ProcessingEndTime",
    "LastModifiedTime",
    "ProcessingJobStatus",
    "FailureReason",
    "ExitMessage",
)
_EVENT = (*_RECORDED, "MonitoringScheduleArn", "ProcessingJobArn", "ProcessingJobStatus", "FailureReason", "ExitMessage")
_TIMES = ("CreationTime", "ProcessingStartTime", "ProcessingEndTime", "LastModifiedTime")


class ProcessingJobs:
    """Processing jobs by name (see twin.sagemaker.jobs.Kind)."""

    log_group = "/aws/sagemaker/ProcessingJobs"

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._engine = jobs
        self._jobs: dict[str, Job] = {}

    def replaced(self) -> dict[str, api.Operation]:
        """Operations that moto has."""
        return {
            "create_processing_job": self.create,
            "describe_processing_job": self.describe,
            "list_processing_jobs": self.list_all,
            "stop_processing_job": self.stop,
        }

    def create(self, request: api.Request) -> api.Reply:
        """CreateProcessingJob."""
        api.refuse_unknown(request, (*_RECORDED, "Tags"), "CreateProcessingJob")
        return self.begin(request)

    def begin(self, request: api.Request, collected: Callable[[Job], None] | None = None) -> api.Reply:
        """Start a job: one that was asked for, or one of a monitoring schedule, which the request then names."""
        name = request["ProcessingJobName"]
        arn = self._context.arn("processing-job", name)
        if name in self._jobs:
            raise api.in_use(f"Processing job names must be unique within an AWS account and region, and {arn} already exists")
        one_instance(request["ProcessingResources"]["ClusterConfig"]["InstanceCount"])
        _check_paths(request)
        image = find_image(self._context, request["AppSpecification"]["ImageUri"])
        credentials = self._context.assume(request["RoleArn"], f"SageMaker-{name}")
        root, log = self._engine.folders("processing-jobs", name)
        record = api.pick(request, (*_RECORDED, "MonitoringScheduleArn"))
        record |= {"ProcessingJobArn": arn, "CreationTime": self._context.now()}
        self._jobs[name] = job = Job(name, record, image, credentials, root, log, collected)
        self.move(job, "InProgress", "Starting")
        self._context.tag(arn, request.get("Tags"))
        self._engine.start(self, job)
        return {"ProcessingJobArn": arn}

    def describe(self, request: api.Request) -> api.Reply:
        """DescribeProcessingJob."""
        return dict(self._find(request).record)

    def records(self) -> list[dict[str, Any]]:
        """Every job, in the order of creation."""
        return [job.record for job in list(self._jobs.values())]

    def list_all(self, request: api.Request) -> api.Reply:
        """ListProcessingJobs, by name and status."""
        return api.page_of_jobs(request, "Processing", self.records(), _SUMMARY)

    def stop(self, request: api.Request) -> api.Reply:
        """StopProcessingJob."""
        job = self._find(request)
        if job.record["ProcessingJobStatus"] == "InProgress":
            self.move(job, "Stopping", "Stopping")
            job.stop.set()
        return {}

    def keys(self, job: Job) -> tuple[str | None, str | None]:
        """(the key of the volume, the key of the outputs)."""
        cluster, outputs = job.record["ProcessingResources"]["ClusterConfig"], job.record.get("ProcessingOutputConfig") or {}
        return cluster.get("VolumeKmsKeyId"), outputs.get("KmsKeyId") if outputs.get("Outputs") else None

    def prepare(self, job: Job, s3: Any) -> None:
        """Copy the inputs, make the output folders, write processingjobconfig.json."""
        for folder in (job.root / "config", job.root / "output"):
            folder.mkdir(parents=True, exist_ok=True)
        shown = api.pick(job.record, [*_RECORDED, "ProcessingJobArn"])
        (job.root / "config" / "processingjobconfig.json").write_text(json.dumps(shown))
        (job.root / "config" / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
        for given in job.record.get("ProcessingInputs") or ():
            source = given["S3Input"]
            target = images.inside(job.root, source["LocalPath"])
            download_prefix(s3, source["S3Uri"], target, job.role, self._context.cloud.region)
        for output in _outputs(job.record):
            images.inside(job.root, output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)

    def command(self, job: Job) -> Sequence[str]:
        """The entry point of the request, or the image's, and the request's arguments."""
        application = job.record["AppSpecification"]
        return [*(application.get("ContainerEntrypoint") or job.image.entrypoint), *(application.get("ContainerArguments") or [])]

    def environment(self, job: Job) -> dict[str, str]:
        """The job's variables and ARN."""
        return {"PROCESSING_JOB_ARN": job.record["ProcessingJobArn"]} | (job.record.get("Environment") or {})

    def collect(self, job: Job, s3: Any) -> None:
        """Upload every output folder."""
        for output in _outputs(job.record):
            target = output["S3Output"]
            upload_folder(
                s3, images.inside(job.root, target["LocalPath"]), target["S3Uri"], job.record["ProcessingOutputConfig"].get("KmsKeyId")
            )
        message = self._message(job)
        if message:
            job.record["ExitMessage"] = message
        if job.collected is not None:
            job.collected(job)

    def move(self, job: Job, status: str, secondary: str, reason: str = "") -> None:
        """Write a status, and publish it when it is a new one (processing has no secondary status)."""
        now, record = self._context.now(), job.record
        before = record.get("ProcessingJobStatus")
        if status == "InProgress" and before == "Stopping":
            return
        changes: dict[str, Any] = {"ProcessingJobStatus": status, "LastModifiedTime": now}
        if secondary == "Training":
            changes["ProcessingStartTime"] = now
        if status in {"Completed", "Failed", "Stopped"}:
            changes["ProcessingEndTime"] = now
        if status == "Failed":
            changes |= {"FailureReason": reason} | ({"ExitMessage": message} if (message := self._message(job)) else {})
        job.record = record | changes
        if status != before:
            detail = api.pick(job.record, _EVENT) | {key: millis(job.record.get(key)) for key in _TIMES}
            self._context.publish("SageMaker Processing Job State Change", detail, [record["ProcessingJobArn"]])

    def reason(self, job: Job, ending: Ending) -> str:
        """What the container said, or its exit code."""
        return f"AlgorithmError: {self._message(job) or 'See job logs for more information'}, exit code: {ending.code}"

    def _message(self, job: Job) -> str:
        path = job.root / "output" / "message"
        return path.read_text(errors="replace")[:SHOWN_FAILURE] if path.exists() else ""

    def _find(self, request: api.Request) -> Job:
        if request["ProcessingJobName"] not in self._jobs:
            raise api.invalid("Requested resource not found.")
        return self._jobs[request["ProcessingJobName"]]


def _outputs(record: dict[str, Any]) -> list[dict[str, Any]]:
    return (record.get("ProcessingOutputConfig") or {}).get("Outputs") or []


def _check_paths(request: dict[str, Any]) -> None:
    """Stop at inputs and outputs that are not plain S3 folders below /opt/ml."""
    modes: dict[str, set[str | None]] = {
        "S3DataType": {"S3Prefix"},
        "S3InputMode": {None, "File"},
        "S3DataDistributionType": {None, "FullyReplicated"},
    }
    listed = [
        (each["InputName"], each.get("S3Input"), modes | {"S3CompressionType": {None, "None"}})
        for each in request.get("ProcessingInputs") or ()
    ]
    listed += [(each["OutputName"], each.get("S3Output"), {"S3UploadMode": {"EndOfJob"}}) for each in _outputs(request)]
    for name, place, known in listed:
        if not place:
            raise api.invalid(f"The twin copies only S3 inputs and outputs, and {name} is none.")
        wrong = [f"{key} {place.get(key)}" for key, values in known.items() if place.get(key) not in values]
        try:
            images.inside(Path("/"), place.get("LocalPath") or "")
        except ValueError as error:
            wrong.append(str(error))
        if wrong:
            raise api.invalid(f"The twin does not copy {name}: {', '.join(wrong)}.")
