"""The project's key, and a policy that says who may do what with it.

Of the account, only the roles of this project use it directly. The account's other principals administer it, without cryptography, and
read and write what is encrypted only where a storage service does the cryptography for them. Statements for the account hand the decision
on to IAM, so everyone needs a statement in a policy of their own as well.
https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html

The roles are told by their path: their names are CloudFormation's, which cuts long ones, and aws:PrincipalArn holds the path.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
"""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from contracts.network import Mode
from stacks.constructs.policy import Condition
from stacks.names import LOGS_OF_APIS, LOGS_OF_FUNCTIONS, LOGS_OF_NETWORKS, SERVING_LOGS, Arns, role_path
from stacks.project import Project

# What deploys, rotates, inspects and ends a key. Deletion takes at least a week, in which it can be cancelled.
_ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
_USE = ("kms:Decrypt", "kms:GenerateDataKey")
_STORES = ("s3", "dynamodb", "sqs")
# What DynamoDB asks of whoever makes a table, besides use; and SageMaker of whoever makes an endpoint with encrypted volumes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html,
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
_TABLES = ("kms:CreateGrant", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo")
_ENDPOINTS = ("kms:CreateGrant",)


class ProjectKey(kms.Key):
    """A customer-managed key that rotates every year, alias/<prefix>, and is kept when its stack goes."""

    def __init__(self, scope: cdk.Stack, project: Project) -> None:
        statements = [*_of_the_account(scope, project), *_of_services(Arns(scope, project), project, scope)]
        super().__init__(
            scope,
            "Key",
            description=f"Data of {project.prefix}",
            enable_key_rotation=True,
            policy=iam.PolicyDocument(statements=statements),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        kms.Alias(scope, "KeyAlias", alias_name=f"alias/{project.prefix}", target_key=self)


def _of_the_account(stack: cdk.Stack, project: Project) -> list[iam.PolicyStatement]:
    roles = stack.format_arn(service="iam", region="", resource="role", resource_name=f"{role_path(project.prefix).strip('/')}/*")
    own, others = {"ArnLike": {"aws:PrincipalArn": roles}}, {"ArnNotLike": {"aws:PrincipalArn": roles}}
    account = iam.AccountRootPrincipal()
    # Whoever deploys the secret makes it; whoever sends records to the stream, or reads its predictions, is the account's matter.
    config = project.config
    stores = [*_STORES, *(["secretsmanager"] if config.data.privacy.hash else []), *(["kinesis"] if config.stream.enabled else [])]
    # Whoever deploys the secret that hashes columns must be able to make it.
    return [
        _key("Administration", account, _ADMINISTRATION),
        # Encrypt: of a job's output. https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
        _key("UseByRolesOfThisProject", account, [*_USE, "kms:Encrypt"], own),
        _key("GrantsByRolesOfThisProject", account, ["kms:CreateGrant"], own | {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        _key("UseThroughStores", account, _USE, {**others, **_through(stack, stores)}),
        _key("TablesThroughDynamoDB", account, _TABLES, {**others, **_through(stack, ["dynamodb"])}),
        _key("EndpointsThroughSageMaker", account, _ENDPOINTS, {**others, **_through(stack, ["sagemaker"])}),
    ]


def _of_services(arns: Arns, project: Project, stack: cdk.Stack) -> list[iam.PolicyStatement]:
    """What AWS services do with the key on their own, each held to this project's log groups, rules and alarms."""
    prefix = project.prefix
    names = [f"{LOGS_OF_FUNCTIONS}{prefix}-*", f"{LOGS_OF_APIS}{prefix}", f"{SERVING_LOGS}{prefix}"]
    if project.config.network.mode is Mode.VPC:
        names.append(f"{LOGS_OF_NETWORKS}{prefix}")
    groups = [arns.log_group(name) for name in names]
    logs = iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")
    encrypt = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
    alarms = {"StringEquals": {"aws:SourceAccount": stack.account}, "ArnLike": {"aws:SourceArn": arns.alarm(f"{prefix}-*")}}
    return [
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        _key("Logs", logs, encrypt, {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}),
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-at-rest-cmkey.html: rules write to an encrypted queue
        # and topic.
        # No source condition: AWS does not say that the rule's ARN is passed on to the key, and a dead letter that cannot be
        # encrypted is lost without a word. The queue's own policy holds the rules to this project's.
        _key("Rules", iam.ServicePrincipal("events.amazonaws.com"), _USE),
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html: alarms publish to an encrypted topic.
        _key("Alarms", iam.ServicePrincipal("cloudwatch.amazonaws.com"), _USE, alarms),
    ]


def _through(stack: cdk.Stack, services: Sequence[str]) -> Condition:
    """The services call KMS in the name of their callers. https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html"""
    return {"StringEquals": {"kms:ViaService": [f"{service}.{stack.region}.amazonaws.com" for service in services]}}


def _key(sid: str, principal: iam.IPrincipal, actions: Sequence[str], conditions: Condition | None = None) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        actions=list(actions),
        resources=["*"],  # in a key policy: this key
        principals=[principal],
        conditions=conditions,
    )
