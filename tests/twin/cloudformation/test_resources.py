"""Every resource type reaches its API with every property, changes in place, and goes again.

everything.json holds one resource of each type but the models and endpoints of SageMaker, which need a registered model (see
test_endpoint_handler.py and tests/twin/sagemaker), and what watches an endpoint (see test_monitoring_handlers.py).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.twin.cloudformation.conftest import Stacks
from twin.cloudformation.resources import types
from twin.server import TwinServer

EVERYTHING = json.loads((Path(__file__).parent / "everything.json").read_text())
SERVED = {"AWS::SageMaker::Endpoint", "AWS::SageMaker::EndpointConfig", "AWS::SageMaker::Model"}
WATCHING = {"AWS::SageMaker::DataQualityJobDefinition", "AWS::SageMaker::ModelQualityJobDefinition", "AWS::SageMaker::MonitoringSchedule"}
ELSEWHERE = SERVED | WATCHING


def everything(**changes: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = json.loads(json.dumps(EVERYTHING))
    for logical_id, properties in changes.items():
        resource = template["Resources"][logical_id]
        resource["Properties"] = {key: value for key, value in (resource["Properties"] | properties).items() if value is not None}
    return template


def test_no_type_is_left_out() -> None:
    assert {resource["Type"] for resource in EVERYTHING["Resources"].values()} | ELSEWHERE == set(types())


def _is_generated(secret: str) -> bool:
    return len(secret) == 43 and secret.isalnum() and secret.isascii()


def _authorizer(api: Any, name: str) -> dict[str, Any]:
    (only,) = api.get_apis()["Items"]
    found: dict[str, Any] = api.get_authorizer(ApiId=only["ApiId"], AuthorizerId=name)
    return found


def _stream(api: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return {key: found.get(key) for key in ("RetentionPeriodHours", "EncryptionType")}


Look = Callable[[Any], Any]

# logical id, service, what to look at (given the client and the physical id), and what the template asks for
MADE: list[tuple[str, str, Callable[[Any, str], Any], Any]] = [
    ("Key", "kms", lambda api, key: api.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"], True),
    ("Secret", "secretsmanager", lambda api, arn: _is_generated(api.get_secret_value(SecretId=arn)["SecretString"]), True),
    ("Secret", "secretsmanager", lambda api, _: api.describe_secret(SecretId="hash-key")["Tags"], [{"Key": "a", "Value": "b"}]),
    ("Data", "s3", lambda api, name: api.get_bucket_versioning(Bucket=name)["Status"], "Enabled"),
    ("Data", "s3", lambda api, name: api.get_bucket_logging(Bucket=name)["LoggingEnabled"]["TargetPrefix"], "data/"),
    (
        "Data",
        "s3",
        lambda api, name: api.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]["RestrictPublicBuckets"],
        True,
    ),
    (
        "Data",
        "s3",
        lambda api, name: api.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]["BucketKeyEnabled"],
        True,
    ),
    ("AccessLogs", "s3", lambda api, name: api.get_bucket_lifecycle_configuration(Bucket=name)["Rules"][0]["Expiration"]["Days"], 90),
    ("Ledger", "dynamodb", lambda api, name: api.describe_table(TableName=name)["Table"]["SSEDescription"]["SSEType"], "KMS"),
    (
        "Ledger",
        "dynamodb",
        lambda api, name: api.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
        {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"},
    ),
    ("Role", "iam", lambda api, name: api.list_role_policies(RoleName=name)["PolicyNames"], ["P"]),
    ("Role", "iam", lambda api, name: len(api.list_attached_role_policies(RoleName=name)["AttachedPolicies"]), 1),
    ("SchedRole", "iam", lambda api, name: api.list_role_policies(RoleName=name)["PolicyNames"], ["x"]),
    ("Fn", "lambda", lambda api, name: api.get_function_configuration(FunctionName=name)["MemorySize"], 512),
    ("Fn", "lambda", lambda api, name: api.get_function_configuration(FunctionName=name)["TracingConfig"], {"Mode": "Active"}),
    ("Fn", "lambda", lambda api, name: api.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"], 2),
    (
        "Fn",
        "lambda",
        lambda api, name: api.get_function_event_invoke_config(FunctionName=name)["MaximumRetryAttempts"],
        2,
    ),
    ("Fn", "lambda", lambda api, name: len(json.loads(api.get_policy(FunctionName=name)["Policy"])["Statement"]), 1),
    ("Fn", "lambda", lambda api, name: api.get_alias(FunctionName=name, Name="live")["FunctionVersion"], "1"),
    (
        "Rule",
        "events",
        lambda api, name: api.list_targets_by_rule(Rule=name)["Targets"][0]["RetryPolicy"],
        {"MaximumRetryAttempts": 4, "MaximumEventAgeInSeconds": 3600},
    ),
    (
        "Sched",
        "scheduler",
        lambda api, name: api.get_schedule(Name=name, GroupName="grp")["ScheduleExpression"],
        "rate(15 minutes)",
    ),
    (
        "Dlq",
        "sqs",
        lambda api, url: api.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["MessageRetentionPeriod"],
        "1209600",
    ),
    ("Sub", "sns", lambda api, arn: api.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["RawMessageDelivery"], "true"),
    ("Alarm", "cloudwatch", lambda api, name: api.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["DatapointsToAlarm"], 2),
    ("Dash", "cloudwatch", lambda api, name: api.get_dashboard(DashboardName=name)["DashboardBody"], '{"widgets":[]}'),
    ("Authorizer", "apigatewayv2", lambda api, name: _authorizer(api, name)["JwtConfiguration"]["Audience"], ["tides"]),
    ("Api", "apigatewayv2", lambda api, name: api.get_routes(ApiId=name)["Items"][0]["AuthorizationType"], "AWS_IAM"),
    ("Api", "apigatewayv2", lambda api, name: api.get_integrations(ApiId=name)["Items"][0]["PayloadFormatVersion"], "2.0"),
    (
        "Api",
        "apigatewayv2",
        lambda api, name: api.get_stage(ApiId=name, StageName="$default")["DefaultRouteSettings"]["ThrottlingBurstLimit"],
        10,
    ),
    ("LG", "logs", lambda api, name: api.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["retentionInDays"], 30),
    (
        "Pipe",
        "sagemaker",
        lambda api, name: json.loads(api.describe_pipeline(PipelineName=name)["PipelineDefinition"])["Version"],
        "2020-12-01",
    ),
    ("Stream", "kinesis", _stream, {"RetentionPeriodHours": 48, "EncryptionType": "KMS"}),
    ("Stream", "kinesis", lambda api, name: len(api.list_tags_for_stream(StreamName=name)["Tags"]), 2),
    ("Mapping", "lambda", lambda api, name: api.get_event_source_mapping(UUID=name)["MaximumBatchingWindowInSeconds"], 5),
    ("Param", "ssm", lambda api, name: api.get_parameter(Name=name)["Parameter"]["Value"], "v"),
    (
        "Scaling",
        "application-autoscaling",
        lambda api, arn: api.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"][0][
            "TargetTrackingScalingPolicyConfiguration"
        ]["TargetValue"],
        700.0,
    ),
]

# What an update changes, and how it shows.
CHANGES: dict[str, dict[str, Any]] = {
    "Key": {"EnableKeyRotation": False},
    "Secret": {"Description": "changed", "Tags": None},
    "Data": {"VersioningConfiguration": {"Status": "Suspended"}, "LoggingConfiguration": None},
    "Ledger": {"TimeToLiveSpecification": None, "DeletionProtectionEnabled": False},
    "SchedRole": {"Policies": None, "MaxSessionDuration": 7200},
    "Fn": {"MemorySize": 1024, "TracingConfig": None, "ReservedConcurrentExecutions": None},
    "EIC": {"MaximumRetryAttempts": 1},
    "Sched": {"State": "DISABLED"},
    "Dlq": {"MessageRetentionPeriod": 600},
    "Alarm": {"DatapointsToAlarm": 3},
    "Stage": {"DefaultRouteSettings": {"ThrottlingBurstLimit": 20, "ThrottlingRateLimit": 20}},
    "LG": {"RetentionInDays": 60},
    "Param": {"Value": "w"},
    "Stream": {"RetentionPeriodHours": 24, "StreamEncryption": None, "Tags": [{"Key": "a", "Value": "b"}]},
    "Mapping": {"BatchSize": 20, "Enabled": False},
    "Target": {"MaxCapacity": 6},
    "Api": {"Description": "changed"},
    "Authorizer": {"JwtConfiguration": {"Audience": ["tides", "moons"], "Issuer": "https://id.example.com"}},
}
CHANGED: list[tuple[str, str, Callable[[Any, str], Any], Any]] = [
    ("Key", "kms", lambda api, key: api.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"], False),
    ("Secret", "secretsmanager", lambda api, arn: api.describe_secret(SecretId=arn)["Description"], "changed"),
    ("Secret", "secretsmanager", lambda api, arn: api.describe_secret(SecretId=arn).get("Tags", []), []),
    ("Data", "s3", lambda api, name: api.get_bucket_versioning(Bucket=name)["Status"], "Suspended"),
    ("Data", "s3", lambda api, name: "LoggingEnabled" in api.get_bucket_logging(Bucket=name), False),
    (
        "Ledger",
        "dynamodb",
        lambda api, name: api.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"],
        "DISABLED",
    ),
    ("SchedRole", "iam", lambda api, name: api.list_role_policies(RoleName=name)["PolicyNames"], []),
    ("SchedRole", "iam", lambda api, name: api.get_role(RoleName=name)["Role"]["MaxSessionDuration"], 7200),
    ("Fn", "lambda", lambda api, name: api.get_function_configuration(FunctionName=name)["MemorySize"], 1024),
    ("Fn", "lambda", lambda api, name: api.get_function_configuration(FunctionName=name)["TracingConfig"], {"Mode": "PassThrough"}),
    ("Fn", "lambda", lambda api, name: api.get_function_event_invoke_config(FunctionName=name)["MaximumRetryAttempts"], 1),
    ("Sched", "scheduler", lambda api, name: api.get_schedule(Name=name, GroupName="grp")["State"], "DISABLED"),
    ("Alarm", "cloudwatch", lambda api, name: api.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["DatapointsToAlarm"], 3),
    (
        "Api",
        "apigatewayv2",
        lambda api, name: api.get_stage(ApiId=name, StageName="$default")["DefaultRouteSettings"]["ThrottlingBurstLimit"],
        20,
    ),
    ("Api", "apigatewayv2", lambda api, name: api.get_stage(ApiId=name, StageName="$default")["AutoDeploy"], True),
    ("Authorizer", "apigatewayv2", lambda api, name: len(_authorizer(api, name)["JwtConfiguration"]["Audience"]), 2),
    ("LG", "logs", lambda api, name: api.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["retentionInDays"], 60),
    ("Stream", "kinesis", _stream, {"RetentionPeriodHours": 24, "EncryptionType": "NONE"}),
    ("Stream", "kinesis", lambda api, name: len(api.list_tags_for_stream(StreamName=name)["Tags"]), 1),
    ("Mapping", "lambda", lambda api, name: api.get_event_source_mapping(UUID=name)["BatchSize"], 20),
    ("Mapping", "lambda", lambda api, name: api.get_event_source_mapping(UUID=name)["State"], "Disabled"),
    ("Param", "ssm", lambda api, name: api.get_parameter(Name=name)["Parameter"]["Value"], "w"),
    ("Api", "apigatewayv2", lambda api, name: api.get_api(ApiId=name)["Description"], "changed"),
    (
        "Target",
        "application-autoscaling",
        lambda api, _: api.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"][0]["MaxCapacity"],
        6,
    ),
]


def check(stacks: Stacks, twin: TwinServer, looks: list[tuple[str, str, Callable[[Any, str], Any], Any]]) -> None:
    for logical_id, service, look, expected in looks:
        found = look(twin.cloud.client(service), stacks.physical(logical_id))
        assert found == expected, f"{logical_id}: {found!r}"


def test_every_type_is_made_changed_and_removed(stacks: Stacks, twin: TwinServer) -> None:
    assert stacks.create(everything())["StackStatus"] == "CREATE_COMPLETE", stacks.reasons()
    check(stacks, twin, MADE)
    before = {logical_id: stacks.physical(logical_id) for logical_id in CHANGES}
    assert stacks.update(everything(**CHANGES))["StackStatus"] == "UPDATE_COMPLETE", stacks.reasons()
    assert {logical_id: stacks.physical(logical_id) for logical_id in CHANGES} == before, "changed in place"
    check(stacks, twin, CHANGED)
    twin.cloud.client("s3").delete_objects(
        Bucket=stacks.physical("AccessLogs"),
        Delete={"Objects": [{"Key": key} for key in _keys(twin, stacks.physical("AccessLogs"))] or [{"Key": "x"}]},
    )
    assert stacks.delete()["StackStatus"] == "DELETE_COMPLETE"
    for service, operation, key in (
        ("lambda", "list_functions", "Functions"),
        ("iam", "list_roles", "Roles"),
        ("events", "list_rules", "Rules"),
        ("scheduler", "list_schedules", "Schedules"),
        ("apigatewayv2", "get_apis", "Items"),
        ("sns", "list_topics", "Topics"),
        ("logs", "describe_log_groups", "logGroups"),
        ("cloudwatch", "describe_alarms", "MetricAlarms"),
        ("dynamodb", "list_tables", "TableNames"),
        ("sagemaker", "list_pipelines", "PipelineSummaries"),
        ("kms", "list_aliases", "Aliases"),
        ("kinesis", "list_streams", "StreamNames"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings"),
        ("secretsmanager", "list_secrets", "SecretList"),
    ):
        # Of the account, not of the stack.
        kept = ("alias/aws/", "/aws-service-role/", "cdk-hnb659fds-")
        listed = getattr(twin.cloud.client(service), operation)()[key]
        left = [item for item in listed if not any(mark in str(item) for mark in kept)]
        assert left == [], service


def _keys(twin: TwinServer, bucket: str) -> list[str]:
    return [entry["Key"] for entry in twin.cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_a_role_limits_what_a_stack_may_make(stacks: Stacks, twin: TwinServer) -> None:
    iam = twin.cloud.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    arn = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="deployer", PolicyName="queues", PolicyDocument=json.dumps(policy))
    template = {
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}},
            "Topic": {"Type": "AWS::SNS::Topic", "DependsOn": "Queue"},
        }
    }
    assert stacks.create(template, RoleARN=arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "sns:CreateTopic" in stacks.reasons()["Topic"]
    assert "Queue" not in stacks.reasons()


def test_a_role_that_does_not_trust_cloudformation_is_refused(stacks: Stacks, twin: TwinServer) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    arn = twin.cloud.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    with pytest.raises(stacks.api.exceptions.ClientError, match=r"other is invalid or cannot be assumed"):
        stacks.create({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}, RoleARN=arn)
