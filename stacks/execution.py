"""What CloudFormation may do to make, change and remove this project's stacks, instead of AdministratorAccess.

    python -m stacks.execution --account 123456789012 --region us-east-1 --out FOLDER

writes the policies, `cdk bootstrap --cloudformation-execution-policies` takes them
(https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html). Everything is held to this project and environment by name, roles
by their path; what AWS gives an id that nobody knows before (keys, HTTP APIs) is held to its kind. The actions are those that the resource
types' schemas name for what the templates use
(https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html#schema-properties-handlers).

It keeps mistakes inside the project, not whoever may change the templates: roles get any policy from it. A permissions boundary would hold
that.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from contracts.config import Config, MonitoringBackend, parse_config
from contracts.github import ISSUER, Provider
from contracts.network import Mode
from contracts.privacy import secret_name
from stacks.layers import POWERTOOLS_ACCOUNT, pandas_layer
from stacks.names import LOGS_OF_APIS, LOGS_OF_FUNCTIONS, LOGS_OF_NETWORKS, SERVING_LOGS, logical_id, role_path

LIMIT = 6144
"""Characters of a managed policy, without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html."""

Statement = dict[str, Any]
_TAGS = ("TagResource", "UntagResource", "ListTagsForResource")
_SCALING = "sagemaker.application-autoscaling.amazonaws.com"


@dataclass(frozen=True)
class Place:
    """The account and region that the project is deployed to, and the qualifier of the bootstrap there."""

    account: str
    region: str
    qualifier: str = "hnb659fds"

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a regional resource."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def iam(self, resource: str) -> str:
        """The ARN of a resource of IAM."""
        return f"arn:aws:iam::{self.account}:{resource}"


def execution_policies(config: Config, place: Place) -> list[dict[str, Any]]:
    """The policy documents, as few as their size allows; bootstrap with all of them."""
    documents: list[dict[str, Any]] = []
    for statement in _statements(config, place):
        if not documents or _size(documents[-1]) + _size(statement) > LIMIT:
            documents.append({"Version": "2012-10-17", "Statement": []})
        documents[-1]["Statement"].append(statement)
    return documents


def _statements(config: Config, place: Place) -> Iterator[Statement]:
    prefix = config.prefix
    yield from _roles(config, place)
    yield from _buckets(prefix)
    yield from _key(config, place)
    yield from _ledger(prefix, place)
    if config.data.privacy.hash:
        yield from _hash_key(prefix, place)
    yield from _functions(prefix, place)
    yield from _messages(prefix, place)
    yield from _observation(prefix, place)
    yield from _training(prefix, place)
    yield from _endpoint(config, place)
    if config.stream.enabled:
        yield from _stream(prefix, place)
    if config.network.mode is Mode.VPC:
        yield from _network(place)


def _roles(config: Config, place: Place) -> Iterator[Statement]:
    own = place.iam(f"role{role_path(config.prefix)}*")
    made = [own] if config.github is None else [own, place.iam(f"role/{config.prefix}-github")]
    verbs = ["CreateRole", "GetRole", "UpdateRole", "UpdateRoleDescription", "UpdateAssumeRolePolicy", "DeleteRole", "TagRole", "UntagRole"]
    policies = ["PutRolePolicy", "GetRolePolicy", "DeleteRolePolicy", "ListRolePolicies", "ListAttachedRolePolicies"]
    yield _allow("Roles", "iam", verbs + policies, made)
    names = ["lambda", "sagemaker", "scheduler", *(["vpc-flow-logs"] if config.network.mode is Mode.VPC else [])]
    services = [f"{name}.amazonaws.com" for name in names]
    yield _allow("PassRoles", "iam", ["PassRole"], [own], {"StringEquals": {"iam:PassedToService": services}})
    if config.github is not None and config.github.provider is Provider.CREATE:
        verbs = [f"{verb}OpenIDConnectProvider" for verb in ("Create", "Get", "Delete", "Tag", "Untag")]
        yield _allow("GitHub", "iam", [*verbs, "ListOpenIDConnectProviderTags"], [place.iam(f"oidc-provider/{ISSUER}")])


def _buckets(prefix: str) -> Iterator[Statement]:
    used = ["EncryptionConfiguration", "LifecycleConfiguration"]
    used += [
        f"Bucket{what}" for what in ("Logging", "Notification", "OwnershipControls", "Policy", "PublicAccessBlock", "Tagging", "Versioning")
    ]
    # CloudFormation reads a bucket whole, also what the templates do not set.
    read = [f"{kind}Configuration" for kind in ("Accelerate", "Analytics", "IntelligentTiering", "Inventory", "Metrics", "Replication")]
    read += [f"Bucket{what}" for what in ("Abac", "CORS", "MetadataTableConfiguration", "ObjectLockConfiguration", "Website")]
    verbs = [f"Put{what}" for what in used] + [f"Get{what}" for what in used + read]
    tags = ["TagResource", "UntagResource", "ListTagsForResource"]
    yield _allow("Buckets", "s3", ["CreateBucket", "ListBucket", "DeleteBucketPolicy", *verbs, *tags], [f"arn:aws:s3:::{prefix}-data-*"])


def _key(config: Config, place: Place) -> Iterator[Statement]:
    """A key's policy decides too: it lets this role administer the project's key, and use it through the services named here."""
    keys, alias = place.arn("kms", "key/*"), place.arn("kms", f"alias/{config.prefix}")
    aliases = ["CreateAlias", "UpdateAlias", "DeleteAlias"]
    verbs = ["DescribeKey", "EnableKeyRotation", "GetKeyPolicy", "GetKeyRotationStatus", "PutKeyPolicy", "UpdateKeyDescription"]
    yield _allow("NewKey", "kms", ["CreateKey", "ListAliases"], ["*"])
    yield _allow("Key", "kms", [*verbs, *aliases, "ListResourceTags", "TagResource", "UntagResource"], [keys])
    yield _allow("KeyAlias", "kms", aliases, [alias])
    services = ["dynamodb", "sagemaker", *(["secretsmanager"] if config.data.privacy.hash else [])]
    via = {"StringEquals": {"kms:ViaService": [f"{service}.{place.region}.amazonaws.com" for service in services]}}
    verbs = [
        "CreateGrant",
        "Decrypt",
        "DescribeKey",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    ]
    yield _allow("KeyThroughServices", "kms", verbs, [keys], via)


def _ledger(prefix: str, place: Place) -> Iterator[Statement]:
    reads = ["Table", "ContinuousBackups", "ContributorInsights", "KinesisStreamingDestination", "TimeToLive"]
    verbs = ["CreateTable", "UpdateTable", "UpdateContinuousBackups", "GetResourcePolicy", *(f"Describe{what}" for what in reads)]
    tags = ["ListTagsOfResource", "TagResource", "UntagResource"]
    yield _allow("Ledger", "dynamodb", [*verbs, *tags], [place.arn("dynamodb", f"table/{prefix}-data-*")])


def _hash_key(prefix: str, place: Place) -> Iterator[Statement]:
    verbs = ["CreateSecret", "DescribeSecret", "UpdateSecret", "TagResource", "UntagResource"]
    yield _allow("HashKey", "secretsmanager", verbs, [place.arn("secretsmanager", f"secret:{secret_name(prefix)}-*")])
    yield _allow("HashKeyText", "secretsmanager", ["GetRandomPassword"], ["*"])


def _functions(prefix: str, place: Place) -> Iterator[Statement]:
    functions = ["CreateFunction", "GetFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "DeleteFunction"]
    invocations = [f"{verb}FunctionEventInvokeConfig" for verb in ("Put", "Get", "Update", "Delete")]
    permissions = ["AddPermission", "GetPolicy", "RemovePermission"]
    reads = [
        f"Get{what}"
        for what in ("FunctionCodeSigningConfig", "FunctionRecursionConfig", "FunctionScalingConfig", "RuntimeManagementConfig")
    ]
    concurrency = ["PutFunctionConcurrency", "DeleteFunctionConcurrency"]
    verbs = [*functions, *invocations, *permissions, *reads, *concurrency, "ListTags", "TagResource", "UntagResource"]
    yield _allow("Functions", "lambda", verbs, [place.arn("lambda", f"function:{prefix}-*")])
    powertools = f"arn:aws:lambda:{place.region}:{POWERTOOLS_ACCOUNT}:layer:AWSLambdaPowertoolsPythonV3-*"
    pandas = f"{pandas_layer(place.region).rpartition(':')[0]}:*"
    yield _allow("Layer", "lambda", ["GetLayerVersion"], [powertools, pandas])
    yield _allow("Code", "s3", ["GetObject"], [f"arn:aws:s3:::cdk-{place.qualifier}-assets-{place.account}-{place.region}/*"])
    yield _allow("BootstrapVersion", "ssm", ["GetParameters"], [place.arn("ssm", f"parameter/cdk-bootstrap/{place.qualifier}/version")])
    api = f"arn:aws:apigateway:{place.region}::"
    verbs = ["GET", "POST", "PATCH", "PUT", "DELETE", "TagResource", "UntagResource"]
    yield _allow("HttpApi", "apigateway", verbs, [f"{api}/apis", f"{api}/apis/*", f"{api}/tags/*"])


def _messages(prefix: str, place: Place) -> Iterator[Statement]:
    queues = [
        "CreateQueue",
        "DeleteQueue",
        "GetQueueAttributes",
        "GetQueueUrl",
        "SetQueueAttributes",
        "ListQueueTags",
        "TagQueue",
        "UntagQueue",
    ]
    yield _allow("Queues", "sqs", queues, [place.arn("sqs", f"{prefix}-*")])
    topics = [
        "CreateTopic",
        "DeleteTopic",
        "GetTopicAttributes",
        "SetTopicAttributes",
        "ListSubscriptionsByTopic",
        "GetDataProtectionPolicy",
    ]
    yield _allow("Topic", "sns", [*topics, *_TAGS], [place.arn("sns", f"{prefix}-alerts")])
    rules = ["PutRule", "DescribeRule", "DeleteRule", "PutTargets", "RemoveTargets", "ListTargetsByRule"]
    yield _allow("Rules", "events", [*rules, *_TAGS], [place.arn("events", f"rule/{prefix}-*")])
    schedules = [f"{verb}Schedule" for verb in ("Create", "Get", "Update", "Delete")]
    yield _allow("Schedules", "scheduler", schedules, [place.arn("scheduler", f"schedule/default/{prefix}-*")])


def _observation(prefix: str, place: Place) -> Iterator[Statement]:
    names = [f"{LOGS_OF_FUNCTIONS}{prefix}-", *(f"{group}{prefix}" for group in (LOGS_OF_APIS, SERVING_LOGS, LOGS_OF_NETWORKS))]
    verbs = ["CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy", "AssociateKmsKey", "DisassociateKmsKey"]
    reads = ["GetDataProtectionPolicy", "DescribeIndexPolicies"]
    yield _allow("Logs", "logs", [*verbs, *reads, *_TAGS], [place.arn("logs", f"log-group:{name}*") for name in names])
    # An API's access log is a log delivery: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
    deliveries = ["CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"]
    account = ["DescribeLogGroups", "DescribeResourcePolicies", "PutResourcePolicy"]
    yield _allow("LogDelivery", "logs", [*deliveries, *account], ["*"])
    alarms = ["PutMetricAlarm", "DescribeAlarms", "DeleteAlarms", *_TAGS]
    yield _allow("Alarms", "cloudwatch", alarms, [place.arn("cloudwatch", f"alarm:{prefix}-*")])
    dashboards = ["PutDashboard", "GetDashboard", "DeleteDashboards"]
    yield _allow("Dashboard", "cloudwatch", dashboards, [f"arn:aws:cloudwatch::{place.account}:dashboard/{prefix}"])


def _training(prefix: str, place: Place) -> Iterator[Statement]:
    pipeline = [f"{verb}Pipeline" for verb in ("Create", "Describe", "Update", "Delete")]
    group = [f"{verb}ModelPackageGroup" for verb in ("Create", "Describe", "Delete")]
    policy = [f"{verb}ModelPackageGroupPolicy" for verb in ("Get", "Put", "Delete")]
    own = [place.arn("sagemaker", f"{kind}/{prefix}") for kind in ("pipeline", "model-package-group")]
    yield _allow("Training", "sagemaker", [*pipeline, *group, *policy, "AddTags", "DeleteTags", "ListTags"], own)


def _endpoint(config: Config, place: Place) -> Iterator[Statement]:
    prefix = config.prefix
    own = [f"model/{logical_id(prefix, 'model')}-*", f"endpoint-config/{logical_id(prefix, 'config')}-*", f"endpoint/{prefix}"]
    verbs = [f"{verb}{kind}" for kind in ("Model", "EndpointConfig", "Endpoint") for verb in ("Create", "Describe", "Delete")]
    more = ["UpdateEndpoint", "UpdateEndpointWeightsAndCapacities", "AddTags", "DeleteTags", "ListTags"]
    yield _allow("Endpoint", "sagemaker", [*verbs, *more], [place.arn("sagemaker", name) for name in own])
    yield _allow("ModelPackages", "sagemaker", ["DescribeModelPackage"], [place.arn("sagemaker", f"model-package/{prefix}/*")])
    target = [f"{verb}ScalableTarget" for verb in ("Register", "Deregister")] + [f"{verb}ScalingPolicy" for verb in ("Put", "Delete")]
    only = {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}}
    targets = [place.arn("application-autoscaling", "scalable-target/*")]
    yield _allow("Scaling", "application-autoscaling", target, targets, only)
    yield _allow("ScalingTags", "application-autoscaling", _TAGS, targets)
    reads = [f"Describe{what}" for what in ("ScalableTargets", "ScalingPolicies", "ScheduledActions")]
    yield _allow("ScalingState", "application-autoscaling", reads, ["*"])
    alarms = [place.arn("cloudwatch", f"alarm:TargetTracking-endpoint/{prefix}/*")]
    yield _allow("ScalingAlarms", "cloudwatch", ["PutMetricAlarm", "DescribeAlarms", "DeleteAlarms"], alarms)
    role = place.iam(f"role/aws-service-role/{_SCALING}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint")
    yield _allow("ScalingRole", "iam", ["CreateServiceLinkedRole"], [role], {"StringEquals": {"iam:AWSServiceName": _SCALING}})
    if config.monitoring.backend is MonitoringBackend.MODEL_MONITOR:
        kinds = ("data-quality", "model-quality")
        verbs = [f"{verb}{kind}JobDefinition" for kind in ("DataQuality", "ModelQuality") for verb in ("Create", "Describe", "Delete")]
        verbs += [f"{verb}MonitoringSchedule" for verb in ("Create", "Describe", "Update", "Delete")]
        own = [f"{kind}-job-definition/{prefix}-{kind}-*" for kind in kinds] + [f"monitoring-schedule/{prefix}-{kind}" for kind in kinds]
        resources = [place.arn("sagemaker", name) for name in own]
        yield _allow("ModelMonitor", "sagemaker", [*verbs, "AddTags", "DeleteTags", "ListTags"], resources)


def _stream(prefix: str, place: Place) -> Iterator[Statement]:
    verbs = ["CreateStream", "DescribeStreamSummary", "DeleteStream", "UpdateShardCount"]
    verbs += ["IncreaseStreamRetentionPeriod", "DecreaseStreamRetentionPeriod"]
    verbs += ["AddTagsToStream", "RemoveTagsFromStream", "ListTagsForStream", *_TAGS]
    own = place.arn("kinesis", f"stream/{prefix}-*")
    yield _allow("Streams", "kinesis", verbs, [own])
    yield _allow("StreamEncryption", "kinesis", ["StartStreamEncryption", "StopStreamEncryption"], [own, place.arn("kms", "key/*")])
    # Mappings have ids that nobody knows before; what they wake is known.
    verbs = [f"{verb}EventSourceMapping" for verb in ("Create", "Get", "Update", "Delete")]
    only = {"ArnLike": {"lambda:FunctionArn": place.arn("lambda", f"function:{prefix}-*")}}
    yield _allow("Mappings", "lambda", verbs, ["*"], only)
    yield _allow("MappingTags", "lambda", ["ListTags", "TagResource", "UntagResource"], [place.arn("lambda", "event-source-mapping:*")])


def _network(place: Place) -> Iterator[Statement]:
    """The VPC's parts have ids that nobody knows before: they are held to their kinds. The twin has no networks, so nothing here is run."""
    kinds = ("vpc", "subnet", "route-table", "security-group", "security-group-rule", "vpc-endpoint", "vpc-flow-log")
    made = [f"{verb}{kind}" for kind in ("Vpc", "Subnet", "RouteTable", "SecurityGroup") for verb in ("Create", "Delete")]
    made += ["CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints", "CreateFlowLogs", "DeleteFlowLogs", "CreateTags", "DeleteTags"]
    set_up = [
        "ModifyVpcAttribute",
        "ModifySubnetAttribute",
        "AssociateRouteTable",
        "DisassociateRouteTable",
        "ReplaceRouteTableAssociation",
    ]
    for way in ("Ingress", "Egress"):
        set_up += [f"AuthorizeSecurityGroup{way}", f"RevokeSecurityGroup{way}", f"UpdateSecurityGroupRuleDescriptions{way}"]
    yield _allow("Network", "ec2", made + set_up, [place.arn("ec2", f"{kind}/*") for kind in kinds])
    read = ["AvailabilityZones", "FlowLogs", "NetworkAcls", "NetworkInterfaces", "RouteTables", "SecurityGroupRules", "SecurityGroups"]
    read += ["Subnets", "Tags", "VpcAttribute", "VpcEndpoints", "Vpcs"]
    yield _allow("NetworkState", "ec2", [f"Describe{what}" for what in read], ["*"])


def _allow(
    sid: str, service: str, actions: Iterable[str], resources: list[str], condition: Mapping[str, Mapping[str, Any]] | None = None
) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": [f"{service}:{action}" for action in actions], "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":")))


def main(arguments: Sequence[str]) -> None:
    """Write the policies of a project, one file each."""
    parser = argparse.ArgumentParser(prog="python -m stacks.execution", description="CloudFormation's permissions for this project")
    parser.add_argument("--account", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--qualifier", default=Place.qualifier)
    parser.add_argument("--config", type=Path, default=Path("tidewheel.yaml"))
    parser.add_argument("--environment")
    parser.add_argument("--out", type=Path, default=Path())
    given = parser.parse_args(arguments)
    config = parse_config(yaml.safe_load(given.config.read_text(encoding="utf-8")), given.environment, source=str(given.config))
    for number, document in enumerate(execution_policies(config, Place(given.account, given.region, given.qualifier)), start=1):
        path = given.out / f"{config.prefix}-execution-{number}.json"
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
