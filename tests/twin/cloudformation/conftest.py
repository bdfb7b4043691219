"""Deploying small templates to the twin, and looking at what became of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from twin.server import TwinServer


@dataclass
class Stacks:
    """Stack operations as an administrator, each waited for."""

    twin: TwinServer

    def __post_init__(self) -> None:
        self.api = self.twin.cloud.client("cloudformation")

    def create(self, template: Mapping[str, Any], name: str = "demo", **more: Any) -> dict[str, Any]:
        self.api.create_stack(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"], **more)
        return self.settled(name)

    def update(self, template: Mapping[str, Any] | None = None, name: str = "demo", **more: Any) -> dict[str, Any]:
        source = {"UsePreviousTemplate": True} if template is None else {"TemplateBody": json.dumps(template)}
        self.api.update_stack(StackName=name, Capabilities=["CAPABILITY_NAMED_IAM"], **source, **more)
        return self.settled(name)

    def delete(self, name: str = "demo", **more: Any) -> dict[str, Any]:
        stack_id = self.api.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self.api.delete_stack(StackName=name, **more)
        return self.settled(stack_id)

    def settled(self, name: str) -> dict[str, Any]:
        self.twin.part("cloudformation").wait(name)
        stack: dict[str, Any] = self.api.describe_stacks(StackName=name)["Stacks"][0]
        return stack

    def statuses(self, name: str = "demo") -> list[tuple[str, str]]:
        """(logical id, status) of every event, the oldest first."""
        events = self.api.describe_stack_events(StackName=name)["StackEvents"]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]

    def reasons(self, name: str = "demo") -> dict[str, str]:
        """Logical id -> the reason of its last failure."""
        events = self.api.describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("FAILED")]
        return {event["LogicalResourceId"]: event["ResourceStatusReason"] for event in failed}

    def physical(self, logical_id: str, name: str = "demo") -> str:
        detail = self.api.describe_stack_resource(StackName=name, LogicalResourceId=logical_id)["StackResourceDetail"]
        return str(detail["PhysicalResourceId"])


@pytest.fixture
def stacks(twin: TwinServer) -> Stacks:
    return Stacks(twin)


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}
