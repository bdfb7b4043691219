"""Stacks, their resources and events: what CloudFormation remembers, and how the Describe calls show it.

Tags of a stack are kept on the stack and are not copied to its resources (modelled).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from twin.cloudformation import parameters
from twin.cloudformation.template import Template


@dataclass(frozen=True)
class Made:
    """A resource that exists. `properties` are resolved: what the handler was given."""

    logical_id: str
    type: str
    physical_id: str
    properties: Mapping[str, Any]
    attributes: Mapping[str, Any]
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    metadata: Any = None
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Status:
    """Of a stack or a resource, with the reason and the moment."""

    name: str
    reason: str | None
    time: datetime


@dataclass(frozen=True)
class Event:
    """One line of a stack's history."""

    event_id: str
    logical_id: str
    physical_id: str
    type: str
    status: Status
    properties: str
    token: str | None


@dataclass(frozen=True)
class Desired:
    """What a create or an update asks for."""

    template: Template
    values: Mapping[str, str]
    tags: Sequence[Mapping[str, str]]


@dataclass
class Stack:
    """One stack; the engine's lock guards it."""

    name: str
    stack_id: str
    created: datetime
    desired: Desired
    role_arn: str | None = None
    capabilities: Sequence[str] = ()
    on_failure: str = "ROLLBACK"
    protected: bool = False
    token: str | None = None
    updated: datetime | None = None
    deleted: datetime | None = None
    status: Status = field(init=False)
    made: dict[str, Made] = field(default_factory=dict)
    resource_statuses: dict[str, tuple[str, str, Status]] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    exports: dict[str, str] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    names: int = 0

    def new_name(self, logical_id: str) -> str:
        """`stack-logical-RANDOM`, as CloudFormation names what has no name; the random part differs for every resource ever made."""
        self.names += 1
        digest = sha256(f"{self.stack_id} {logical_id} {self.names}".encode()).hexdigest()
        return f"{self.name}-{logical_id}-{digest[:12].upper()}"

    @property
    def is_busy(self) -> bool:
        """An operation is under way."""
        return self.status.name.endswith("_IN_PROGRESS") and self.status.name != "REVIEW_IN_PROGRESS"

    @property
    def is_gone(self) -> bool:
        """Deleted: found by its id only."""
        return self.status.name == "DELETE_COMPLETE"

    def described(self) -> dict[str, Any]:
        """As DescribeStacks shows it."""
        declared = self.desired.template.parameters
        values = parameters.shown(declared, self.desired.values)
        shown: dict[str, Any] = {
            "StackId": self.stack_id,
            "StackName": self.name,
            "Description": self.desired.template.description or None,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            "CreationTime": self.created,
            "LastUpdatedTime": self.updated,
            "DeletionTime": self.deleted,
            "StackStatus": self.status.name,
            "StackStatusReason": self.status.reason,
            "DisableRollback": self.on_failure == "DO_NOTHING",
            "NotificationARNs": [],
            "Capabilities": list(self.capabilities),
            "Outputs": [{"OutputKey": key, **output} for key, output in self.outputs.items()] or None,
            "RoleARN": self.role_arn,
            # moto's serialiser turns this mapping into AWS's list of tags.
            "Tags": {tag["Key"]: tag["Value"] for tag in self.desired.tags},
            "EnableTerminationProtection": self.protected,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }
        return {key: value for key, value in shown.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        """As ListStacks shows it."""
        keys = ("StackId", "StackName", "CreationTime", "LastUpdatedTime", "DeletionTime", "StackStatus", "StackStatusReason")
        described = self.described()
        return {key: described[key] for key in keys if key in described} | {"TemplateDescription": self.desired.template.description}

    def described_resources(self) -> list[dict[str, Any]]:
        """As DescribeStackResources shows them."""
        return [
            {
                "StackName": self.name,
                "StackId": self.stack_id,
                "LogicalResourceId": logical_id,
                "ResourceType": kind,
                "Timestamp": status.time,
                "ResourceStatus": status.name,
                "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
            }
            | ({"PhysicalResourceId": physical_id} if physical_id else {})
            | ({"ResourceStatusReason": status.reason} if status.reason else {})
            for logical_id, (kind, physical_id, status) in self.resource_statuses.items()
        ]

    def described_events(self) -> list[dict[str, Any]]:
        """As DescribeStackEvents shows them: the newest first."""
        return [
            {
                "StackId": self.stack_id,
                "EventId": event.event_id,
                "StackName": self.name,
                "LogicalResourceId": event.logical_id,
                "PhysicalResourceId": event.physical_id,
                "ResourceType": event.type,
                "Timestamp": event.status.time,
                "ResourceStatus": event.status.name,
                "ResourceProperties": event.properties,
            }
            | ({"ResourceStatusReason": event.status.reason} if event.status.reason else {})
            | ({"ClientRequestToken": event.token} if event.token else {})
            for event in reversed(self.events)
        ]


def kept(made: Made, resource: Any) -> Made:
    """The same resource with the policies and metadata of a new template."""
    return replace(
        made,
        deletion_policy=resource.deletion_policy,
        replace_policy=resource.replace_policy,
        metadata=resource.metadata,
        needs=resource.needs,
    )
