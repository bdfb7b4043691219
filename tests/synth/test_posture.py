"""What every resource of every template must have, whatever the configuration: a table from resource type to its check.

A type that is not in the table fails, so that whoever adds one says what keeps it safe.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from contracts.privacy import secret_name
from tests.synth.templates import Template, as_list, text
from tests.synth.test_roles import UNBOUNDED
from tests.synth.variants import VARIANTS, Assembly

Resource = Mapping[str, Any]
Check = Callable[[Resource], bool]

RETENTION_DAYS = 90
HASH_KEY = secret_name("breast-cancer-dev")
SERVER_SIDE = "AccessLogs"  # S3 delivers them to a bucket with SSE-S3 only


def _has_key(value: Any) -> bool:
    """Is it the project's key, of this stack or of the data stack?"""
    return re.search(r'"(Fn::GetAtt": \["Key|Fn::ImportValue": "[^"]*:ExportsOutput[^"]*Key)', text(value)) is not None


def _bucket(bucket: Resource) -> bool:
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    default = rule["ServerSideEncryptionByDefault"]
    if default["SSEAlgorithm"] == "aws:kms":
        encrypted = _has_key(default["KMSMasterKeyID"]) and "LoggingConfiguration" in bucket
    else:
        encrypted = default["SSEAlgorithm"] == "AES256"  # which bucket that is: see below
    blocked = bucket["PublicAccessBlockConfiguration"]
    return encrypted and len(blocked) == 4 and all(blocked.values()) and "BucketOwnerEnforced" in text(bucket["OwnershipControls"])


def _log_group(group: Resource) -> bool:
    return group["RetentionInDays"] == RETENTION_DAYS and _has_key(group["KmsKeyId"])


def _environment(function: Resource) -> bool:
    """No secret by value: what is called like one must be a reference to it, or the name of the only one there is."""
    named = {name: value for name, value in function["Environment"]["Variables"].items() if re.search("SECRET|PASSWORD|TOKEN|KEY", name)}
    return all(isinstance(value, Mapping) or value == HASH_KEY for value in named.values()) and "LoggingConfig" in function


def _permission(permission: Resource) -> bool:
    return str(permission["Principal"]).endswith(".amazonaws.com") and "SourceArn" in permission


def _endpoint_config(config: Resource) -> bool:
    captures = "DataCaptureConfig" in config
    return _has_key(config["KmsKeyId"]) and (not captures or _has_key(config["DataCaptureConfig"]["KmsKeyId"]))


def _stage(stage: Resource) -> bool:
    return "AccessLogSettings" in stage and stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0


def _job_definition(definition: Resource) -> bool:
    outputs = next(value for name, value in definition.items() if name.endswith("JobOutputConfig"))
    return _has_key(outputs["KmsKeyId"]) and _has_key(definition["JobResources"]["ClusterConfig"]["VolumeKmsKeyId"])


def _nothing(_: Resource) -> bool:
    """Holds no data, opens nothing; its statements, if any, are looked at with all others."""
    return True


