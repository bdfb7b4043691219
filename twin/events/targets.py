"""Delivery to one target, by the service in its ARN. A target that the twin does not know is refused by name.

docs: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html (Lambda, SQS and SNS trust the rule through their
own policies), https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html (a pipeline is started under the
target's role).
"""

from collections.abc import Callable, Mapping
from typing import Any

from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from twin.cloud import Cloud
from twin.iam.actions import Place
from twin.iam.encryption import queue_key
from twin.iam.errors import AccessDenied
from twin.iam.services import EVENTS as PRINCIPAL
from twin.iam.services import check_send, check_topic


class UnknownTargetError(Exception):
    """The target does not exist, or is of a kind that the twin does not emulate. Retrying would not help."""


def deliver(cloud: Cloud, target: Mapping[str, Any], text: str, rule_arn: str) -> None:
    """Deliver a text to a rule's target. Raises AccessDenied, UnknownTargetError, or what the target's API raises."""
    service = target["Arn"].split(":")[2]
    if service not in _BY_SERVICE:
        raise UnknownTargetError(f"the twin does not deliver to {target['Arn']}: it knows {', '.join(sorted(_BY_SERVICE))}")
    _BY_SERVICE[service](cloud, target, text, rule_arn)


def _lambda(cloud: Cloud, target: Mapping[str, Any], text: str, rule_arn: str) -> None:
    try:
        cloud.invoke_async(target["Arn"], text.encode(), PRINCIPAL, rule_arn)
    except KeyError as error:
        raise UnknownTargetError(str(error)) from error


def _sqs(cloud: Cloud, target: Mapping[str, Any], text: str, rule_arn: str) -> None:
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    send_to_queue(cloud, target["Arn"], text, rule_arn, {}, group)


def send_to_queue(
    cloud: Cloud,
    queue_arn: str,
    body: str,
    source_arn: str,
    attributes: Mapping[str, str],
    group: str | None = None,
    service: str = PRINCIPAL,
) -> None:
    """Send to a queue as a service, if the queue's policy lets it."""
    name = queue_arn.rsplit(":", 1)[1]
    queue = sqs_backends[cloud.account][cloud.region].queues.get(name)
    if queue is None:
        raise UnknownTargetError(f"there is no queue {queue_arn}")
    key = queue_key(name, Place(cloud.account, cloud.region))
    check_send(cloud, queue.policy, "sqs:SendMessage", queue_arn, key, service, source_arn)
    named = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()}
    group_of = {"MessageGroupId": group} if group else {}
    cloud.client("sqs").send_message(QueueUrl=f"{cloud.url}/{cloud.account}/{name}", MessageBody=body, MessageAttributes=named, **group_of)


def _sns(cloud: Cloud, target: Mapping[str, Any], text: str, rule_arn: str) -> None:
    if target["Arn"] not in sns_backends[cloud.account][cloud.region].topics:
        raise UnknownTargetError(f"there is no topic {target['Arn']}")
    check_topic(cloud, target["Arn"], PRINCIPAL, rule_arn)
    cloud.client("sns").publish(TopicArn=target["Arn"], Message=text)


def _pipeline(cloud: Cloud, target: Mapping[str, Any], _text: str, rule_arn: str) -> None:
    start_pipeline(cloud, target, PRINCIPAL, rule_arn.rsplit("/", 1)[1])


def start_pipeline(cloud: Cloud, target: Mapping[str, Any], service: str, session: str) -> None:
    """Start a SageMaker pipeline under the target's role."""
    kind, _, name = target["Arn"].split(":", 5)[5].partition("/")
    if kind != "pipeline":
        raise UnknownTargetError(f"{target['Arn']} is no SageMaker pipeline")
    if not target.get("RoleArn"):
        raise AccessDenied(f"the target {target['Arn']} has no role to start the pipeline with")
    credentials = cloud.assume(target["RoleArn"], service, session)
    parameters = (target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
    cloud.client("sagemaker", credentials).start_pipeline_execution(PipelineName=name, PipelineParameters=parameters)


_BY_SERVICE: dict[str, Callable[[Cloud, Mapping[str, Any], str, str], None]] = {
    "lambda": _lambda,
    "sqs": _sqs,
    "sns": _sns,
    "sagemaker": _pipeline,
}
