"""Every resource type that the engine can make, one module a service."""

from twin.cloudformation.resources import (
    apigateway,
    autoscaling,
    cloudwatch,
    dynamodb,
    events,
    iam,
    kinesis,
    kms,
    lambda_,
    logs,
    metadata,
    monitoring,
    s3,
    sagemaker,
    scheduler,
    secretsmanager,
    sns,
    sqs,
    ssm,
)
from twin.cloudformation.resources.base import Account, Call, Created, Handler, HandlerError

__all__ = ["Account", "Call", "Created", "Handler", "HandlerError", "handler_of", "types"]

_MODULES = (
    apigateway, autoscaling, cloudwatch, dynamodb, events, iam, kinesis, kms, lambda_, logs, metadata, monitoring, s3, sagemaker, scheduler,
    secretsmanager, sns, sqs, ssm,
)  # fmt: skip
_HANDLERS: dict[str, Handler] = {handler.type: handler for module in _MODULES for handler in module.HANDLERS}


def handler_of(kind: str) -> Handler:
    """The handler of a type. Raises KeyError for a type that the twin does not emulate."""
    return _HANDLERS[kind]


def types() -> list[str]:
    """The types that the twin emulates."""
    return sorted(_HANDLERS)
