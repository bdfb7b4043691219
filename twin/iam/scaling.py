"""What Application Auto Scaling needs of its callers: its own actions, and those of the service and the alarms that it scales by.

docs: https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html (it tries out the caller's
permissions on the target service and on CloudWatch before it goes on), security_iam_id-based-policy-examples.html (which these are for
SageMaker), application-auto-scaling-service-linked-roles.html (the first target of a service needs iam:CreateServiceLinkedRole). Modelled:
DescribeEndpointConfig is not tried, because the call does not name the configuration; a denial is an AccessDeniedException, where AWS
writes a ValidationException. Refused by name: targets other than endpoint variants.
"""

from moto.iam.models import iam_backends

from twin.iam.actions import Need, Place, needs_of
from twin.iam.calls import Call, UnmappedCallError
from twin.iam.identity import PARTITION

LINKED_SERVICE = "sagemaker.application-autoscaling.amazonaws.com"
LINKED_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
_ALARMS = {
    "PutScalingPolicy": ("PutMetricAlarm", "DescribeAlarms", "DeleteAlarms"),
    "DeleteScalingPolicy": ("DescribeAlarms", "DeleteAlarms"),
}


def needs(call: Call, place: Place) -> list[Need]:
    """Everything that a call must be allowed."""
    found, target = needs_of(call, place), str(call.parameters.get("ResourceId", ""))
    if call.operation == "RegisterScalableTarget":
        kind, _, rest = target.partition("/")
        if kind != "endpoint":
            raise UnmappedCallError(f"the twin does not know whose permissions the scaling of {target} takes")
        endpoint = f"arn:aws:sagemaker:{place.region}:{place.account}:endpoint/{rest.partition('/')[0]}"
        found += [Need(f"sagemaker:{action}", endpoint) for action in ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities")]
        if not has_linked_role(place):
            role = f"arn:aws:iam::{place.account}:role/aws-service-role/{LINKED_SERVICE}/{LINKED_ROLE}"
            found.append(Need("iam:CreateServiceLinkedRole", role, {"iam:awsservicename": LINKED_SERVICE}))
    alarms = f"arn:aws:cloudwatch:{place.region}:{place.account}:alarm:TargetTracking-{target}-*"
    return found + [Need(f"cloudwatch:{action}", alarms) for action in _ALARMS.get(call.operation, ())]


def has_linked_role(place: Place) -> bool:
    """Has the account the service-linked role already?"""
    return any(role.name == LINKED_ROLE for role in list(iam_backends[place.account][PARTITION].roles.values()))
