"""Helpers for tests with functions: an asset from source text, a role, a function."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from twin.server import TwinServer

POWERTOOLS = "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python312-x86_64:7"
PANDAS = "arn:aws:lambda:us-east-1:336392948345:layer:AWSSDKPandas-Python313:14"


def asset(source: str) -> bytes:
    """A zip that holds the source as handler.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", source)
    return buffer.getvalue()


def trust(*services: str) -> str:
    """A trust policy for services."""
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}]})


def policy(*statements: tuple[str | list[str], str | list[str]]) -> str:
    """A policy that allows (actions, resources)."""
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": where} for actions, where in statements]}
    )


def queue_policy(queue: str, topic: str) -> str:
    """A queue's policy that lets a topic in."""
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue}
    allowed |= {"Condition": {"ArnEquals": {"aws:SourceArn": topic}}}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


def make_role(twin: TwinServer, name: str, *services: str, document: str | None = None) -> str:
    """A role's ARN."""
    iam = twin.cloud.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(*services))["Role"]["Arn"]
    if document:
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document)
    return arn


@pytest.fixture
def function(twin: TwinServer) -> Callable[..., str]:
    """Makes a function of source text; its ARN."""
    role = make_role(twin, "function", "lambda.amazonaws.com", document=policy(("logs:*", "*")))

    def make(source: str, name: str = "f", **settings: Any) -> str:
        settings = {"Runtime": "python3.12", "Handler": "handler.handle", "Role": role, "Timeout": 10} | settings
        arn: str = twin.cloud.client("lambda").create_function(FunctionName=name, Code={"ZipFile": asset(source)}, **settings)[
            "FunctionArn"
        ]
        return arn

    return make
