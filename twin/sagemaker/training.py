"""Training jobs: /opt/ml/input/{data,config} in, /opt/ml/model out.

Sources: developer guide, your-algorithms-training-algo-running-container (folders, failure file, exit code) and
API_DescribeTrainingJob (statuses). Modelled: InputMode File on one instance; no VPC, no spot, no checkpoints; network isolation is
accepted and not enforced. Metric definitions are matched against the log, the last match is the final metric.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin import images
from twin.sagemaker import api
from twin.sagemaker.context import Context, millis
from twin.sagemaker.jobs import Ending, Job, Jobs
from twin.sagemaker.storage import download_prefix, pack, upload_file

_RECORDED = (
    "TrainingJobName",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "Environment",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "ExperimentConfig",
)
_SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "TrainingJobStatus",
    "SecondaryStatus",
)
_EVENT = (
    "TrainingJobName",
    "TrainingJobArn",
    "TrainingJobStatus",
    "SecondaryStatus",
    "FailureReason",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "ModelArtifacts",
)
_TIMES = ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime")
SHOWN_FAILURE = 1024


class TrainingJobs:
    """Training jobs by name (see twin.sagemaker.jobs.Kind)."""

    log_group = "/aws/sagemaker/TrainingJobs"

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._engine = jobs
        self._jobs: dict[str, Job] = {}

    def replaced(self) -> dict[str, api.Operation]:
        """Operations that moto has."""
        return {"create_training_job": self.create, "describe_training_job": self.describe, "list_training_jobs": self.list_all}

    def added(self) -> dict[str, api.Operation]:
        """Operations that moto lacks."""
        return {"stop_training_job": self.stop}

    def create(self, request: api.Request) -> api.Reply:
        """CreateTrainingJob."""
        api.refuse_unknown(request, (*_RECORDED, "Tags"), "CreateTrainingJob")
        name = request["TrainingJobName"]
        arn = self._context.arn("training-job", name)
        if name in self._jobs:
            raise api.in_use(f"Training job names must be unique within an AWS account and region, and {arn} already exists")
        one_instance(request["ResourceConfig"].get("InstanceCount", 1))
        for channel in request.get("InputDataConfig") or ():
            _check_channel(channel)
        image = find_image(self._context, request["AlgorithmSpecification"].get("TrainingImage") or "")
        credentials = self._context.assume(request["RoleArn"], f"SageMaker-{name}")
        root, log = self._engine.folders("training-jobs", name)
        now = self._context.now()
        record = api.pick(request, _RECORDED) | {"TrainingJobArn": arn, "CreationTime": now, "SecondaryStatusTransitions": []}
        self._jobs[name] = job = Job(name, record, image, credentials, root, log)
        self.move(job, "InProgress", "Starting")
        self._context.tag(arn, request.get("Tags"))
        self._engine.start(self, job)
        return {"TrainingJobArn": arn}

    def describe(self, request: api.Request) -> api.Reply:
        """DescribeTrainingJob."""
        return dict(self._find(request).record)

    def list_all(self, request: api.Request) -> api.Reply:
        """ListTrainingJobs, by name and status."""
        return api.page_of_jobs(request, "Training", [job.record for job in list(self._jobs.values())], _SUMMARY)

    def stop(self, request: api.Request) -> api.Reply:
        """StopTrainingJob: SIGTERM, then SIGKILL after 120 seconds."""
        job = self._find(request)
        if job.record["TrainingJobStatus"] != "InProgress":
            raise api.invalid(f"The request was rejected because the training job is in status {job.record['TrainingJobStatus']}.")
        self.move(job, "Stopping", "Stopping")
        job.stop.set()
        return {}

    def keys(self, job: Job) -> tuple[str | None, str | None]:
        """(the key of the volume, the key of the outputs)."""
        return job.record["ResourceConfig"].get("VolumeKmsKeyId"), job.record["OutputDataConfig"].get("KmsKeyId")

    def prepare(self, job: Job, s3: Any) -> None:
        """Write the configuration and copy the channels."""
        config = job.root / "input" / "config"
        for folder in (config, job.root / "model", job.root / "output" / "data"):
            folder.mkdir(parents=True, exist_ok=True)
        channels = job.record.get("InputDataConfig") or []
        resources = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"}
        _write(config / "hyperparameters.json", job.record.get("HyperParameters") or {})
        _write(config / "inputdataconfig.json", {each["ChannelName"]: _channel(each) for each in channels})
        _write(config / "resourceconfig.json", resources | {"current_instance_type": job.record["ResourceConfig"].get("InstanceType")})
        for channel in channels:
            target = job.root / "input" / "data" / channel["ChannelName"]
            download_prefix(s3, channel["DataSource"]["S3DataSource"]["S3Uri"], target, job.role, self._context.cloud.region)

    def command(self, job: Job) -> Sequence[str]:
        """`docker run IMAGE train`, or the algorithm's own entry point and arguments."""
        algorithm = job.record["AlgorithmSpecification"]
        if algorithm.get("ContainerEntrypoint"):
            return [*algorithm["ContainerEntrypoint"], *(algorithm.get("ContainerArguments") or [])]
        return [*job.image.entrypoint, *(algorithm.get("ContainerArguments") or ["train"])]

    def environment(self, job: Job) -> dict[str, str]:
        """The job's variables, its name and ARN."""
        own = {"TRAINING_JOB_NAME": job.name, "TRAINING_JOB_ARN": job.record["TrainingJobArn"]}
        return own | (job.record.get("Environment") or {})

    def collect(self, job: Job, s3: Any) -> None:
        """Upload model.tar.gz, and output.tar.gz when there is anything in it."""
        output = job.record["OutputDataConfig"]
        base = f"{output['S3OutputPath'].rstrip('/')}/{job.name}/output"
        for folder, name in ((job.root / "model", "model.tar.gz"), (job.root / "output" / "data", "output.tar.gz")):
            if name == "output.tar.gz" and not any(folder.iterdir()):
                continue
            archive = job.root.parent / name
            pack(folder, archive)
            upload_file(s3, archive, f"{base}/{name}", output.get("KmsKeyId"))
        job.record["ModelArtifacts"] = {"S3ModelArtifacts": f"{base}/model.tar.gz"}
        metrics = self._metrics(job)
        if metrics:
            job.record["FinalMetricDataList"] = metrics

    def move(self, job: Job, status: str, secondary: str, reason: str = "") -> None:
        """Write a status with its transition, and publish it."""
        now, record = self._context.now(), job.record
        if status == "InProgress" and record.get("TrainingJobStatus") == "Stopping":
            return
        changes: dict[str, Any] = {"TrainingJobStatus": status, "SecondaryStatus": secondary, "LastModifiedTime": now}
        if secondary == "Downloading":
            changes["TrainingStartTime"] = now
        if status in {"Completed", "Failed", "Stopped"}:
            changes["TrainingEndTime"] = now
            changes["TrainingTimeInSeconds"] = int((now - record.get("TrainingStartTime", now)).total_seconds())
        if status == "Failed":
            changes["FailureReason"] = reason
        transitions = [dict(each) for each in record["SecondaryStatusTransitions"]]
        if transitions:
            transitions[-1].setdefault("EndTime", now)
        transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": reason})
        job.record = record | changes | {"SecondaryStatusTransitions": transitions}
        detail = api.pick(job.record, _EVENT) | {key: millis(job.record.get(key)) for key in _TIMES}
        self._context.publish("SageMaker Training Job State Change", detail, [record["TrainingJobArn"]])

    def reason(self, job: Job, ending: Ending) -> str:
        """The failure file's first 1,024 characters, as the developer guide has it."""
        failure = job.root / "output" / "failure"
        said = failure.read_text(errors="replace")[:SHOWN_FAILURE] if failure.exists() else ""
        return f"AlgorithmError: {said or 'the container wrote no /opt/ml/output/failure'}, exit code: {ending.code}"

    def _metrics(self, job: Job) -> list[dict[str, Any]]:
        text = job.log.read_text(errors="replace")
        found = []
        for definition in job.record["AlgorithmSpecification"].get("MetricDefinitions") or ():
            matches = re.findall(definition["Regex"], text)
            if matches:
                found.append({"MetricName": definition["Name"], "Value": float(matches[-1]), "Timestamp": self._context.now()})
        return found

    def _find(self, request: api.Request) -> Job:
        if request["TrainingJobName"] not in self._jobs:
            raise api.invalid("Requested resource not found.")
        return self._jobs[request["TrainingJobName"]]


