"""SNS topics, policies and subscriptions.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, gone, tag_list
from twin.cloudformation.shapes import as_text

_TOPIC = frozenset({"DisplayName", "KmsMasterKeyId", "FifoTopic", "ContentBasedDeduplication", "SignatureVersion", "TracingConfig"})
_SUBSCRIPTION = frozenset({"FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy"})
_GONE = ("NotFound", "NotFoundException")


class Topic(Handler):
    """Ref is the topic's ARN."""

    type = "AWS::SNS::Topic"
    properties = _TOPIC | {"TopicName", "Tags"}
    replacement = frozenset({"TopicName", "FifoTopic"})
    attributes = frozenset({"TopicArn", "TopicName"})
    name_property = "TopicName"

    def create(self, call: Call) -> Created:
        attributes = {key: as_text(call.properties[key]) for key in sorted(_TOPIC & call.properties.keys())}
        tags = tag_list(call.properties.get("Tags"))
        arn = call.client("sns").create_topic(Name=call.name("TopicName", 256), Attributes=attributes, Tags=tags)["TopicArn"]
        return Created(arn, self._known(arn))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        sns = call.client("sns")
        for key in sorted(_TOPIC):
            if call.properties.get(key) != before.get(key):
                sns.set_topic_attributes(TopicArn=physical_id, AttributeName=key, AttributeValue=as_text(call.properties.get(key, "")))
        if call.properties.get("Tags") != before.get("Tags"):
            sns.untag_resource(ResourceArn=physical_id, TagKeys=[tag["Key"] for tag in tag_list(before.get("Tags"))])
            sns.tag_resource(ResourceArn=physical_id, Tags=tag_list(call.properties.get("Tags")))
        return self._known(physical_id)

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(*_GONE):
            call.client("sns").delete_topic(TopicArn=physical_id)

    def _known(self, arn: str) -> Mapping[str, Any]:
        return {"TopicArn": arn, "TopicName": arn.rpartition(":")[2]}


class TopicPolicy(Handler):
    """A topic's policy cannot be taken away on AWS either: deleting leaves it."""

    type = "AWS::SNS::TopicPolicy"
    properties = frozenset({"Topics", "PolicyDocument"})
    required = properties

    def create(self, call: Call) -> Created:
        self.update(call, "", {})
        return Created(call.new_name())

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        policy = as_text(call.properties["PolicyDocument"])
        for topic in call.properties["Topics"]:
            call.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        return {}

    def delete(self, call: Call, physical_id: str) -> None:
        return None


class Subscription(Handler):
    """docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-subscription.html"""

    type = "AWS::SNS::Subscription"
    properties = _SUBSCRIPTION | {"TopicArn", "Protocol", "Endpoint"}
    required = frozenset({"TopicArn", "Protocol"})
    replacement = frozenset({"TopicArn", "Protocol", "Endpoint"})
    attributes = frozenset({"Arn"})

    def create(self, call: Call) -> Created:
        given = call.properties
        attributes = {key: as_text(given[key]) for key in sorted(_SUBSCRIPTION & given.keys())}
        arn = call.client("sns").subscribe(
            TopicArn=given["TopicArn"],
            Protocol=given["Protocol"],
            Endpoint=given.get("Endpoint", ""),
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return Created(arn, {"Arn": arn})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        for key in sorted(_SUBSCRIPTION):
            if call.properties.get(key) != before.get(key):
                value = as_text(call.properties.get(key, ""))
                call.client("sns").set_subscription_attributes(SubscriptionArn=physical_id, AttributeName=key, AttributeValue=value)
        return {"Arn": physical_id}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(*_GONE):
            call.client("sns").unsubscribe(SubscriptionArn=physical_id)


HANDLERS: tuple[Handler, ...] = (Topic(), TopicPolicy(), Subscription())
