"""Executions of monitoring schedules: from a window to a processing job, on Model Monitor's contract with containers.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-inputs.html (environment and folders),
model-monitor-byoc-cloudwatch.html (metrics), API_MonitoringExecutionSummary. Captures of the window's hours lie below the input's local
path as <endpoint>/<variant>/yyyy/mm/dd/hh, the baseline below /opt/ml/processing/baseline; what the container leaves goes to
<output>/<endpoint>/<schedule>/yyyy/mm/dd/hh of the scheduled hour. Everything is read and written under the definition's role.

Modelled: an execution without captures, or without a labelled one, fails without a job; `problem_type` and the attributes of the
EndpointInput are variables of the container in lower case; the container's exit message says whether there are violations, as that of
AWS's own container does; metrics go into aws/sagemaker/Endpoints/data-metrics or model-metrics (AWS's pages write the name in three ways)
in the name of the role.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from contracts.layout import capture_prefix, hour_prefix
from twin.sagemaker import api
from twin.sagemaker.context import Context, random_name
from twin.sagemaker.endpoints import Endpoints
from twin.sagemaker.job_definitions import ATTRIBUTES, MODEL_QUALITY, Definition
from twin.sagemaker.jobs import Job
from twin.sagemaker.merge import merge, read_labels
from twin.sagemaker.models import Models
from twin.sagemaker.processing import ProcessingJobs
from twin.sagemaker.storage import TransferError, split, upload

BASELINE = "/opt/ml/processing/baseline"
FORMAT = json.dumps({"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}})
NO_DATA = "Job inputs had no data"
NAMESPACES = {"DataQuality": "aws/sagemaker/Endpoints/data-metrics", "ModelQuality": "aws/sagemaker/Endpoints/model-metrics"}
PER_CALL = 500
"""PutMetricData takes 1,000: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"""
HOUR = timedelta(hours=1)


class NoDataError(Exception):
    """There is nothing to look at."""


@dataclass(frozen=True)
class Execution:
    """One window of one schedule, scheduled at `moment`; start <= inference time < end."""

    schedule: str
    schedule_arn: str
    definition: Definition
    moment: datetime
    start: datetime
    end: datetime

    @property
    def endpoint(self) -> str:
        """The endpoint's name."""
        return str(self.definition.given["EndpointName"])

    @property
    def output(self) -> str:
        """The S3 folder of what the container leaves."""
        return _join(self.definition.output["S3Uri"], f"{self.endpoint}/{self.schedule}/{hour_prefix(self.moment)}")

    @property
    def merged(self) -> str:
        """The S3 folder of captures with their labels."""
        return _join(self.definition.output["S3Uri"], f"merge/{self.endpoint}/{self.schedule}/{hour_prefix(self.moment)}")


