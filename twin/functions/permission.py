"""May this service invoke this function? The function's resource policy says so
(https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html)."""

import json
from typing import Any

from twin.cloud import Cloud
from twin.iam.policy import Statement, parse
from twin.iam.services import check_resource_policy

INVOKE = "lambda:InvokeFunction"
_ELEMENTS = ("Effect", "Action", "Resource", "Principal", "Condition")


def check(cloud: Cloud, function: Any, principal: str, source_arn: str | None) -> None:
    """Raises AccessDenied unless the policy lets `principal` (a service) invoke the function for `source_arn`."""
    policy = tuple(found for statement in function.policy.statements for found in _parsed(statement, function.function_arn))
    source = {"aws:sourceaccount": cloud.account} | ({"aws:sourcearn": source_arn} if source_arn else {})
    check_resource_policy(cloud, policy, INVOKE, function.function_arn, principal, source)


def _parsed(statement: dict[str, Any], function_arn: str) -> tuple[Statement, ...]:
    # moto keeps the request's other fields (FunctionName, ...) in the statement.
    elements = {name: statement[name] for name in _ELEMENTS if statement.get(name) is not None}
    return parse(json.dumps({"Statement": elements}), str(statement["Sid"]), "permission", function_arn)
