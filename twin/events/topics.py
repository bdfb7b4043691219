"""A topic's messages to its subscribed queues: SNS sends in its own name, so the queue's policy must let the topic in.

docs: https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html (policy of the queue, and of its key if it has one). A
message that a queue refuses is dropped (https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html: a client-side error is
not retried). Modelled: subscriptions have no dead-letter queue of their own.
"""

import logging
from typing import Any

from moto.sns.models import Subscription
from moto.sqs.models import sqs_backends

from twin.cloud import Cloud
from twin.iam.actions import Place
from twin.iam.encryption import queue_key
from twin.iam.errors import AccessDenied
from twin.iam.services import check_send
from twin.patches import Patch

log = logging.getLogger("twin.events")

SERVICE = "sns.amazonaws.com"


def patch(cloud: Cloud) -> Patch:
    """Messages go only to queues that let the topic in."""
    publish = Subscription.publish

    def checked(self: Any, message: str, message_id: str, *more: Any, **named: Any) -> None:
        if self.protocol == "sqs":
            try:
                _check(cloud, self.endpoint, self.topic.arn)
            except AccessDenied as error:
                log.error("a message is lost: %s", error)  # noqa: TRY400 - the message says it all
                return
        publish(self, message, message_id, *more, **named)

    expects = (
        "(self, message: str, message_id: str, subject: str | None = None, message_attributes: dict[str, typing.Any] | None = None, "
        "group_id: str | None = None, deduplication_id: str | None = None, message_structure: str | None = None) -> None"
    )
    return Patch(Subscription, "publish", checked, expects, "moto sends to any queue, whatever its policy says")


def _check(cloud: Cloud, queue_arn: str, topic_arn: str) -> None:
    name = queue_arn.rpartition(":")[2]
    queue = sqs_backends[cloud.account][cloud.region].queues.get(name)
    if queue is None:
        raise AccessDenied(f"{topic_arn} cannot send to {queue_arn}: there is no such queue")
    key = queue_key(name, Place(cloud.account, cloud.region))
    check_send(cloud, queue.policy, "sqs:SendMessage", queue_arn, key, SERVICE, topic_arn)
