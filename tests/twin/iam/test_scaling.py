"""What Application Auto Scaling tries out of its caller's permissions."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.functions.helpers import make_role, policy
from twin.iam.scaling import LINKED_ROLE
from twin.server import TwinServer

OWN = ["application-autoscaling:RegisterScalableTarget", "application-autoscaling:PutScalingPolicy"]
SAGEMAKER = ["sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"]
ALARMS = ["cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms"]
TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/demo/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
TRACKING = {"TargetValue": 1.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}


def caller(twin: TwinServer, *actions: str) -> Any:
    role = make_role(twin, f"r{len(actions)}", "lambda.amazonaws.com", document=policy((list(actions), "*")))
    return twin.cloud.client("application-autoscaling", twin.cloud.assume(role, "lambda.amazonaws.com", "s"))


def test_a_target_takes_the_endpoints_permissions_and_the_service_linked_role(twin: TwinServer) -> None:
    for actions, missing in (
        (OWN, SAGEMAKER[0]),
        ([*OWN, SAGEMAKER[0]], SAGEMAKER[1]),
        ([*OWN, *SAGEMAKER], "iam:CreateServiceLinkedRole"),
    ):
        with pytest.raises(ClientError, match=missing):
            caller(twin, *actions).register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=2)
    caller(twin, *OWN, *SAGEMAKER, "iam:CreateServiceLinkedRole").register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=2)
    role = twin.cloud.client("iam").get_role(RoleName=LINKED_ROLE)["Role"]
    assert "sagemaker.application-autoscaling.amazonaws.com" in json.dumps(role["AssumeRolePolicyDocument"])
    caller(twin, *OWN, *SAGEMAKER, "iam:GetRole", "iam:ListRoles").register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=3)


def test_a_policy_takes_the_permissions_of_its_alarms(twin: TwinServer) -> None:
    twin.cloud.client("application-autoscaling").register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=2)
    asked = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": TRACKING} | TARGET
    for number, missing in enumerate(ALARMS):
        with pytest.raises(ClientError, match=missing):
            caller(twin, *OWN, *ALARMS[:number]).put_scaling_policy(**asked)
    caller(twin, *OWN, *ALARMS).put_scaling_policy(**asked)