CHECKS: Mapping[str, Check] = {
    "ApiGatewayV2::Api": lambda api: "CorsConfiguration" not in api,
    "ApiGatewayV2::Authorizer": lambda authorizer: authorizer["JwtConfiguration"]["Issuer"].startswith("https://"),
    "ApiGatewayV2::Integration": _nothing,
    "ApiGatewayV2::Route": lambda route: (
        route["AuthorizationType"] == "AWS_IAM" or (route["AuthorizationType"] == "JWT" and "AuthorizerId" in route)
    ),
    "ApiGatewayV2::Stage": _stage,
    "ApplicationAutoScaling::ScalableTarget": _nothing,
    "ApplicationAutoScaling::ScalingPolicy": _nothing,
    "CloudWatch::Alarm": _nothing,
    "CloudWatch::Dashboard": _nothing,
    "DynamoDB::Table": lambda table: (
        table["SSESpecification"]["SSEType"] == "KMS" and _has_key(table["SSESpecification"]["KMSMasterKeyId"])
    ),
    "EC2::FlowLog": lambda log: log["TrafficType"] == "ALL" and "LogGroupName" in log,
    "EC2::RouteTable": _nothing,  # with routes to endpoints only: see test_network.py
    "EC2::SecurityGroup": lambda group: "SecurityGroupIngress" not in group,
    "EC2::SecurityGroupIngress": lambda rule: "SourceSecurityGroupId" in rule and "CidrIp" not in rule,
    "EC2::Subnet": lambda subnet: subnet["MapPublicIpOnLaunch"] is False,
    "EC2::SubnetRouteTableAssociation": _nothing,
    "EC2::VPC": _nothing,
    "EC2::VPCEndpoint": _nothing,
    "Events::Rule": lambda rule: all("DeadLetterConfig" in target for target in rule["Targets"]),
    "IAM::Role": lambda role: "ManagedPolicyArns" not in role,
    "KMS::Alias": _nothing,
    "KMS::Key": lambda key: key["EnableKeyRotation"] is True,
    "Kinesis::Stream": lambda stream: _has_key(stream["StreamEncryption"]["KeyId"]),
    "Lambda::EventInvokeConfig": lambda config: "OnFailure" in config["DestinationConfig"],
    "Lambda::EventSourceMapping": lambda mapping: "OnFailure" in mapping["DestinationConfig"],
    "Lambda::Function": _environment,
    "Lambda::Permission": _permission,
    "Logs::LogGroup": _log_group,
    "S3::Bucket": _bucket,
    "S3::BucketPolicy": _nothing,
    "SageMaker::DataQualityJobDefinition": _job_definition,
    "SageMaker::Endpoint": _nothing,
    "SageMaker::EndpointConfig": _endpoint_config,
    "SageMaker::Model": _nothing,
    "SageMaker::ModelPackageGroup": _nothing,
    "SageMaker::ModelQualityJobDefinition": _job_definition,
    "SageMaker::MonitoringSchedule": _nothing,
    "SageMaker::Pipeline": lambda pipeline: text(pipeline).count("KmsKeyId") >= 6,  # volume and output of three jobs
    "Scheduler::Schedule": lambda schedule: "DeadLetterConfig" in schedule["Target"],
    "SecretsManager::Secret": lambda secret: _has_key(secret["KmsKeyId"]) and "SecretString" not in secret,
    "SNS::Topic": lambda topic: _has_key(topic["KmsMasterKeyId"]),
    "SNS::TopicPolicy": _nothing,
    "SQS::Queue": lambda queue: _has_key(queue["KmsMasterKeyId"]),
    "SQS::QueuePolicy": _nothing,
}
# In a VPC: looking at networks knows no resources.
LOOKING = {f"ec2:Describe{kind}" for kind in ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")}
LOOKING |= {"logs:DescribeLogGroups"}
POLICIES = {"S3::Bucket": "S3::BucketPolicy", "SQS::Queue": "SQS::QueuePolicy", "SNS::Topic": "SNS::TopicPolicy"}


@pytest.fixture(params=VARIANTS)
def assembly_of(request: pytest.FixtureRequest, variant: Callable[[str], Assembly]) -> Assembly:
    """Every configuration in turn."""
    return variant(request.param)


def _resources(assembly: Assembly) -> Iterator[tuple[str, str, Resource]]:
    """(where, type, properties) of every resource."""
    for part, template in assembly.templates.items():
        for name, resource in template.resources.items():
            yield f"{part}/{name}", resource["Type"].removeprefix("AWS::"), resource.get("Properties", {})


def _statements(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every policy statement somewhere in a value."""
    if isinstance(value, Mapping):
        if "Effect" in value and ("Action" in value or "NotAction" in value):
            yield value
        for item in value.values():
            yield from _statements(item)
    elif isinstance(value, list):
        for item in value:
            yield from _statements(item)


def _allowed(assembly: Assembly) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(where, type, statement) of everything that is allowed."""
    for where, kind, properties in _resources(assembly):
        for statement in _statements(properties):
            if statement["Effect"] == "Allow":
                yield where, kind, statement


def test_every_resource_passes_its_check(assembly_of: Assembly) -> None:
    for where, kind, properties in _resources(assembly_of):
        assert kind in CHECKS, f"{where}: say in CHECKS what keeps a {kind} safe"
        assert CHECKS[kind](properties), f"{where} ({kind}) fails its check"


def test_only_access_logs_are_not_under_the_key(assembly_of: Assembly) -> None:
    buckets = assembly_of.templates["data"].of("S3::Bucket")
    assert [name for name, bucket in buckets.items() if "AES256" in text(bucket)] == [
        name for name in buckets if name.startswith(SERVER_SIDE)
    ]


def test_buckets_queues_and_topics_refuse_what_is_not_tls(assembly_of: Assembly) -> None:
    for template in assembly_of.templates.values():
        for kind, policy in POLICIES.items():
            refusing = text([each for each in template.of(policy).values() if _refuses_plain_text(each["Properties"])])
            assert [name for name in template.of(kind) if f'"Ref": "{name}"' not in refusing] == []


def _refuses_plain_text(policy: Resource) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement["Principal"] in ("*", {"AWS": "*"})
        and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in _statements(policy)
    )


def test_nobody_is_meant_by_a_wildcard(assembly_of: Assembly) -> None:
    for where, _, statement in _allowed(assembly_of):
        principal = statement.get("Principal", {})
        names = [principal] if isinstance(principal, str) else [name for kind in principal.values() for name in as_list(kind)]
        assert not [name for name in names if "*" in text(name)], where
        assert "NotPrincipal" not in statement, where


def test_no_action_has_a_wildcard(assembly_of: Assembly) -> None:
    for where, _, statement in _allowed(assembly_of):
        assert "NotAction" not in statement, where
        assert not [action for action in as_list(statement["Action"]) if "*" in action], where


def test_all_resources_are_meant_only_where_aws_knows_none(assembly_of: Assembly) -> None:
    for where, kind, statement in _allowed(assembly_of):
        if kind != "KMS::Key" and "*" in as_list(statement.get("Resource", [])):  # in a key's policy: the key
            assert set(as_list(statement["Action"])) <= UNBOUNDED | LOOKING, where


SECRETS = re.compile(r"(AKIA|ASIA)[A-Z0-9]{16}|BEGIN [A-Z ]*PRIVATE KEY|gh[pousr]_[A-Za-z0-9]{36}|xox[abp]-|:[^/@\s\"]+@[a-z]")


def test_no_template_holds_a_secret(assembly_of: Assembly) -> None:
    for part, template in assembly_of.templates.items():
        assert (part, SECRETS.search(json.dumps(template.body))) == (part, None)
        assert not [name for name, each in template.body.get("Parameters", {}).items() if "NoEcho" in each], part


def test_the_checks_find_what_they_look_for() -> None:
    """Each of them fails on a careless resource."""
    careless = Template({"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": "alias/aws/sns"}}}})
    assert not CHECKS["SNS::Topic"](careless.only("SNS::Topic"))
    assert not _log_group({"RetentionInDays": 90, "KmsKeyId": "alias/other"})
    assert not _environment({"Environment": {"Variables": {"API_TOKEN": "12345"}}, "LoggingConfig": {}})
    assert not _refuses_plain_text({"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*"}]}})
    assert SECRETS.search('"AKIAIOSFODNN7EXAMPLE"') is not None
