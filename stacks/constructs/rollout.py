"""serving.rollout and serving.alarms -> how SageMaker moves an endpoint to a new fleet, and what throws it back."""

import math
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from contracts.errors import ConfigError
from contracts.serving import Rollout, RolloutType
from stacks.names import VARIANT, rollback_alarm_names
from stacks.project import Project

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_BlueGreenUpdatePolicy.html: 600 to 14,400 seconds.
_LONGEST_SECONDS = 14_400
_START_OF_A_FLEET_SECONDS = 1_800


def deployment_config(rollout: Rollout, alarm_names: list[str], guarded: str) -> sagemaker.CfnEndpoint.DeploymentConfigProperty:
    """Blue/green, with automatic rollback on any of these alarms; all at once and without them where the condition `guarded` is false.

    Raises ConfigError when it cannot end within SageMaker's limit.
    """
    endpoint = sagemaker.CfnEndpoint
    _check_duration(rollout)
    alarms = {"Alarms": [{"AlarmName": name} for name in alarm_names]}
    at_once = {"Type": RolloutType.ALL_AT_ONCE.name, "WaitIntervalInSeconds": rollout.interval_seconds}
    return endpoint.DeploymentConfigProperty(
        blue_green_update_policy=endpoint.BlueGreenUpdatePolicyProperty(
            traffic_routing_configuration=cdk.Fn.condition_if(guarded, _routing(rollout), at_once),
            termination_wait_in_seconds=rollout.termination_wait_seconds,
            maximum_execution_timeout_in_seconds=_LONGEST_SECONDS,
        ),
        auto_rollback_configuration=cdk.Fn.condition_if(guarded, alarms, cdk.Aws.NO_VALUE),
    )


def _routing(rollout: Rollout) -> dict[str, Any]:
    """TrafficRoutingConfiguration in the template's words, which is what goes into an Fn::If."""
    size = {RolloutType.CANARY: "CanarySize", RolloutType.LINEAR: "LinearStepSize"}.get(rollout.type)
    step = {size: {"Type": "CAPACITY_PERCENT", "Value": rollout.step_percent}} if size else {}
    return {"Type": rollout.type.name, "WaitIntervalInSeconds": rollout.interval_seconds} | step


def _check_duration(rollout: Rollout) -> None:
    steps = math.ceil(100 / rollout.step_percent) if rollout.type is RolloutType.LINEAR else 1
    waits = steps * rollout.interval_seconds + rollout.termination_wait_seconds
    if waits + _START_OF_A_FLEET_SECONDS > _LONGEST_SECONDS:
        raise ConfigError(
            [
                f"serving.rollout: {waits} s of waiting ({steps} x interval_seconds + termination_wait_seconds) and the start of a fleet "
                f"do not fit into the {_LONGEST_SECONDS} s that SageMaker allows a deployment. "
                "Next: shorten interval_seconds, or take larger steps"
            ]
        )


def rollback_alarms(scope: Construct, project: Project) -> list[cloudwatch.CfnAlarm]:
    """`<prefix>-5xx` and `<prefix>-latency`. No traffic means no data, and is not a failure."""
    prefix, limits = project.prefix, project.config.serving.alarms
    errors, latency = rollback_alarm_names(project)
    common: dict[str, Any] = {
        "namespace": "AWS/SageMaker",
        "dimensions": [
            cloudwatch.CfnAlarm.DimensionProperty(name="EndpointName", value=prefix),
            cloudwatch.CfnAlarm.DimensionProperty(name="VariantName", value=VARIANT),
        ],
        "period": 60,
        "evaluation_periods": 1,
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "treat_missing_data": "notBreaching",
    }
    return [
        cloudwatch.CfnAlarm(
            scope,
            "ErrorsAlarm",
            alarm_name=errors,
            alarm_description="The model server answered with 5xx; rolls a deployment back",
            metric_name="Invocation5XXErrors",
            statistic="Sum",
            threshold=limits.errors_per_minute,
            **common,
        ),
        cloudwatch.CfnAlarm(
            scope,
            "LatencyAlarm",
            alarm_name=latency,
            alarm_description="The slowest twentieth of the answers took too long; rolls a deployment back",
            metric_name="ModelLatency",
            extended_statistic="p95",
            threshold=limits.latency_milliseconds * 1000,  # ModelLatency is in microseconds
            **common,
        ),
    ]
