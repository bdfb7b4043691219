"""CloudFormation under the policies of stacks/execution.py: stacks are made, changed and removed, and every statement is needed for it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cli.account import Account, twin_account
from cli.deploy import outputs_of
from cli.waiting import wait_for
from stacks.execution import Place, execution_policies
from tests.scenarios.loop import AT_ONCE, CONFIG, Loop, synthesised, table, write_project
from twin.bootstrap import ADMINISTRATOR, Names
from twin.iam.scaling import LINKED_ROLE
from twin.iam.usage import Grant, usage
from twin.server import ACCOUNT, TwinServer

SPEED = 120.0
REGION = "us-east-1"
NAMES = Names(ACCOUNT, REGION)
ROLE = NAMES.role("cfn-exec")
# What brings resources of its own: the GitHub stack, and the secret behind hashed columns.
CONFIGURED = (
    CONFIG.replace("  features:", "  privacy: {hash: [moon]}\n  features:")
    + AT_ONCE
    + "github: {repository: octo-org/octo-repo, branch: main}\n"
)
IN_ORDER = ("data", "training", "endpoint", "serving", "control", "github")


class Held:
    """A deployed app whose stacks CloudFormation makes under the project's own policies; what the deploy role does with them."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.admin: Account = loop.app.account
        self.cloudformation: Any = self.admin.assume(NAMES.role_arn("deploy"), "tests").client("cloudformation")

    def change_endpoint(self, **parameters: str) -> dict[str, Any]:
        """The Endpoint stack with these parameters, and the others as they are."""
        given: list[dict[str, Any]] = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        kept = {"ModelPackageArn", "RollbackAlarms"} - parameters.keys()
        given += [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept)]
        name = "tides-dev-endpoint"
        self.cloudformation.update_stack(
            StackName=name, UsePreviousTemplate=True, Parameters=given, RoleARN=NAMES.role_arn("cfn-exec"), Capabilities=["CAPABILITY_IAM"]
        )
        return self.settled(name)

    def remove(self, part: str) -> None:
        """Delete a stack."""
        self.cloudformation.delete_stack(StackName=f"tides-dev-{part}", RoleARN=NAMES.role_arn("cfn-exec"))
        self.loop.twin.part("cloudformation").wait(f"tides-dev-{part}")

    def settled(self, name: str) -> dict[str, Any]:
        """The stack, when nothing is under way on it."""

        def look() -> dict[str, Any] | None:
            stack: dict[str, Any] = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

        return wait_for(name, look, 120)

    def statuses(self) -> set[str]:
        """The last status of every stack, deleted ones too."""
        found: dict[str, str] = {}
        for stack in self.admin.client("cloudformation").list_stacks()["StackSummaries"]:
            found.setdefault(stack["StackName"], stack["StackStatus"])
        return set(found.values())


def hold(account: Account, documents: list[dict[str, Any]]) -> None:
    """What `cdk bootstrap --cloudformation-execution-policies` does."""
    iam = account.client("iam")
    for number, document in enumerate(documents, start=1):
        arn = iam.create_policy(PolicyName=f"execution-{number}", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
        iam.attach_role_policy(RoleName=ROLE, PolicyArn=arn)
    iam.detach_role_policy(RoleName=ROLE, PolicyArn=ADMINISTRATOR)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """The app after its whole life: a version live; its endpoint removed, made again and changed; everything removed."""
    project = write_project(tmp_path_factory.mktemp("project"), CONFIGURED)
    assembly = synthesised(project)
    with TwinServer(tmp_path_factory.mktemp("twin"), assembly, speed=SPEED) as twin:
        hold(twin_account(twin.cloud.url, REGION), execution_policies(project.config, Place(ACCOUNT, REGION)))
        held = Held(Loop.deploy(twin, project, assembly))
        held.loop.accepted(table(400))
        held.loop.live(1)
        for part in ("github", "control", "serving"):  # nobody reconciles any more
            held.remove(part)
        package = outputs_of(held.settled("tides-dev-endpoint"))["ModelPackageArn"]
        assert held.change_endpoint(ModelPackageArn="")["StackStatus"] == "UPDATE_COMPLETE"
        # As in an account in which nothing is scaled yet, because scaling came into the configuration after the first version.
        held.admin.client("iam").delete_service_linked_role(RoleName=LINKED_ROLE)
        for parameters in ({"ModelPackageArn": package}, {"RollbackAlarms": "off"}):
            assert held.change_endpoint(**parameters)["StackStatus"] == "UPDATE_COMPLETE"
        for part in ("endpoint", "training", "data"):
            held.remove(part)
        yield held


def decisions(held: Held) -> list[Any]:
    """What CloudFormation asked for under the execution role."""
    return [each for each in held.loop.twin.part("iam").decisions.latest() if each.caller == NAMES.role_arn("cfn-exec")]


def test_everything_is_made_changed_and_removed(held: Held) -> None:
    assert [(each.action, each.resource) for each in decisions(held) if not each.allowed] == []
    assert held.statuses() == {"DELETE_COMPLETE"}


def test_every_statement_is_needed(held: Held) -> None:
    asked = decisions(held)
    keys = {statement.key: statement for each in asked for statement in each.question.identity}
    grants = [
        Grant(f"{key.policy}/{key.position}", "ExecutionRole", "CDKToolkit", "identity", key.position, statement.sid, {}, (key,))
        for key, statement in sorted(keys.items())
    ]
    assert len(grants) > 20
    assert [used.grant.sid for used in usage(grants, asked) if not used.needed] == []
