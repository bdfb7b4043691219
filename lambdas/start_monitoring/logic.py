"""Which window is looked at, and how the job that does it is asked for. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts import layout
from contracts.config import Config
from contracts.environment import StartMonitoringEnvironment
from contracts.errors import StateError
from contracts.events import Event, MonitoringWindow
from contracts.instances import has_local_storage
from contracts.monitoring import NAMESPACE

VOLUME = 30  # GB
WINDOWS_BACK = 3  # of those that a tick looks for again: further back their alarms have long gone on without them
EVALUATION_FOLDER = layout.PROCESSING_INPUT / layout.EVALUATION_CHANNEL
VERDICT_FOLDER = layout.PROCESSING_OUTPUT / layout.VERDICT_CHANNEL


@dataclass(frozen=True)
class Task:
    """One window to look at, start <= inference time < end.

    `cause`: the event of the person who asked; empty for the schedule. `late`: how many windows after its own tick it is looked at again,
    because the job that was to do it failed.
    """

    start: datetime
    end: datetime
    cause: str = ""
    late: int = 0

    def job_name(self, prefix: str) -> str:
        """The job's name, at most 63 characters: one job a window and attempt, and one for each time that a person asks."""
        name = f"{prefix}-monitor-{self.end:%Y%m%d%H%M}"
        attempt = f"{name}-{self.late}" if self.late else name
        return f"{name}-{hashlib.sha256(self.cause.encode()).hexdigest()[:8]}" if self.cause else attempt

    def output_prefix(self, prefix: str) -> str:
        """Where the verdict goes. What a person asked for never takes the place of a scheduled verdict."""
        return layout.by_hand_prefix(self.job_name(prefix)) if self.cause else layout.monitoring_prefix(self.end)


def task_of(event: Event[MonitoringWindow], hours: int) -> Task:
    """What an event asks for: the window that it names, or the one that had ended last when it happened. Raises StateError."""
    asked = event.detail
    if asked.start is None and asked.end is None:
        return Task(*last_window(event.time, hours))
    if asked.start is None or asked.end is None or asked.start.tzinfo is None or asked.end.tzinfo is None:
        raise StateError("a window has a start and an end, both with their time zone. Next: give both, such as 2026-11-20T10:00:00Z")
    start, end = asked.start.astimezone(UTC), asked.end.astimezone(UTC)
    if start >= end:
        raise StateError(f"the window from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} is empty. Next: give a start before the end")
    return Task(start, end, event.id)


def earlier_tasks(task: Task) -> tuple[Task, ...]:
    """The windows before a scheduled one, the newest first: their tick may be lost, or their job failed. A person means one window."""
    if task.cause:
        return ()
    length = task.end - task.start
    return tuple(Task(task.start - back * length, task.end - back * length, late=back) for back in range(1, WINDOWS_BACK + 1))


def last_window(moment: datetime, hours: int) -> tuple[datetime, datetime]:
    """The newest window that has ended at a moment. Windows begin at multiples of `hours`, which divides 24, of a day in UTC."""
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    end = hour.replace(hour=hour.hour // hours * hours)
    return end - timedelta(hours=hours), end


def job_request(task: Task, run: str, config: Config, variables: StartMonitoringEnvironment) -> dict[str, Any]:
    """CreateProcessingJob. `run` is the training run that made the champion, whose baseline the window is compared with."""
    monitoring = config.monitoring
    cluster = {"InstanceCount": 1, "InstanceType": monitoring.instance_type, "VolumeSizeInGB": VOLUME}
    if not has_local_storage(monitoring.instance_type):
        cluster["VolumeKmsKeyId"] = variables.key_arn
    evaluation = f"s3://{variables.artifacts_bucket}/{layout.run_prefix(run)}{layout.EVALUATION_CHANNEL}"
    verdict = f"s3://{variables.artifacts_bucket}/{task.output_prefix(config.prefix)}".rstrip("/")
    return {
        "ProcessingJobName": task.job_name(config.prefix),
        "RoleArn": variables.job_role_arn,
        "AppSpecification": {
            "ImageUri": variables.image_uri,
            "ContainerEntrypoint": ["python", "-m", "training", "monitor"],
            "ContainerArguments": ["--namespace", NAMESPACE],
        },
        "ProcessingResources": {"ClusterConfig": cluster},
        "StoppingCondition": {"MaxRuntimeInSeconds": monitoring.max_runtime_seconds},
        "ProcessingInputs": [
            {
                "InputName": layout.EVALUATION_CHANNEL,
                "S3Input": _place(evaluation, str(EVALUATION_FOLDER)) | {"S3DataType": "S3Prefix", "S3InputMode": "File"},
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": layout.VERDICT_CHANNEL, "S3Output": _place(verdict, str(VERDICT_FOLDER)) | {"S3UploadMode": "EndOfJob"}}
            ],
            "KmsKeyId": variables.key_arn,
        },
        "Environment": _environment(task, config, variables),
        **variables.network_config,
    }


def _place(uri: str, folder: str) -> dict[str, str]:
    return {"S3Uri": uri, "LocalPath": folder}


def _environment(task: Task, config: Config, variables: StartMonitoringEnvironment) -> dict[str, str]:
    """What training/monitoring/job.py reads. Labels come late, so quality is judged over as much earlier a window."""
    delay = timedelta(hours=config.monitoring.label_delay_hours)
    captures = layout.CAPTURE + f"{variables.endpoint_name}/{layout.VARIANT}"
    return {
        "dataset_source": f"s3://{variables.artifacts_bucket}/{captures}",
        "ground_truth_source": f"s3://{variables.data_bucket}/{layout.GROUND_TRUTH}".rstrip("/"),
        "start_time": _iso(task.start),
        "end_time": _iso(task.end),
        "quality_start_time": _iso(task.start - delay),
        "quality_end_time": _iso(task.end - delay),
        "baseline_statistics": str(EVALUATION_FOLDER / layout.STATISTICS),
        "baseline_constraints": str(EVALUATION_FOLDER / layout.CONSTRAINTS),
        "output_path": str(VERDICT_FOLDER),
        "publish_cloudwatch_metrics": "Disabled" if task.cause else "Enabled",
        "sagemaker_endpoint_name": variables.endpoint_name,
        # Only what differs from the defaults, which are the image's too: a value has at most 256 characters.
        "thresholds": config.monitoring.thresholds.model_dump_json(exclude_defaults=True),
    }


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
