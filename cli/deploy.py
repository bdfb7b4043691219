"""cdk.out -> stacks, by plain CloudFormation calls: for each stack, in order of dependency, publish its assets, then create or update it.

`cdk deploy` does this on AWS, with change sets and image builds; this is the same for the twin, where no Node and no Docker are at hand.
A stack's parameters keep their values in an update, so a deployed model stays deployed.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cli.account import Account
from cli.assembly import stacks_of
from cli.assets import filled, publish_assets
from cli.waiting import wait_for
from contracts.errors import StateError

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
STACK_LIMIT = 900.0
DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
# A stack in one of these never had resources that work; CloudFormation only lets it be deleted.
STILLBORN = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"})


@dataclass(frozen=True)
class Deployed:
    """A stack after its deployment. `change` is created, updated or unchanged."""

    name: str
    change: str
    outputs: dict[str, str]


@dataclass(frozen=True)
class Template:
    """A published template: where CloudFormation finds it (a body in the call may only have 51,200 bytes), and its parameters' names."""

    url: str
    parameters: frozenset[str]


def deploy_assembly(account: Account, out: Path, show: Callable[[str], None]) -> list[Deployed]:
    """Deploy every stack of an assembly. Raises StateError with the failed resource's reason."""
    account_id = account.client("sts").get_caller_identity()["Account"]
    cloudformation = account.client("cloudformation")
    deployed = []
    for name, artifact in stacks_of(out):
        for assets_file in _assets_files(out, artifact):
            publish_assets(account, out, assets_file, account_id, show)
        source = artifact["properties"]["stackTemplateAssetObjectUrl"].removeprefix("s3://")
        bucket, _, key = filled(source, account, account_id).partition("/")
        declared = json.loads((out / artifact["properties"]["templateFile"]).read_text()).get("Parameters", {})
        template = Template(f"https://{bucket}.s3.{account.region}.amazonaws.com/{key}", frozenset(declared))
        deployed.append(_deploy_stack(cloudformation, name, template, show))
    return deployed


def find_stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """DescribeStacks of one stack; None when it does not exist."""
    try:
        stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        # CloudFormation has no code of its own for this: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return stack


def outputs_of(stack: dict[str, Any]) -> dict[str, str]:
    """A stack's outputs by key."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _deploy_stack(cloudformation: Any, name: str, template: Template, show: Callable[[str], None]) -> Deployed:
    show(name)
    stack = find_stack(cloudformation, name)
    if stack is not None and stack["StackStatus"].endswith("_IN_PROGRESS"):
        stack = _settled(cloudformation, name, show)
    if stack is not None and stack["StackStatus"] in STILLBORN:
        show(f"{name}: removing what an earlier, failed creation left")
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": int(STACK_LIMIT)})
        stack = None
    token = str(uuid.uuid4())  # marks the events of this very operation
    if stack is None:
        cloudformation.create_stack(StackName=name, TemplateURL=template.url, Capabilities=CAPABILITIES, ClientRequestToken=token)
        change = "created"
    else:
        change = "updated" if _updated(cloudformation, name, template, stack, token) else "unchanged"
    stack = _settled(cloudformation, name, show)
    if change != "unchanged" and stack["StackStatus"] not in DONE:
        raise StateError(_failure(cloudformation, name, stack, token))
    return Deployed(name, change, outputs_of(stack))


def _updated(cloudformation: Any, name: str, template: Template, stack: dict[str, Any], token: str) -> bool:
    known = {parameter["ParameterKey"] for parameter in stack.get("Parameters", [])}
    kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(known & template.parameters)]
    try:
        cloudformation.update_stack(
            StackName=name, TemplateURL=template.url, Capabilities=CAPABILITIES, Parameters=kept, ClientRequestToken=token
        )
    except ClientError as error:
        # An unchanged template is a ValidationError too, told apart only by its text (API_UpdateStack documents no other way).
        if "No updates are to be performed" in error.response["Error"]["Message"]:
            return False
        raise
    return True


def _settled(cloudformation: Any, name: str, show: Callable[[str], None]) -> dict[str, Any]:
    seen = ""

    def look() -> dict[str, Any] | None:
        nonlocal seen
        stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        seen = stack["StackStatus"]
        show(f"{name} {seen}")
        return None if seen.endswith("_IN_PROGRESS") else stack

    return wait_for(f"stack {name}", look, STACK_LIMIT, interval=0.2, seen=lambda: seen)


def _failure(cloudformation: Any, name: str, stack: dict[str, Any], token: str) -> str:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [event for page in pages for event in page["StackEvents"] if event.get("ClientRequestToken") in {None, token}]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")]
    # Events come newest first: the last one is the cause, the others are what it took down.
    reason = (
        f"{failed[-1]['LogicalResourceId']} ({failed[-1]['ResourceType']}): {failed[-1]['ResourceStatusReason']}"
        if failed
        else stack.get("StackStatusReason", "no reason given")
    )
    return f"stack {name} is {stack['StackStatus']}: {reason}. Next: mend it and deploy again (tide up)"


def _assets_files(out: Path, artifact: dict[str, Any]) -> list[str]:
    artifacts = json.loads((out / "manifest.json").read_text())["artifacts"]
    manifests = [artifacts[name] for name in artifact.get("dependencies", []) if artifacts[name]["type"] == "cdk:asset-manifest"]
    return [manifest["properties"]["file"] for manifest in manifests]
