"""Model Monitor's job definitions: what a schedule runs on each window, for data quality and for model quality.

Sources: API_CreateDataQualityJobDefinition, API_CreateModelQualityJobDefinition, API_EndpointInput. Refused by name: batch transform
inputs, baselining jobs, scripts before and after the analysis, pipes, sharding, and bias and explainability definitions. Modelled: a
definition that a schedule uses cannot be deleted; its endpoint must exist, and its role must be one that SageMaker can take.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from twin import images
from twin.sagemaker import api
from twin.sagemaker.context import Context
from twin.sagemaker.endpoints import Endpoints
from twin.sagemaker.training import find_image, one_instance

_APPLICATION = ("ImageUri", "ContainerEntrypoint", "ContainerArguments", "Environment")
_INPUT = ("EndpointName", "LocalPath", "S3InputMode", "S3DataDistributionType", "StartTimeOffset", "EndTimeOffset")
ATTRIBUTES = {
    "InferenceAttribute": "inference_attribute",
    "ProbabilityAttribute": "probability_attribute",
    "ProbabilityThresholdAttribute": "probability_threshold_attribute",
}
"""Fields of EndpointInput that the container finds in its environment, under these names."""


@dataclass(frozen=True)
class Kind:
    """What the two sorts of definitions differ in. `baseline`, `application`, `given`: fields of theirs beside the common ones."""

    name: str
    resource: str
    operation: str
    baseline: tuple[str, ...]
    application: tuple[str, ...] = ()
    given: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The request's fields that are named after the kind."""
        return tuple(f"{self.name}{part}" for part in ("BaselineConfig", "AppSpecification", "JobInput", "JobOutputConfig"))


DATA_QUALITY = Kind("DataQuality", "data-quality-job-definition", "data_quality", ("ConstraintsResource", "StatisticsResource"))
MODEL_QUALITY = Kind(
    "ModelQuality", "model-quality-job-definition", "model_quality", ("ConstraintsResource",), ("ProblemType",), ("GroundTruthS3Input",)
)
KINDS = {kind.name: kind for kind in (DATA_QUALITY, MODEL_QUALITY)}


@dataclass(frozen=True)
class Definition:
    """One job definition: its record in Describe's shape, read under the names that both kinds share."""

    kind: Kind
    record: api.Reply

    def part(self, name: str) -> Mapping[str, Any]:
        """A section, such as JobInput; empty when the request had none."""
        return self.record.get(f"{self.kind.name}{name}") or {}

    @property
    def name(self) -> str:
        """Unique in its kind."""
        return str(self.record["JobDefinitionName"])

    @property
    def given(self) -> Mapping[str, Any]:
        """The EndpointInput."""
        found: Mapping[str, Any] = self.part("JobInput")["EndpointInput"]
        return found

    @property
    def output(self) -> Mapping[str, Any]:
        """The one S3Output."""
        found: Mapping[str, Any] = self.part("JobOutputConfig")["MonitoringOutputs"][0]["S3Output"]
        return found

    def window(self, moment: datetime, every: timedelta) -> tuple[datetime, datetime]:
        """What an execution scheduled at a moment looks at: the time since the one before, or as the offsets say.

        Offsets count from the scheduled moment, as in the example of
        https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-schedule.html.
        """
        start, end = self.given.get("StartTimeOffset"), self.given.get("EndTimeOffset")
        return moment + (offset(start) if start else -every), moment + (offset(end) if end else timedelta(0))


