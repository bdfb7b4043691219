"""Application Auto Scaling of endpoint variants, as far as the twin has it: targets and policies are kept, and nothing scales by itself.

Source: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html: registering makes
the service-linked role. Modelled: a target tracking policy makes no alarms; targets have no tags.
"""

import json
from typing import Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.iam.models import iam_backends

from twin.cloud import Cloud
from twin.iam.actions import Place
from twin.iam.identity import PARTITION
from twin.iam.scaling import LINKED_ROLE, LINKED_SERVICE, has_linked_role
from twin.patches import ABSENT, Patch


def patches(cloud: Cloud) -> tuple[Patch, ...]:
    """The role that registering makes, and the tags that CloudFormation reads."""
    register = ApplicationAutoscalingBackend.register_scalable_target

    def register_scalable_target(self: Any, *given: Any, **named: Any) -> Any:
        registered = register(self, *given, **named)
        _make_linked_role(cloud)
        return registered

    def list_tags_for_resource(_: Any) -> str:
        return json.dumps({"Tags": {}})

    expects = (
        "(self, namespace: str, r_id: str, dimension: str, min_capacity: int | None, max_capacity: int | None, "
        "role_arn: str, suspended_state: str) -> 'FakeScalableTarget'"
    )
    return (
        Patch(
            ApplicationAutoscalingBackend,
            "register_scalable_target",
            register_scalable_target,
            expects,
            "moto scales without the service-linked role",
        ),
        Patch(ApplicationAutoScalingResponse, "list_tags_for_resource", list_tags_for_resource, ABSENT, "moto knows no tags of targets"),
    )


def _make_linked_role(cloud: Cloud) -> None:
    if has_linked_role(Place(cloud.account, cloud.region)):
        return
    statement = {"Effect": "Allow", "Principal": {"Service": LINKED_SERVICE}, "Action": "sts:AssumeRole"}
    iam_backends[cloud.account][PARTITION].create_role(
        LINKED_ROLE,
        json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        f"/aws-service-role/{LINKED_SERVICE}/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration="3600",
    )
