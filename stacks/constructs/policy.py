"""Statements and roles, written out: what a role may do is read in one place, and nothing is added behind its back."""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

from stacks.names import role_path

Condition = Mapping[str, Mapping[str, Any]]


def allow(actions: Sequence[str], resources: Sequence[str], conditions: Condition | None = None) -> iam.PolicyStatement:
    """One Allow statement."""
    return iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)


def pass_role(role_arn: str, service: str) -> iam.PolicyStatement:
    """May hand this role to this service, and to no other."""
    return allow(["iam:PassRole"], [role_arn], {"StringEquals": {"iam:PassedToService": service}})


def grant(key_arn: str) -> iam.PolicyStatement:
    """May let AWS services use the key, each for a resource of its own."""
    return allow(["kms:CreateGrant"], [key_arn], {"Bool": {"kms:GrantIsForAWSResource": "true"}})


def service_role(scope: Construct, id: str, service: str, description: str, statements: Sequence[iam.PolicyStatement]) -> iam.Role:  # noqa: A002 - CDK's name
    """A role that one AWS service may take, with exactly these statements. They are part of the role, so nothing runs before its policy.

    Its path tells it from roles of other projects; the policy of the project's key names them by it.
    """
    stack = cdk.Stack.of(scope)
    role = iam.Role(
        scope,
        id,
        path=role_path(stack.stack_name.rpartition("-")[0]),  # stacks are called <prefix>-<part>
        assumed_by=_principal(stack, service),
        description=description,
        inline_policies={"Exactly": iam.PolicyDocument(statements=list(statements), minimize=False)},
    )
    acknowledge_scopes(role, statements)
    return role


# Services whose documentation says that they fill in aws:SourceAccount when they take a role:
# https://docs.aws.amazon.com/sagemaker/latest/dg/security-confused-deputy-prevention.html,
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
_NAME_THE_ACCOUNT = frozenset({"sagemaker.amazonaws.com", "scheduler.amazonaws.com"})


def _principal(stack: cdk.Stack, service: str) -> iam.ServicePrincipal:
    if service in _NAME_THE_ACCOUNT:
        return iam.ServicePrincipal(service, conditions={"StringEquals": {"aws:SourceAccount": stack.account}})
    return iam.ServicePrincipal(service)


# Why a statement cannot name single resources; the first prefix that fits an ARN is its reason.
_SCOPES = (
    ("xray:", "X-Ray's write actions know no resources: AWS documents Resource * for them."),
    ("ecr:GetAuthorizationToken", "The registry's login token belongs to the account: AWS documents Resource * for it."),
    (
        "application-autoscaling:Describe",
        "Application Auto Scaling's describe actions know no resources: AWS documents Resource * for them.",
    ),
    ("logs:DescribeLogGroups", "Flow logs look for their group among all: AWS documents Resource * for it."),
    ("cloudwatch:PutMetricData", "PutMetricData knows no resources; its condition holds it to one namespace."),
)


def acknowledge_scopes(role: iam.Role, statements: Sequence[iam.PolicyStatement]) -> None:
    """Tells cdk-nag, finding by finding, why a resource ends with a wildcard. An action with a wildcard is never acknowledged."""
    for statement in statements:
        for resource in statement.resources:
            if "*" in resource:
                _acknowledge(role, resource, statement.actions)


def _acknowledge(role: iam.Role, resource: str, actions: Sequence[str]) -> None:
    reason = "The names below this prefix are made at run time, and all of them belong to this project and environment."
    if all(action.startswith("ec2:") for action in actions):
        reason = "Network interfaces have no names beforehand, and looking at networks knows no resources."
    elif resource == "*":
        reason = next(text for prefix, text in _SCOPES if all(action.startswith(prefix) for action in actions))
    acknowledge(role, f"AwsSolutions-IAM5[Resource::{resource_id(role, resource)}]", reason)


def resource_id(scope: IConstruct, arn: str) -> str:
    """A resource as cdk-nag writes it in a finding: references in angle brackets."""
    return _flat(cdk.Stack.of(scope).resolve(arn))


def _flat(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(_flat(part) for part in parts)
    if "Ref" in value:
        return f"<{value['Ref']}>"
    if "Fn::ImportValue" in value:
        return str(value["Fn::ImportValue"])
    if "Fn::GetAtt" in value:
        return f"<{'.'.join(value['Fn::GetAtt'])}>"
    return str(value)


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept a finding of cdk-nag on this construct, and say why."""
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))