class MonitoringRuns:
    """Starts the jobs of executions."""

    def __init__(self, context: Context, endpoints: Endpoints, models: Models, processing: ProcessingJobs) -> None:
        self._context = context
        self._endpoints = endpoints
        self._models = models
        self._processing = processing

    def begin(self, execution: Execution) -> str:
        """Start the job of an execution; its name. Raises NoDataError, TransferError, ClientError, or SageMaker's own errors."""
        definition = execution.definition
        role = definition.record["RoleArn"]
        s3 = self._context.cloud.client("s3", self._context.assume(role, f"SageMaker-{execution.schedule}"))
        folders = list(self._captured(s3, execution))
        if definition.kind is MODEL_QUALITY:
            folders = list(self._merge(s3, execution, folders))
        if not folders:
            raise NoDataError(NO_DATA)
        name = f"model-monitoring-{execution.moment:%Y%m%d%H%M}-{random_name(12).lower()}"
        self._processing.begin(self._request(name, execution, folders), lambda job: self._publish(job, execution))
        return name

    def _captured(self, s3: Any, execution: Execution) -> Iterator[tuple[str, str]]:
        """(variant and hour, S3 folder) of the window's hours that hold captures."""
        endpoint = self._endpoints.find(execution.endpoint)
        if endpoint is None:
            raise api.invalid(f'Could not find endpoint "{self._context.arn("endpoint", execution.endpoint)}".')
        config = self._models.config(endpoint.record["EndpointConfigName"])
        destination = (config.get("DataCaptureConfig") or {}).get("DestinationS3Uri")
        if destination is None:
            raise api.invalid(f"Data capture is not enabled on the endpoint {execution.endpoint}.")
        for variant in config["ProductionVariants"]:
            hour = execution.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            while hour < execution.end:
                place = capture_prefix(execution.endpoint, variant["VariantName"], hour)
                bucket, prefix = split(_join(destination, place))
                if s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents"):
                    yield place, f"s3://{bucket}/{prefix}"
                hour += HOUR

    def _merge(self, s3: Any, execution: Execution, folders: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Write the labelled records of these folders, those inside the window; the folders written."""
        truth = execution.definition.part("JobInput")["GroundTruthS3Input"]["S3Uri"]
        labels = read_labels(_lines(s3, _join(truth, ""), _join(truth, hour_prefix(execution.start))))
        key = execution.definition.part("JobOutputConfig").get("KmsKeyId")
        for place, folder in folders:
            lines = list(merge(_lines(s3, folder), labels))
            if lines:
                target = _join(execution.merged, place)
                upload(s3, "".join(f"{line}\n" for line in lines).encode(), f"{target}merged.jsonl", key)
                yield place, target

    def _request(self, name: str, execution: Execution, folders: list[tuple[str, str]]) -> api.Request:
        definition, record = execution.definition, execution.definition.record
        application = api.pick(definition.part("AppSpecification"), ("ImageUri", "ContainerEntrypoint", "ContainerArguments"))
        local = definition.given["LocalPath"]
        inputs = [_input(f"endpoint_input_{number}", uri, f"{local}/{place}") for number, (place, uri) in enumerate(folders, 1)]
        inputs += [_input(named, uri, folder) for named, uri, folder, _ in _baseline(definition)]
        output = {"S3Uri": execution.output, "LocalPath": definition.output["LocalPath"], "S3UploadMode": "EndOfJob"}
        outputs = {"Outputs": [{"OutputName": "result", "S3Output": output}]}
        return api.pick(record, ("RoleArn", "StoppingCondition", "NetworkConfig")) | {
            "ProcessingJobName": name,
            "MonitoringScheduleArn": execution.schedule_arn,
            "AppSpecification": application,
            "ProcessingResources": record["JobResources"],
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": outputs | api.pick(definition.part("JobOutputConfig"), ["KmsKeyId"]),
            "Environment": _environment(execution),
        }

    def _publish(self, job: Job, execution: Execution) -> None:
        """The metrics that the container left, as PutMetricData has them. Raises TransferError."""
        folder = job.root / "output" / "metrics" / "cloudwatch"
        lines = [line for path in sorted(folder.glob("*")) for line in path.read_text().splitlines() if line.strip()]
        client = self._context.cloud.client("cloudwatch", job.credentials)
        try:
            metrics = [json.loads(line) for line in lines]
            for first in range(0, len(metrics), PER_CALL):
                namespace = NAMESPACES[execution.definition.kind.name]
                client.put_metric_data(Namespace=namespace, MetricData=metrics[first : first + PER_CALL])
        except (ClientError, ValueError) as error:
            raise TransferError(f"ClientError: the metrics in {folder.name} were not published: {error}") from error


def _baseline(definition: Definition) -> Iterator[tuple[str, str, str, str]]:
    """(input's name, S3 URI, folder, the container's variable) of each baseline file that the definition names."""
    parts = (
        ("StatisticsResource", "baseline", "stats", "statistics"),
        ("ConstraintsResource", "constraints", "constraints", "constraints"),
    )
    for resource, name, folder, variable in parts:
        uri = (definition.part("BaselineConfig").get(resource) or {}).get("S3Uri")
        if uri:
            yield name, uri, f"{BASELINE}/{folder}", f"baseline_{variable}"


def _environment(execution: Execution) -> dict[str, str]:
    """The definition's variables, and Model Monitor's own, which win."""
    definition = execution.definition
    application = definition.part("AppSpecification")
    values: dict[str, Any] = {**(application.get("Environment") or {})}
    values |= {name: definition.given[key] for key, name in ATTRIBUTES.items() if definition.given.get(key) is not None}
    if application.get("ProblemType"):
        values["problem_type"] = application["ProblemType"]
    values |= {variable: f"{folder}/{uri.rpartition('/')[2]}" for _, uri, folder, variable in _baseline(definition)}
    values |= {
        "dataset_format": FORMAT,
        "dataset_source": definition.given["LocalPath"],
        "output_path": definition.output["LocalPath"],
        "start_time": _iso(execution.start),
        "end_time": _iso(execution.end),
        "sagemaker_endpoint_name": execution.endpoint,
        "sagemaker_monitoring_schedule_name": execution.schedule,
    }
    return {name: str(value) for name, value in values.items()}


def _input(name: str, uri: str, folder: str) -> Mapping[str, Any]:
    place = {"S3Uri": uri, "LocalPath": folder.rstrip("/"), "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": place | {"S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None"}}


def _lines(s3: Any, folder: str, first: str = "") -> Iterator[bytes]:
    """The lines of every *.jsonl object below an S3 folder, in the order of the keys, from the key `first` on."""
    bucket, prefix = split(folder)
    start = {"StartAfter": split(first)[1]} if first else {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **start):
        for found in page.get("Contents", ()):
            if found["Key"].endswith(".jsonl"):
                yield from s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read().splitlines()


def _join(uri: str, place: str) -> str:
    return f"{uri.rstrip('/')}/{place}"


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
