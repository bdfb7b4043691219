"""SQS queues and their policies.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, gone, tag_map
from twin.cloudformation.shapes import as_text

_ATTRIBUTES = frozenset(
    {
        "ContentBasedDeduplication",
        "DelaySeconds",
        "FifoQueue",
        "KmsDataKeyReusePeriodSeconds",
        "KmsMasterKeyId",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "RedriveAllowPolicy",
        "RedrivePolicy",
        "SqsManagedSseEnabled",
        "VisibilityTimeout",
    }
)
_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


class Queue(Handler):
    """Ref is the queue's URL."""

    type = "AWS::SQS::Queue"
    properties = _ATTRIBUTES | {"QueueName", "Tags"}
    replacement = frozenset({"QueueName", "FifoQueue"})
    attributes = frozenset({"Arn", "QueueName", "QueueUrl"})
    name_property = "QueueName"

    def create(self, call: Call) -> Created:
        name = call.name("QueueName", 80)
        url = call.client("sqs").create_queue(
            QueueName=name, Attributes=_attributes(call.properties), tags=tag_map(call.properties.get("Tags"))
        )["QueueUrl"]
        return Created(url, self._known(call, url))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        sqs = call.client("sqs")
        values = dict.fromkeys(_attributes(before), "") | _attributes(call.properties)
        changes = {key: value for key, value in values.items() if value != _attributes(before).get(key)}
        if changes:
            sqs.set_queue_attributes(QueueUrl=physical_id, Attributes=changes)
        if call.properties.get("Tags") != before.get("Tags"):
            sqs.untag_queue(QueueUrl=physical_id, TagKeys=list(tag_map(before.get("Tags"))))
            sqs.tag_queue(QueueUrl=physical_id, Tags=tag_map(call.properties.get("Tags")))
        return self._known(call, physical_id)

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(*_GONE):
            call.client("sqs").delete_queue(QueueUrl=physical_id)

    def _known(self, call: Call, url: str) -> Mapping[str, Any]:
        name = url.rpartition("/")[2]
        return {"Arn": call.account.arn("sqs", name), "QueueName": name, "QueueUrl": url}


def _attributes(properties: Mapping[str, Any]) -> dict[str, str]:
    return {key: as_text(properties[key]) for key in sorted(_ATTRIBUTES & properties.keys())}


class QueuePolicy(Handler):
    """docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html"""

    type = "AWS::SQS::QueuePolicy"
    properties = frozenset({"Queues", "PolicyDocument"})
    required = properties

    def create(self, call: Call) -> Created:
        self._put(call, call.properties["Queues"], as_text(call.properties["PolicyDocument"]))
        return Created(call.new_name())

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        self._put(call, [queue for queue in before["Queues"] if queue not in call.properties["Queues"]], "")
        self._put(call, call.properties["Queues"], as_text(call.properties["PolicyDocument"]))
        return {}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(*_GONE):
            self._put(call, call.properties["Queues"], "")

    def _put(self, call: Call, queues: list[str], policy: str) -> None:
        for queue in queues:
            call.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})


HANDLERS: tuple[Handler, ...] = (Queue(), QueuePolicy())
