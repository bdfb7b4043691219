"""Stacks through the CloudFormation API: created, updated, rolled back, deleted."""

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.cloudformation.conftest import Stacks, queue
from twin.server import TwinServer

BROKEN = {
    "Type": "AWS::Lambda::Permission",
    "Properties": {"Action": "lambda:InvokeFunction", "FunctionName": "nowhere", "Principal": "events.amazonaws.com"},
}


def template(outputs: dict[str, Any] | None = None, **resources: Any) -> dict[str, Any]:
    return {"Resources": resources} | ({"Outputs": outputs} if outputs else {})


def visibility(twin: TwinServer, url: str) -> str:
    attributes = twin.cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    return str(attributes["Attributes"]["VisibilityTimeout"])


def queue_names(twin: TwinServer) -> set[str]:
    return {url.rpartition("/")[2] for url in twin.cloud.client("sqs").list_queues().get("QueueUrls", ())}


def test_a_stack_lives_through_boto3s_own_waiters(twin: TwinServer) -> None:
    api = twin.cloud.client("cloudformation")
    quick = {"Delay": 0.02, "MaxAttempts": 200}
    outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Jobs", "Arn"]}, "Description": "the queue"}}
    created = api.create_stack(
        StackName="demo", TemplateBody=json.dumps(template(outputs, Jobs=queue())), Tags=[{"Key": "team", "Value": "a"}]
    )
    api.get_waiter("stack_create_complete").wait(StackName="demo", WaiterConfig=quick)
    (stack,) = api.describe_stacks(StackName="demo")["Stacks"]
    assert stack["StackId"] == created["StackId"]
    assert stack["Tags"] == [{"Key": "team", "Value": "a"}]
    assert stack["Outputs"][0]["OutputValue"].startswith("arn:aws:sqs:us-east-1:123456789012:demo-Jobs-")
    assert stack["Outputs"][0]["Description"] == "the queue"

    api.update_stack(StackName="demo", TemplateBody=json.dumps(template(outputs, Jobs=queue(VisibilityTimeout=60))))
    api.get_waiter("stack_update_complete").wait(StackName="demo", WaiterConfig=quick)
    assert visibility(twin, api.describe_stack_resources(StackName="demo")["StackResources"][0]["PhysicalResourceId"]) == "60"

    api.delete_stack(StackName="demo")
    api.get_waiter("stack_delete_complete").wait(StackName="demo", WaiterConfig=quick)
    assert queue_names(twin) == set()
    with pytest.raises(ClientError, match="Stack with id demo does not exist"):
        api.describe_stacks(StackName="demo")
    assert api.describe_stacks(StackName=created["StackId"])["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"


def test_the_events_tell_the_documented_story(stacks: Stacks) -> None:
    stacks.create(template(Jobs=queue()))
    stacks.update(template(Jobs=queue(VisibilityTimeout=60)))
    assert stacks.statuses() == [
        ("demo", "CREATE_IN_PROGRESS"),
        ("Jobs", "CREATE_IN_PROGRESS"),
        ("Jobs", "CREATE_COMPLETE"),
        ("demo", "CREATE_COMPLETE"),
        ("demo", "UPDATE_IN_PROGRESS"),
        ("Jobs", "UPDATE_IN_PROGRESS"),
        ("Jobs", "UPDATE_COMPLETE"),
        ("demo", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("demo", "UPDATE_COMPLETE"),
    ]


def test_stack_statuses_are_published(twin: TwinServer) -> None:
    published: list[tuple[str, str, dict[str, Any], list[str]]] = []
    twin.cloud.publish = lambda source, kind, detail, resources=(): published.append((source, kind, dict(detail), list(resources)))
    api = twin.cloud.client("cloudformation")
    stack_id = api.create_stack(StackName="demo", TemplateBody=json.dumps(template(Jobs=queue())), ClientRequestToken="t-1")["StackId"]
    twin.part("cloudformation").wait("demo")
    assert [event[2]["status-details"]["status"] for event in published] == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    source, kind, detail, resources = published[-1]
    assert (source, kind, resources) == ("aws.cloudformation", "CloudFormation Stack Status Change", [stack_id])
    assert detail == {
        "stack-id": stack_id,
        "status-details": {"status": "CREATE_COMPLETE", "status-reason": ""},
        "client-request-token": "t-1",
    }


def test_a_failed_create_leaves_nothing_but_the_reason(stacks: Stacks, twin: TwinServer) -> None:
    stack = stacks.create(template(Jobs=queue(), Broken=BROKEN | {"DependsOn": ["Jobs"]}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "nowhere" in stacks.reasons()["Broken"]
    assert ("demo", "ROLLBACK_IN_PROGRESS") in stacks.statuses()
    assert queue_names(twin) == set()
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        stacks.update(template(Jobs=queue()))


def test_a_resource_that_fails_half_made_is_removed_too(stacks: Stacks, twin: TwinServer) -> None:
    half = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "half-made", "NotificationConfiguration": {"TopicConfigurations": []}}}
    assert stacks.create(template(Half=half))["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "TopicConfigurations" in stacks.reasons()["Half"]
    assert "half-made" not in {bucket["Name"] for bucket in twin.cloud.client("s3").list_buckets()["Buckets"]}


def test_on_failure_do_nothing_keeps_what_was_made(stacks: Stacks, twin: TwinServer) -> None:
    stack = stacks.create(template(Jobs=queue(QueueName="jobs"), Broken=BROKEN | {"DependsOn": ["Jobs"]}), OnFailure="DO_NOTHING")
    assert stack["StackStatus"] == "CREATE_FAILED"
    assert queue_names(twin) == {"jobs"}


def test_a_replacement_is_made_first_and_the_old_one_goes_last(stacks: Stacks, twin: TwinServer) -> None:
    user = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "/queue", "Type": "String", "Value": {"Fn::GetAtt": ["Jobs", "QueueName"]}},
    }
    stacks.create(template(Jobs=queue(QueueName="one"), User=user))
    stacks.update(template(Jobs=queue(QueueName="two"), User=user))
    assert queue_names(twin) == {"two"}
    assert twin.cloud.client("ssm").get_parameter(Name="/queue")["Parameter"]["Value"] == "two"
    statuses = stacks.statuses()
    assert statuses.index(("User", "UPDATE_COMPLETE")) < statuses.index(("Jobs", "DELETE_COMPLETE"))
    assert stacks.physical("Jobs").endswith("/two")


def test_a_replaced_resource_stays_when_its_policy_says_so(stacks: Stacks, twin: TwinServer) -> None:
    stacks.create(template(Jobs=queue(QueueName="one") | {"UpdateReplacePolicy": "Retain"}))
    stacks.update(template(Jobs=queue(QueueName="two") | {"UpdateReplacePolicy": "Retain"}))
    assert queue_names(twin) == {"one", "two"}
    assert ("Jobs", "DELETE_SKIPPED") in stacks.statuses()
    assert stacks.delete()["StackStatus"] == "DELETE_COMPLETE"
    assert queue_names(twin) == {"one"}


def test_a_busy_stack_takes_nothing_else(stacks: Stacks, twin: TwinServer) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def hold(source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        if detail["status-details"]["status"] == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
            reached.set()
            go_on.wait(10)

    stacks.create(template(Jobs=queue()))
    twin.cloud.publish = hold
    stacks.api.update_stack(StackName="demo", TemplateBody=json.dumps(template(Jobs=queue(DelaySeconds=1))))
    assert reached.wait(10)
    try:
        busy = "is in UPDATE_COMPLETE_CLEANUP_IN_PROGRESS state and can not be"
        with pytest.raises(ClientError, match=busy):
            stacks.update(template(Jobs=queue(DelaySeconds=2)))
        with pytest.raises(ClientError, match=busy):
            stacks.delete()
        assert stacks.create(template(Jobs=queue()), name="another")["StackStatus"] == "CREATE_COMPLETE"
    finally:
        go_on.set()
    assert stacks.settled("demo")["StackStatus"] == "UPDATE_COMPLETE"


def test_a_failed_update_brings_everything_back(stacks: Stacks, twin: TwinServer) -> None:
    before = template(Same=queue(VisibilityTimeout=10), Moved=queue(QueueName="old"), Gone=queue(QueueName="gone"))
    stacks.create(before)
    same, moved = stacks.physical("Same"), stacks.physical("Moved")
    after = template(
        Same=queue(VisibilityTimeout=20),
        Moved=queue(QueueName="new"),
        Added=queue(QueueName="added"),
        Broken=BROKEN | {"DependsOn": ["Same", "Moved", "Added"]},
    )
    stack = stacks.update(after)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "nowhere" in stacks.reasons()["Broken"]
    assert queue_names(twin) == {same.rpartition("/")[2], "old", "gone"}
    assert visibility(twin, same) == "10"
    assert (stacks.physical("Same"), stacks.physical("Moved")) == (same, moved)
    assert json.loads(json.dumps(stacks.api.get_template(StackName="demo")["TemplateBody"])) == before
    assert [status for logical_id, status in stacks.statuses() if logical_id == "demo"][-3:] == [
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    assert stacks.update(template(Same=queue(VisibilityTimeout=30)))["StackStatus"] == "UPDATE_COMPLETE"
    assert queue_names(twin) == {same.rpartition("/")[2]}


def test_a_named_resource_cannot_be_replaced_under_its_name(stacks: Stacks) -> None:
    def group(description: str) -> dict[str, Any]:
        properties = {"ModelPackageGroupName": "g", "ModelPackageGroupDescription": description}
        return template(Group={"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": properties})

    stacks.create(group("a"))
    assert stacks.update(group("b"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Rename g and update the stack again" in stacks.reasons()["Group"]


def test_a_parameter_update_switches_conditional_resources(stacks: Stacks, twin: TwinServer) -> None:
    conditional = {
        "Parameters": {"ModelPackageArn": {"Type": "String", "Default": ""}},
        "Conditions": {"HasModel": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ModelPackageArn"}, ""]}]}},
        "Resources": {"Always": queue(QueueName="always"), "Model": queue(QueueName="model") | {"Condition": "HasModel"}},
        "Outputs": {"Model": {"Condition": "HasModel", "Value": {"Fn::GetAtt": ["Model", "QueueName"]}}},
    }
    assert "Outputs" not in stacks.create(conditional)
    on = [{"ParameterKey": "ModelPackageArn", "ParameterValue": "arn:1"}]
    assert stacks.update(Parameters=on)["Outputs"][0]["OutputValue"] == "model"
    assert queue_names(twin) == {"always", "model"}

    same = [{"ParameterKey": "ModelPackageArn", "UsePreviousValue": True}]
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stacks.update(Parameters=same)

    off = [{"ParameterKey": "ModelPackageArn", "ParameterValue": ""}]
    assert stacks.update(Parameters=off)["StackStatus"] == "UPDATE_COMPLETE"
    assert queue_names(twin) == {"always"}


def test_retained_resources_outlive_their_stack(stacks: Stacks, twin: TwinServer) -> None:
    stacks.create(template(Kept=queue(QueueName="kept") | {"DeletionPolicy": "Retain"}, Gone=queue(QueueName="gone")))
    assert stacks.delete()["StackStatus"] == "DELETE_COMPLETE"
    assert queue_names(twin) == {"kept"}


def test_what_cannot_be_deleted_fails_the_deletion_and_can_be_retained(stacks: Stacks, twin: TwinServer) -> None:
    stacks.create(template(Data={"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "full"}}, Jobs=queue()))
    twin.cloud.client("s3").put_object(Bucket="full", Key="k", Body=b"x")
    assert stacks.delete()["StackStatus"] == "DELETE_FAILED"
    assert "not empty" in stacks.reasons()["Data"]
    assert queue_names(twin) == set()
    assert stacks.delete(RetainResources=["Data"])["StackStatus"] == "DELETE_COMPLETE"


def test_an_export_in_use_can_neither_change_nor_go(stacks: Stacks) -> None:
    def exporter(name: str) -> dict[str, Any]:
        outputs = {"Name": {"Value": {"Fn::GetAtt": ["Jobs", "QueueName"]}, "Export": {"Name": "jobs"}}}
        return template(outputs, Jobs=queue(QueueName=name))

    importer = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/n", "Type": "String", "Value": {"Fn::ImportValue": "jobs"}}}
    with pytest.raises(ClientError, match="No export named jobs found"):
        stacks.create(template(User=importer), name="importer")
    stacks.create(exporter("one"), name="exporter")
    stacks.create(template(User=importer), name="importer")
    assert [export["Value"] for export in stacks.api.list_exports()["Exports"]] == ["one"]
    assert stacks.api.list_imports(ExportName="jobs")["Imports"] == ["importer"]

    assert stacks.update(exporter("two"), name="exporter")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.create(exporter("three"), name="second")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stacks.delete("exporter")["StackStatus"] == "DELETE_FAILED"
    stacks.delete("importer")
    assert stacks.delete("exporter")["StackStatus"] == "DELETE_COMPLETE"


def test_requests_are_refused_before_anything_is_made(stacks: Stacks, twin: TwinServer) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
    with pytest.raises(ClientError, match="InsufficientCapabilitiesException"):
        stacks.api.create_stack(StackName="demo", TemplateBody=json.dumps(template(Jobs=queue(), Role=role)))
    with pytest.raises(ClientError, match="Colour"):
        stacks.create(template(Jobs=queue(), Other=queue(Colour="red")))
    with pytest.raises(ClientError, match="less than or equal to 51200"):
        stacks.create(template(Jobs=queue()) | {"Description": "x" * 51_200})
    assert queue_names(twin) == set()
    assert stacks.api.list_stacks()["StackSummaries"] == []


def test_a_name_is_taken_once_and_a_token_makes_a_repeat_harmless(stacks: Stacks) -> None:
    first = stacks.create(template(Jobs=queue()), ClientRequestToken="t")
    assert stacks.create(template(Jobs=queue()), ClientRequestToken="t")["StackId"] == first["StackId"]
    with pytest.raises(ClientError, match="AlreadyExistsException"):
        stacks.create(template(Jobs=queue()))
    changed = template(Jobs=queue(VisibilityTimeout=5))
    stacks.update(changed, ClientRequestToken="u")
    events = len(stacks.statuses())
    stacks.update(template(Jobs=queue(VisibilityTimeout=6)), ClientRequestToken="u")
    assert len(stacks.statuses()) == events


def test_the_type_of_a_resource_cannot_change(stacks: Stacks) -> None:
    stacks.create(template(Jobs=queue()))
    with pytest.raises(ClientError, match=r"Update of resource type is not permitted.*\[Jobs\]"):
        stacks.update(template(Jobs={"Type": "AWS::SNS::Topic"}))


def test_a_template_can_come_from_s3(stacks: Stacks, twin: TwinServer) -> None:
    bucket = "cdk-hnb659fds-assets-123456789012-us-east-1"
    twin.cloud.client("s3").put_object(Bucket=bucket, Key="a/t.json", Body=json.dumps(template(Jobs=queue())))
    url = f"https://{bucket}.s3.us-east-1.amazonaws.com/a/t.json"
    stacks.api.create_stack(StackName="demo", TemplateURL=url)
    assert stacks.settled("demo")["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="S3 error"):
        stacks.api.create_stack(StackName="other", TemplateURL=url + "x")


def test_termination_protection_holds(stacks: Stacks) -> None:
    stacks.create(template(Jobs=queue()), EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="TerminationProtection is enabled"):
        stacks.delete()
    stacks.api.update_termination_protection(StackName="demo", EnableTerminationProtection=False)
    assert stacks.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_other_operations_are_refused_by_name(stacks: Stacks) -> None:
    with pytest.raises(ClientError, match=r"NotEmulatedByTheTwin.*create_stack_set"):
        stacks.api.create_stack_set(StackSetName="x")