class JobDefinitions:
    """Job definitions by kind and name. `used`: the schedule that uses one, if any."""

    def __init__(self, context: Context, endpoints: Endpoints) -> None:
        self._context = context
        self._endpoints = endpoints
        self._definitions: dict[tuple[str, str], Definition] = {}
        self.used: Callable[[Definition], str | None] = lambda _: None

    def replaced(self) -> dict[str, api.Operation]:
        """Operations that moto has."""
        found: dict[str, api.Operation] = {}
        for kind in KINDS.values():
            found[f"create_{kind.operation}_job_definition"] = self._of(self.create, kind)
            found[f"describe_{kind.operation}_job_definition"] = self._of(self.describe, kind)
            found[f"delete_{kind.operation}_job_definition"] = self._of(self.delete, kind)
            found[f"list_{kind.operation}_job_definitions"] = self._of(self.list_all, kind)
        return found

    def _of(self, operation: Callable[[Kind, api.Request], api.Reply], kind: Kind) -> api.Operation:
        return lambda request: operation(kind, request)

    def find(self, kind: Kind, name: str) -> Definition:
        """A definition. Raises ResourceNotFound."""
        if (kind.name, name) not in self._definitions:
            raise api.not_found(f"Job definition {name} of type {kind.name} was not found.")
        return self._definitions[kind.name, name]

    def create(self, kind: Kind, request: api.Request) -> api.Reply:
        """Create*JobDefinition."""
        common = ("JobDefinitionName", "JobResources", "NetworkConfig", "RoleArn", "StoppingCondition")
        operation = f"Create{kind.name}JobDefinition"
        api.refuse_unknown(request, (*kind.keys, *common, "Tags"), operation)
        name = request["JobDefinitionName"]
        if (kind.name, name) in self._definitions:
            raise api.in_use(f"Job definition {name} of type {kind.name} already exists.")
        arn = self._context.arn(kind.resource, name)
        record = api.pick(request, (*kind.keys, *common)) | {"JobDefinitionArn": arn, "CreationTime": self._context.now()}
        definition = Definition(kind, record)
        self._check(definition, operation)
        self._definitions[kind.name, name] = definition
        self._context.tag(arn, request.get("Tags"))
        return {"JobDefinitionArn": arn}

    def describe(self, kind: Kind, request: api.Request) -> api.Reply:
        """Describe*JobDefinition."""
        return dict(self.find(kind, request["JobDefinitionName"]).record)

    def delete(self, kind: Kind, request: api.Request) -> api.Reply:
        """Delete*JobDefinition."""
        definition = self.find(kind, request["JobDefinitionName"])
        if (schedule := self.used(definition)) is not None:
            raise api.in_use(f"Job definition {definition.name} is used by the monitoring schedule {schedule}.")
        del self._definitions[kind.name, definition.name]
        self._context.untag(definition.record["JobDefinitionArn"])
        return {}

    def list_all(self, kind: Kind, request: api.Request) -> api.Reply:
        """List*JobDefinitions, by endpoint and name."""
        api.refuse_unknown(request, ("EndpointName", "NameContains", "SortBy", "SortOrder", "NextToken", "MaxResults"), "List")
        found = [
            {
                "MonitoringJobDefinitionName": definition.name,
                "MonitoringJobDefinitionArn": definition.record["JobDefinitionArn"],
                "CreationTime": definition.record["CreationTime"],
                "EndpointName": definition.given["EndpointName"],
            }
            for definition in list(self._definitions.values())
            if definition.kind is kind
            and request.get("EndpointName") in {None, definition.given["EndpointName"]}
            and (request.get("NameContains") or "") in definition.name
        ]
        return api.page(request, "JobDefinitionSummaries", api.ordered(request, found))

    def _check(self, definition: Definition, operation: str) -> None:
        kind = definition.kind
        api.refuse_unknown(definition.part("BaselineConfig"), kind.baseline, operation)
        api.refuse_unknown(definition.part("AppSpecification"), (*_APPLICATION, *kind.application), operation)
        api.refuse_unknown(definition.part("JobInput"), ("EndpointInput", *kind.given), operation)
        if not definition.part("JobInput").get("EndpointInput"):
            raise api.invalid(f"{operation}: the twin monitors endpoints, and {definition.name} names none as its EndpointInput.")
        api.refuse_unknown(definition.given, (*_INPUT, *ATTRIBUTES), operation)
        _check_places(definition, operation)
        one_instance(definition.record["JobResources"]["ClusterConfig"]["InstanceCount"])
        find_image(self._context, definition.part("AppSpecification")["ImageUri"])
        self._context.assume(definition.record["RoleArn"], definition.name)
        if self._endpoints.find(definition.given["EndpointName"]) is None:
            raise api.invalid(f'Could not find endpoint "{self._context.arn("endpoint", definition.given["EndpointName"])}".')


def _check_places(definition: Definition, operation: str) -> None:
    given, outputs = definition.given, definition.part("JobOutputConfig")["MonitoringOutputs"]
    wrong = [f"{len(outputs)} outputs"] if len(outputs) != 1 else []
    for key, only, place in (
        ("S3InputMode", "File", given),
        ("S3DataDistributionType", "FullyReplicated", given),
        ("S3UploadMode", "EndOfJob", definition.output),
    ):
        if place.get(key) not in {None, only}:
            wrong.append(f"{key} {place[key]}")
    for key in ("StartTimeOffset", "EndTimeOffset"):
        if given.get(key):
            offset(given[key])
    for path in (given["LocalPath"], definition.output["LocalPath"]):
        try:
            images.inside(Path("/"), path)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise api.invalid(f"{operation}: the twin does not do {', '.join(wrong)}.")


_OFFSET = re.compile(r"-P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")


def offset(text: str) -> timedelta:
    """An ISO 8601 duration of days, hours and minutes to go back, such as -PT7H. Raises ValidationException."""
    found = _OFFSET.fullmatch(text)
    if found is None or not any(found.groups()):
        raise api.invalid(f"{text!r} is not an offset such as -PT7H or -P8D.")
    days, hours, minutes = (int(group or 0) for group in found.groups())
    return -timedelta(days=days, hours=hours, minutes=minutes)
