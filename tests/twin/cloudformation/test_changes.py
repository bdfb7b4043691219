"""Change sets, as `cdk deploy` and `aws cloudformation deploy` use them."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.cloudformation.conftest import Stacks, queue

TEMPLATE = {"Resources": {"Same": queue(QueueName="same"), "Changed": queue(), "Replaced": queue(QueueName="old"), "Gone": queue()}}
AFTER = {
    "Resources": {"Same": queue(QueueName="same"), "Changed": queue(DelaySeconds=5), "Replaced": queue(QueueName="new"), "Added": queue()}
}


def change_set(stacks: Stacks, template: dict[str, Any], kind: str, name: str = "cs") -> dict[str, Any]:
    stacks.api.create_change_set(StackName="demo", ChangeSetName=name, ChangeSetType=kind, TemplateBody=json.dumps(template))
    described: dict[str, Any] = stacks.api.describe_change_set(StackName="demo", ChangeSetName=name)
    return described


def test_a_new_stack_is_reviewed_and_then_made(stacks: Stacks) -> None:
    described = change_set(stacks, TEMPLATE, "CREATE")
    assert (described["Status"], described["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert {change["ResourceChange"]["Action"] for change in described["Changes"]} == {"Add"}
    assert stacks.settled("demo")["StackStatus"] == "REVIEW_IN_PROGRESS"
    stacks.api.execute_change_set(StackName="demo", ChangeSetName="cs", ClientRequestToken="t")
    assert stacks.settled("demo")["StackStatus"] == "CREATE_COMPLETE"
    assert stacks.api.list_change_sets(StackName="demo")["Summaries"] == []


def test_an_update_is_shown_and_then_done(stacks: Stacks) -> None:
    stacks.create(TEMPLATE)
    described = change_set(stacks, AFTER, "UPDATE")
    shown = {change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in described["Changes"]}
    assert {name: (change["Action"], change.get("Replacement")) for name, change in shown.items()} == {
        "Changed": ("Modify", "False"),
        "Replaced": ("Modify", "True"),
        "Added": ("Add", None),
        "Gone": ("Remove", None),
    }
    assert stacks.physical("Replaced").endswith("/old")
    stacks.api.execute_change_set(StackName="demo", ChangeSetName=described["ChangeSetId"])
    assert stacks.settled("demo")["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.physical("Replaced").endswith("/new")


def test_a_change_set_without_changes_failed_and_cannot_be_executed(stacks: Stacks) -> None:
    stacks.create(TEMPLATE)
    described = change_set(stacks, TEMPLATE, "UPDATE")
    assert described["Status"] == "FAILED"
    assert "didn't contain changes" in described["StatusReason"]
    with pytest.raises(ClientError, match="InvalidChangeSetStatus"):
        stacks.api.execute_change_set(StackName="demo", ChangeSetName="cs")


def test_a_deleted_change_set_is_gone(stacks: Stacks) -> None:
    stacks.create(TEMPLATE)
    change_set(stacks, AFTER, "UPDATE")
    stacks.api.delete_change_set(StackName="demo", ChangeSetName="cs")
    with pytest.raises(ClientError, match="ChangeSetNotFound"):
        stacks.api.describe_change_set(StackName="demo", ChangeSetName="cs")


def test_a_living_stack_is_not_created_again(stacks: Stacks) -> None:
    stacks.create(TEMPLATE)
    with pytest.raises(ClientError, match="already exists"):
        change_set(stacks, AFTER, "CREATE")
    with pytest.raises(ClientError, match="change sets of the types"):
        change_set(stacks, AFTER, "IMPORT")
