"""Attacks by somebody who may do everything in the account, but for what policies of resources deny. They succeed when they are refused."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from boto3.session import Session as AwsSession
from botocore.exceptions import ClientError

from cli.deploy import find_stack
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from contracts.errors import StateError

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
SOMEBODY = "*:user/*-somebody"
"""Whom these steps want to see refused."""
DENIED = "with an explicit deny in a resource-based policy"


def somebody(session: Session) -> AwsSession:
    """The keys of a user of the account who may do everything."""
    if "somebody" not in session.notes:
        iam, name = session.client("iam"), f"{session.app.prefix}-somebody"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="Everything", PolicyDocument=json.dumps(EVERYTHING))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        session.notes["somebody"] = AwsSession(key["AccessKeyId"], key["SecretAccessKey"], region_name=session.app.account.region)
    found: AwsSession = session.notes["somebody"]
    return found


def without_tls(session: Session, service: str) -> Any:
    """A client of somebody whose requests come over plain HTTP."""
    make: Any = somebody(session).client  # typed by literal service names
    client = make(service, endpoint_url=session.app.account.endpoint)

    def tell(request: Any, **_: Any) -> None:
        request.headers["X-Forwarded-Proto"] = "http"

    client.meta.events.register("before-send.*", tell)
    return client


def refused(what: str, call: Callable[[], Any]) -> None:
    """Raises StateError when a call goes through, or is refused for any other reason than a resource's Deny."""
    try:
        call()
    except ClientError as error:
        if DENIED in error.response["Error"]["Message"]:
            return
        raise
    raise StateError(f"{what} was allowed")


def _resources(session: Session, stack: str, kind: str) -> list[str]:
    """The physical ids of a stack's resources of a kind."""
    found = session.app.cloudformation.describe_stack_resources(StackName=f"{session.app.prefix}-{stack}")["StackResources"]
    return [each["PhysicalResourceId"] for each in found if each["ResourceType"] == kind]


def _bucket(number: int, session: Session) -> None:
    bucket = sorted(_resources(session, "data", "AWS::S3::Bucket"))[number]
    s3 = without_tls(session, "s3")
    refused(f"listing {bucket} without TLS", lambda: s3.list_objects_v2(Bucket=bucket))
    refused(f"writing to {bucket} without TLS", lambda: s3.put_object(Bucket=bucket, Key="without-tls", Body=b""))


def _queue(stack: str, session: Session) -> None:
    for url in _resources(session, stack, "AWS::SQS::Queue"):
        refused(f"reading {url} without TLS", partial(without_tls(session, "sqs").receive_message, QueueUrl=url))


def _topic(session: Session) -> None:
    topic = session.app.output("control", "AlertsTopicArn")
    refused(f"publishing to {topic} without TLS", lambda: without_tls(session, "sns").publish(TopicArn=topic, Message="without TLS"))


def _ready(session: Session) -> None:
    if find_stack(session.app.cloudformation, f"{session.app.prefix}-control") is None:
        raise StateError("nothing is deployed")
    somebody(session)


ATTACK_STEPS = (
    *(
        Step(
            f"bucket {number} without TLS",
            "a bucket is used over plain HTTP",
            partial(_bucket, number),
            _ready,
            refusals=((SOMEBODY, "s3:*"),),
        )
        for number in range(3)
    ),
    *(
        Step(
            f"queue of {stack} without TLS",
            "dead letters are read over plain HTTP",
            partial(_queue, stack),
            _ready,
            refusals=((SOMEBODY, "sqs:*"),),
        )
        for stack in ("serving", "control")
    ),
    Step(
        "queue of stream without TLS",
        "dead letters are read over plain HTTP",
        partial(_queue, "stream"),
        _ready,
        refusals=((SOMEBODY, "sqs:*"),),
        when=lambda config: config.stream.enabled,
    ),
    Step(
        "queue of batch without TLS",
        "dead letters are read over plain HTTP",
        partial(_queue, "batch"),
        _ready,
        refusals=((SOMEBODY, "sqs:*"),),
        when=lambda config: config.batch.schedule is not None,
    ),
    Step("topic without TLS", "an alert is published over plain HTTP", _topic, _ready, refusals=((SOMEBODY, "sns:*"),)),
)
