"""Statements and roles, written out: what a role may do is read in one place, and nothing is added behind its back."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

from stacks.names import logical_id, role_path

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


# Why a statement cannot name single resources; the first prefix that fits its actions is its reason.
_SCOPES = (
    ("xray:", "X-Ray's write actions know no resources: AWS documents Resource * for them."),
    ("ecr:GetAuthorizationToken", "The registry's login token belongs to the account: AWS documents Resource * for it."),
    (
        "application-autoscaling:Describe",
        "Application Auto Scaling's describe actions know no resources: AWS documents Resource * for them.",
    ),
    ("logs:DescribeLogGroups", "Flow logs look for their group among all: AWS documents Resource * for it."),
    ("cloudwatch:PutMetricData", "PutMetricData knows no resources; its condition holds it to one namespace."),
    ("ec2:", "Network interfaces have no names beforehand, and looking at networks knows no resources."),
)
# Why a pattern cannot name the project; the first part of it that fits is its reason.
_NAMED_BY_AWS = (
    (":network-interface/*", "Network interfaces have no names beforehand."),
    (":scalable-target/*", "AWS makes up the names of scalable targets; a condition holds it to SageMaker's."),
    (":log-group:/aws/sagemaker/", "SageMaker's jobs of all projects write to these groups, whose names it gives."),
    ("-job/pipelines-*", "SageMaker names a pipeline's jobs, and the project is not in the name."),
)


def acknowledge_scopes(role: iam.Role, statements: Sequence[iam.PolicyStatement]) -> None:
    """Tells cdk-nag, finding by finding, why a resource ends with a wildcard. An action with a wildcard is never acknowledged."""
    prefix = cdk.Stack.of(role).stack_name.rpartition("-")[0]
    for statement in statements:
        for arn in statement.resources:
            if "*" in arn:
                resource = resource_id(role, arn)
                acknowledge(role, f"AwsSolutions-IAM5[Resource::{resource}]", reason(resource, statement.actions, prefix))


def reason(resource: str, actions: Sequence[str], prefix: str) -> str:
    """Why a resource (see resource_id) has a wildcard in the project of this prefix. Raises ValueError when there is no reason for it.

    What stands before the wildcard must name the project, or one of its resources by reference.
    """
    if resource == "*":
        found = next((text for start, text in _SCOPES if all(action.startswith(start) for action in actions)), None)
    elif _names(resource.partition("*")[0], prefix):
        found = "The names below this prefix are made at run time, and all of them belong to this project and environment."
    else:
        found = next((text for part, text in _NAMED_BY_AWS if part in resource), None)
    if found is None:
        raise ValueError(
            f"{', '.join(actions)} on {resource}: what stands before the * does not name {prefix or 'the project'} or a resource of it. "
            "Next: name it, or give the reason in stacks/constructs/policy.py"
        )
    return found


def _names(fixed: str, prefix: str) -> bool:
    own = re.sub(r"<AWS::\w+>", "", fixed)  # partition, region and account
    return "<" in own or (bool(prefix) and any(name in own for name in (prefix, logical_id(prefix, ""))))


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
