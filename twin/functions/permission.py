"""May this service invoke this function? The function's resource policy says so
(https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html)."""

import json
from typing import Any

from twin.iam.errors import AccessDenied
from twin.iam.policy import Principal, Request, evaluate, parse

INVOKE = "lambda:InvokeFunction"


def check(function: Any, account: str, principal: str, source_arn: str | None) -> None:
    """Raises AccessDenied unless the policy lets `principal` (a service) invoke the function for `source_arn`."""
    document = json.dumps({"Statement": [_without_null(statement) for statement in function.policy.statements]})
    context = {"aws:sourceaccount": account} | ({"aws:sourcearn": source_arn} if source_arn else {})
    request = Request(Principal("Service", frozenset({principal})), INVOKE, function.function_arn, context)
    if not evaluate(parse(document, f"resource policy of {function.function_name}"), request).allowed:
        raise AccessDenied(
            f"User: {principal} is not authorized to perform: {INVOKE} on resource: {function.function_arn} for {source_arn} "
            f"because no resource-based policy allows the {INVOKE} action"
        )


_ELEMENTS = ("Sid", "Effect", "Action", "Resource", "Principal", "Condition")


def _without_null(statement: dict[str, Any]) -> dict[str, Any]:
    # moto keeps the request's other fields (FunctionName, ...) in the statement.
    return {name: statement[name] for name in _ELEMENTS if statement.get(name) is not None}
