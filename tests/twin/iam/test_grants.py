"""Every statement of a deployed template is found, and each can be withheld from what it decides, whatever kind of policy it is in."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.functions.helpers import asset
from twin.cloud import Credentials
from twin.events.targets import send_to_queue
from twin.iam import AccessDenied, PolicyError
from twin.iam import grants as grants_module
from twin.iam.findings import findings_of
from twin.iam.grants import grants_of
from twin.iam.services import check_topic
from twin.iam.usage import Grant, usage, withheld
from twin.server import TwinServer

STACK = "project-dev-control"
RULE = "arn:aws:events:us-east-1:123456789012:rule/r"
ALARM = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a"
ENDPOINT = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/project-dev"
OBJECTS = "arn:aws:s3:::bucket-of-the-test"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${Bucket.Arn}/*"}}
DESCRIBE = {"Effect": "Allow", "Action": "sagemaker:DescribeEndpoint", "Resource": ENDPOINT}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def service(name: str, action: str, resource: Any = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": name}, "Action": action} | ({"Resource": resource} if resource else {})


def template(*own: dict[str, Any], **more: Any) -> str:
    """A role with these statements, and every kind of policy that the project deploys."""
    everybody = {"Principal": {"AWS": {"Fn::GetAtt": ["WorkerRole", "Arn"]}}}
    resources: dict[str, Any] = {
        "WorkerRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": document(service("lambda.amazonaws.com", "sts:AssumeRole", None)),
                "Policies": [{"PolicyName": "Exactly", "PolicyDocument": document(*own)}],
            },
        },
        "MorePolicy": {
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "PolicyName": "More",
                "Roles": [{"Ref": "WorkerRole"}],
                "PolicyDocument": document({"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}),
            },
        },
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "bucket-of-the-test"}},
        "BucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Bucket"},
                "PolicyDocument": document(
                    everybody | {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": {"Fn::GetAtt": ["Bucket", "Arn"]}}
                ),
            },
        },
        "Key": {
            "Type": "AWS::KMS::Key",
            "Properties": {"KeyPolicy": document(everybody | {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*"})},
        },
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "queue"}},
        "QueuePolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": document(service("events.amazonaws.com", "sqs:SendMessage"))},
        },
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "topic"}},
        "TopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": document(service("cloudwatch.amazonaws.com", "sns:Publish"))},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "function",
                "Runtime": "python3.12",
                "Handler": "handler.handle",
                "Role": {"Fn::GetAtt": ["WorkerRole", "Arn"]},
                "Code": {"S3Bucket": "code-of-the-test", "S3Key": "code.zip"},
            },
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": RULE,
            },
        },
    }
    return json.dumps({"Resources": resources | more})


def deploy(twin: TwinServer, body: str) -> list[Grant]:
    admin = twin.cloud.client("s3")
    admin.create_bucket(Bucket="code-of-the-test")
    admin.put_object(Bucket="code-of-the-test", Key="code.zip", Body=asset("def handle(event, context): return 1"))
    twin.cloud.client("cloudformation").create_stack(StackName=STACK, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    engine = twin.part("cloudformation")
    stack = engine.wait(STACK)
    assert stack.status.name == "CREATE_COMPLETE", [event for event in stack.events if event.status.reason]
    admin.put_object(Bucket="bucket-of-the-test", Key="a", Body=b"1")
    return grants_of(engine.stacks(), twin.cloud.account, twin.cloud.region)


def session(twin: TwinServer) -> Credentials:
    (role,) = (each for each in twin.cloud.client("iam").list_roles()["Roles"] if "WorkerRole" in each["RoleName"])
    return twin.cloud.assume(role["Arn"], "lambda.amazonaws.com", "worker")


def test_every_statement_of_every_kind_is_found_and_can_be_withheld(twin: TwinServer) -> None:
    grants = {grant.owner + (f".{grant.kind}" if grant.owner == "WorkerRole" else ""): grant for grant in deploy(twin, template(READ))}
    cloud = twin.cloud
    worker = session(twin)
    queue = f"arn:aws:sqs:{cloud.region}:{cloud.account}:queue"
    topic = f"arn:aws:sns:{cloud.region}:{cloud.account}:topic"
    key = grants["Key"].keys[0].holder
    calls: dict[str, Callable[[], Any]] = {
        "WorkerRole.identity": lambda: cloud.client("s3", worker).get_object(Bucket="bucket-of-the-test", Key="a"),
        "WorkerRole.trust": lambda: session(twin),
        "MorePolicy": lambda: cloud.client("sqs", worker).list_queues(),
        "BucketPolicy": lambda: cloud.client("s3", worker).list_objects_v2(Bucket="bucket-of-the-test"),
        "Key": lambda: cloud.client("kms", worker).describe_key(KeyId=key),
        "QueuePolicy": lambda: send_to_queue(cloud, queue, "x", RULE, {}),
        "TopicPolicy": lambda: check_topic(cloud, topic, "cloudwatch.amazonaws.com", ALARM),
        "Permission": lambda: cloud.invoke_async("function", b"{}", "events.amazonaws.com", RULE),
    }
    assert calls.keys() == grants.keys()
    for name, call in calls.items():
        call()
        with withheld(cloud, grants[name]), pytest.raises((AccessDenied, ClientError), match="not authorized"):
            call()
        call()
    found = {each.grant.owner: each for each in usage(list(grants.values()), twin.part("iam").decisions.latest())}
    assert all(each.needed and not each.superfluous for each in found.values())
    assert {grant.id for grant in grants.values()} == {
        f"{STACK}/WorkerRole/identity/Exactly/0",
        f"{STACK}/WorkerRole/trust/0",
        f"{STACK}/MorePolicy/identity/More/0",
        *(f"{STACK}/{name}/resource/0" for name in ("BucketPolicy", "Key", "QueuePolicy", "TopicPolicy")),
        f"{STACK}/Permission/permission/0",
    }


def test_a_policy_that_nothing_proves_is_refused_by_name(twin: TwinServer) -> None:
    managed = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": document(), "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]},
    }
    with pytest.raises(PolicyError, match=r"role Administrator carries arn:aws:iam::aws:policy/AdministratorAccess"):
        deploy(twin, template(READ, Administrator=managed))


def test_a_resource_type_whose_policy_nobody_reads_is_refused_by_name(twin: TwinServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(grants_module.KINDS, "AWS::SQS::QueuePolicy")
    with pytest.raises(PolicyError, match=r"QueuePolicy of stack project-dev-control .* carries a policy in PolicyDocument"):
        deploy(twin, template(READ))


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([READ, DESCRIBE], []),
        (
            [READ],
            [f"role WorkerRole of stack {STACK}: denied sagemaker:DescribeEndpoint on {ENDPOINT} in step deploy"],
        ),
        (
            [READ | {"Action": "s3:*"}, DESCRIBE],
            [f"role WorkerRole of stack {STACK}: s3:* on {OBJECTS}/* was never needed beyond s3:GetObject"],
        ),
        (
            [READ, DESCRIBE, {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
            [
                f"role WorkerRole of stack {STACK}: s3:* on * was never needed: what it matched (s3:GetObject on {OBJECTS}/a) "
                f"role WorkerRole of stack {STACK} (s3:GetObject on {OBJECTS}/*) allows too"
            ],
        ),
    ],
    ids=["exact", "forgotten", "widened", "added"],
)
def test_the_proof_names_role_action_and_resource(twin: TwinServer, statements: list[dict[str, Any]], expected: list[str]) -> None:
    grants = [grant for grant in deploy(twin, template(*statements)) if grant.owner == "WorkerRole"]
    decisions = twin.part("iam").decisions
    with decisions.during("deploy"):
        worker = session(twin)
        twin.cloud.client("s3", worker).get_object(Bucket="bucket-of-the-test", Key="a")
        with pytest.raises(ClientError):  # there is no endpoint, or no permission
            twin.cloud.client("sagemaker", worker).describe_endpoint(EndpointName="project-dev")
    found = findings_of(usage(grants, decisions.latest()), decisions.latest())
    assert [each.words for each in found] == expected
