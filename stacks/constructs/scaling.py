"""More instances when there is more traffic: target tracking on invocations per instance."""

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from contracts.serving import Serving
from stacks.names import VARIANT


def scales(serving: Serving) -> bool:
    """Whether there is anything between the smallest and the largest fleet. A serverless endpoint scales by itself."""
    return not serving.is_serverless and serving.max_instance_count > serving.instance_count


def scale(scope: Construct, endpoint: sagemaker.CfnEndpoint, name: str, serving: Serving, condition: cdk.CfnCondition) -> None:
    """Between instance_count and max_instance_count; nothing to do when they are the same."""
    if not scales(serving):
        return
    target = scaling.CfnScalableTarget(
        scope,
        "Capacity",
        service_namespace="sagemaker",
        resource_id=f"endpoint/{name}/variant/{VARIANT}",
        scalable_dimension="sagemaker:variant:DesiredInstanceCount",
        min_capacity=serving.instance_count,
        max_capacity=serving.max_instance_count,
    )
    target.add_resource_dependency(endpoint)
    policy = scaling.CfnScalingPolicy(
        scope,
        "ScalingPolicy",
        policy_name=f"{name}-invocations",
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.ref,
        target_tracking_scaling_policy_configuration=scaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty(
            target_value=serving.invocations_per_instance,
            predefined_metric_specification=scaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
                predefined_metric_type="SageMakerVariantInvocationsPerInstance"
            ),
        ),
    )
    for resource in (target, policy):
        resource.cfn_options.condition = condition
