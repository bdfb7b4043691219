"""cdk.out -> stacks, by plain CloudFormation calls: for each stack, in order of dependency, publish its assets, then create or update it.

`cdk deploy` does this on AWS, with change sets and image builds; this is the same for the twin, where no Node and no Docker are at hand.
Like the CDK command line it works under the roles of the account's bootstrap (cli.roles), and CloudFormation under the execution role.
A stack's parameters keep their values in an update, so a deployed model stays deployed.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cli.account import Account
from cli.assembly import stacks_of
from cli.assets import publish_assets
from cli.roles import Roles
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
class Wanted:
    """What a stack is to become.

    `url` is where CloudFormation finds the template (a body in the call may only have 51,200 bytes), `parameters` are the names of the
    template's parameters, and `role` is the ARN of the role under which CloudFormation makes the resources.
    """

    name: str
    url: str
    parameters: frozenset[str]
    role: str


def deploy_assembly(account: Account, out: Path, show: Callable[[str], None]) -> list[Deployed]:
    """Deploy every stack of an assembly. Raises StateError with the failed resource's reason, or the role that cannot be assumed."""
    roles = Roles(account)
    deployed = []
    for name, artifact in stacks_of(out):
        properties = artifact["properties"]
        deployer = roles.under(properties["assumeRoleArn"])
        _check_bootstrap(deployer, properties)
        for assets_file in _assets_files(out, artifact):
            publish_assets(roles, out, assets_file, show)
        found = find_stack(roles.under(properties["lookupRole"]["arn"]).client("cloudformation"), name)
        deployed.append(_deploy_stack(deployer.client("cloudformation"), _wanted(roles, out, name, properties), found, show))
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


def _check_bootstrap(deployer: Account, properties: Mapping[str, Any]) -> None:
    """The account's bootstrap must be as new as the assembly asks."""
    needed, name = properties["requiresBootstrapStackVersion"], properties["bootstrapStackVersionSsmParameter"]
    try:
        version = int(deployer.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        version = 0
    if version < needed:
        raise StateError(f"the account's bootstrap has version {version}, and {needed} is needed ({name}). Next: cdk bootstrap")


def _wanted(roles: Roles, out: Path, name: str, properties: Mapping[str, Any]) -> Wanted:
    bucket, _, key = roles.filled(properties["stackTemplateAssetObjectUrl"].removeprefix("s3://")).partition("/")
    declared = json.loads((out / properties["templateFile"]).read_text()).get("Parameters", {})
    url = f"https://{bucket}.s3.{roles.region}.amazonaws.com/{key}"
    return Wanted(name, url, frozenset(declared), roles.filled(properties["cloudFormationExecutionRoleArn"]))


def _deploy_stack(cloudformation: Any, wanted: Wanted, stack: dict[str, Any] | None, show: Callable[[str], None]) -> Deployed:
    name = wanted.name
    show(name)
    if stack is not None and stack["StackStatus"].endswith("_IN_PROGRESS"):
        stack = _settled(cloudformation, name, show)
    if stack is not None and stack["StackStatus"] in STILLBORN:
        show(f"{name}: removing what an earlier, failed creation left")
        cloudformation.delete_stack(StackName=name, RoleARN=wanted.role)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": int(STACK_LIMIT)})
        stack = None
    token = str(uuid.uuid4())  # marks the events of this very operation
    if stack is None:
        cloudformation.create_stack(**_request(wanted, token))
        change = "created"
    else:
        change = "updated" if _updated(cloudformation, wanted, stack, token) else "unchanged"
    stack = _settled(cloudformation, name, show)
    if change != "unchanged" and stack["StackStatus"] not in DONE:
        raise StateError(_failure(cloudformation, name, stack, token))
    return Deployed(name, change, outputs_of(stack))


def _updated(cloudformation: Any, wanted: Wanted, stack: dict[str, Any], token: str) -> bool:
    known = {parameter["ParameterKey"] for parameter in stack.get("Parameters", [])}
    kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(known & wanted.parameters)]
    try:
        cloudformation.update_stack(**_request(wanted, token), Parameters=kept)
    except ClientError as error:
        # An unchanged template is a ValidationError too, told apart only by its text (API_UpdateStack documents no other way).
        if "No updates are to be performed" in error.response["Error"]["Message"]:
            return False
        raise
    return True


def _request(wanted: Wanted, token: str) -> dict[str, Any]:
    return {
        "StackName": wanted.name,
        "TemplateURL": wanted.url,
        "Capabilities": CAPABILITIES,
        "RoleARN": wanted.role,
        "ClientRequestToken": token,
    }


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
