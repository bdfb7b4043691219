"""What an AWS service may do in its own name, for a resource of the account: the policies of what it acts on say so.

docs: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html#compatibility-with-aws-services and
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html (a service sends to an encrypted queue or topic only if the policy of its
customer-managed key lets it). Modelled: a queue's key is asked with the source's ARN and account; AWS does not say whether SQS passes them.
"""

from collections.abc import Mapping
from typing import Any

from moto.kms.models import kms_backends
from moto.sns.models import sns_backends

from twin.cloud import Cloud
from twin.iam import installed
from twin.iam.actions import Place
from twin.iam.authorise import in_order, resource_policy
from twin.iam.encryption import SEND, topic_key
from twin.iam.errors import AccessDenied
from twin.iam.policy import Principal, Statement
from twin.iam.question import Question

EVENTS = "events.amazonaws.com"


def check_resource_policy(
    cloud: Cloud, policy: tuple[Statement, ...], action: str, resource: str, service: str, source: Mapping[str, str]
) -> None:
    """Raises AccessDenied unless a resource's policy lets a service act on it; `source` says for whom, as condition keys."""
    principal = Principal("Service", frozenset({service}))
    context = in_order({"aws:securetransport": "true", **source})
    question = Question(principal, principal, action, resource, context, on_resource=policy)
    if not installed(cloud).authoriser.judge(question, service, action).allowed:
        raise AccessDenied(
            f"User: {service} is not authorized to perform: {action} on resource: {resource} for {source.get('aws:sourcearn', 'anyone')} "
            f"because no resource-based policy allows the {action} action"
        )


def check_send(cloud: Cloud, policy: Any, action: str, resource: str, key: str | None, service: str, source_arn: str) -> None:
    """Raises AccessDenied unless a service may send for `source_arn` to a queue or topic with this policy and customer-managed key."""
    source = {"aws:sourceaccount": cloud.account, "aws:sourceowner": cloud.account, "aws:sourcearn": source_arn}
    check_resource_policy(cloud, resource_policy(policy, resource), action, resource, service, source)
    if key is None:
        return
    found = kms_backends[cloud.account][cloud.region].keys.get(key.rpartition("/")[2])
    # "not supported for EventBridge-to-encrypted topics", says the SNS guide of these condition keys in a key's policy.
    known = {} if (service, action) == (EVENTS, "sns:Publish") else source
    for needed in SEND:
        check_resource_policy(cloud, resource_policy(found.policy if found is not None else None, key), needed, key, service, known)


def check_topic(cloud: Cloud, topic_arn: str, service: str, source_arn: str) -> None:
    """Raises AccessDenied unless a service may publish to a topic for `source_arn`."""
    topic = sns_backends[cloud.account][cloud.region].topics.get(topic_arn)
    key = topic_key(topic_arn, Place(cloud.account, cloud.region))
    check_send(cloud, getattr(topic, "policy", None), "sns:Publish", topic_arn, key, service, source_arn)
