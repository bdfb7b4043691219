"""Application Auto Scaling: targets and policies.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApplicationAutoScaling.html, and the handlers in the types'
public schemas: after a change CloudFormation reads the target with its scheduled actions and tags, and the policy.
ScheduledActions are not emulated.
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, gone

_SERVICE = "application-autoscaling"
_GONE = "ObjectNotFoundException"
_TARGET = ("ResourceId", "ScalableDimension", "ServiceNamespace")


class ScalableTarget(Handler):
    """Ref is `resource|dimension|namespace`."""

    type = "AWS::ApplicationAutoScaling::ScalableTarget"
    properties = frozenset(
        {"MaxCapacity", "MinCapacity", "ResourceId", "RoleARN", "ScalableDimension", "ServiceNamespace", "SuspendedState"}
    )
    required = frozenset({"MaxCapacity", "MinCapacity", *_TARGET})
    replacement = frozenset(_TARGET)
    attributes = frozenset({"Id"})

    def create(self, call: Call) -> Created:
        reference = "|".join(str(call.properties[key]) for key in _TARGET)
        return Created(reference, self.update(call, reference, {}))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        api = call.client(_SERVICE)
        api.register_scalable_target(**call.request(_SERVICE, "RegisterScalableTarget"))
        namespace, resource = str(call.properties["ServiceNamespace"]), str(call.properties["ResourceId"])
        (target,) = api.describe_scalable_targets(ServiceNamespace=namespace, ResourceIds=[resource])["ScalableTargets"]
        api.describe_scheduled_actions(ServiceNamespace=namespace, ResourceId=resource)
        arn = target.get("ScalableTargetARN") or call.account.arn(_SERVICE, f"scalable-target/{resource}")
        api.list_tags_for_resource(ResourceARN=arn)
        return {"Id": physical_id}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client(_SERVICE).deregister_scalable_target(**{key: call.properties[key] for key in _TARGET})


class ScalingPolicy(Handler):
    """Ref is the policy's ARN. The target is named by ScalingTargetId or by its three parts."""

    type = "AWS::ApplicationAutoScaling::ScalingPolicy"
    properties = frozenset(
        {
            "PolicyName",
            "PolicyType",
            "ScalingTargetId",
            "StepScalingPolicyConfiguration",
            "TargetTrackingScalingPolicyConfiguration",
            *_TARGET,
        }
    )
    required = frozenset({"PolicyName", "PolicyType"})
    replacement = frozenset({"PolicyName", "ScalingTargetId", *_TARGET})
    attributes = frozenset({"Arn"})

    def create(self, call: Call) -> Created:
        arn = self._put(call)
        return Created(arn, {"Arn": arn})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"Arn": self._put(call)}

    def delete(self, call: Call, physical_id: str) -> None:
        self._read(call)
        with gone(_GONE):
            call.client(_SERVICE).delete_scaling_policy(PolicyName=call.properties["PolicyName"], **self._target(call))

    def _put(self, call: Call) -> str:
        request = call.request(_SERVICE, "PutScalingPolicy", "ScalingTargetId", *_TARGET)
        api, target = call.client(_SERVICE), self._target(call)
        arn: str = api.put_scaling_policy(**request, **target)["PolicyARN"]
        self._read(call)
        return arn

    def _read(self, call: Call) -> None:
        target = self._target(call)
        call.client(_SERVICE).describe_scaling_policies(
            PolicyNames=[call.properties["PolicyName"]], ServiceNamespace=target["ServiceNamespace"], ResourceId=target["ResourceId"]
        )

    def _target(self, call: Call) -> dict[str, Any]:
        if "ScalingTargetId" in call.properties:
            return dict(zip(_TARGET, str(call.properties["ScalingTargetId"]).split("|"), strict=True))
        return {key: call.properties[key] for key in _TARGET}


HANDLERS: tuple[Handler, ...] = (ScalableTarget(), ScalingPolicy())