def find_image(context: Context, uri: str) -> images.Image:
    """The image of a job or model. Raises ValidationException, which names it."""
    try:
        return context.images.find(uri)
    except (images.UnknownImageError, images.DockerfileError) as error:
        raise api.invalid(f"Cannot pull the image {uri}: {error}") from error


def one_instance(count: int) -> None:
    """Stop at a job on several instances."""
    if count != 1:
        raise api.invalid(f"The twin runs jobs on one instance, not on {count}.")


def _check_channel(channel: dict[str, Any]) -> None:
    source = channel.get("DataSource", {}).get("S3DataSource") or {}
    unknown = [
        f"{key} {value}"
        for key, value, known in (
            ("S3DataType", source.get("S3DataType"), {"S3Prefix"}),
            ("S3DataDistributionType", source.get("S3DataDistributionType"), {None, "FullyReplicated"}),
            ("InputMode", channel.get("InputMode"), {None, "File"}),
            ("CompressionType", channel.get("CompressionType"), {None, "None"}),
            ("RecordWrapperType", channel.get("RecordWrapperType"), {None, "None"}),
        )
        if value not in known
    ]
    if unknown:
        raise api.invalid(f"The twin does not copy channel {channel['ChannelName']} with {', '.join(unknown)}.")


def _channel(channel: dict[str, Any]) -> dict[str, str]:
    shown = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    return shown | ({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {})


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))
