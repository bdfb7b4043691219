"""The role under which CloudFormation updates the Endpoint stack: what that template needs, on this project's resources."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from contracts.config import MonitoringBackend
from contracts.instances import has_local_storage
from stacks.constructs.job_roles import SAGEMAKER
from stacks.constructs.policy import allow, grant, pass_role, service_role
from stacks.constructs.scaling import scales
from stacks.names import VARIANT, Arns
from stacks.project import Project

_SCALING_SERVICE = "sagemaker.application-autoscaling.amazonaws.com"
_SCALING_ROLE = f"aws-service-role/{_SCALING_SERVICE}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


def deployment_role(scope: Construct, project: Project, *, model_role: iam.IRole, monitor_role: iam.IRole, key_arn: str) -> iam.Role:
    """reconcile_endpoint passes it to CloudFormation, so that the function itself may not touch the endpoint.

    What CloudFormation calls for a resource is in the handlers of its type's public schema (DescribeType), as far as it has one.
    """
    arns = Arns(cdk.Stack.of(scope), project)
    statements = [
        *_endpoint(arns, model_role),
        *([] if has_local_storage(project.config.serving.instance_type) else _volumes(key_arn)),
    ]
    if scales(project.config.serving):
        statements += [*_alarms(arns, project), *_scaling(cdk.Stack.of(scope), arns)]
    if project.config.monitoring.backend is MonitoringBackend.MODEL_MONITOR:
        statements += _model_monitor(arns, monitor_role)
    return service_role(scope, "DeploymentRole", "cloudformation.amazonaws.com", f"Updates {project.prefix}-endpoint", statements)


def _endpoint(arns: Arns, model_role: iam.IRole) -> list[iam.PolicyStatement]:
    models, configs = arns.endpoint_resources
    return [
        allow(["sagemaker:CreateModel", "sagemaker:DescribeModel", "sagemaker:DeleteModel"], [models]),
        allow(["sagemaker:CreateEndpointConfig", "sagemaker:DescribeEndpointConfig", "sagemaker:DeleteEndpointConfig"], [configs]),
        # Creating and updating an endpoint is authorised on its configuration too.
        allow(["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"], [arns.endpoint, configs]),
        allow(["sagemaker:DescribeEndpoint", "sagemaker:DeleteEndpoint"], [arns.endpoint]),
        # CloudFormation tags what it makes with its stack's name, and reads the tags of what it describes.
        allow(["sagemaker:AddTags"], [models, configs]),
        allow(["sagemaker:ListTags"], [models, configs, arns.endpoint]),
        allow(["sagemaker:DescribeModelPackage"], [arns.packages]),
        pass_role(model_role.role_arn, SAGEMAKER),
    ]


def _volumes(key_arn: str) -> list[iam.PolicyStatement]:
    """Whoever creates an endpoint grants its volumes the key; the configuration's handler looks at the key first.

    https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html
    """
    return [grant(key_arn), allow(["kms:DescribeKey"], [key_arn])]


def _model_monitor(arns: Arns, monitor_role: iam.IRole) -> list[iam.PolicyStatement]:
    data, model = arns.job_definitions
    schedules = arns.monitoring_schedules
    return [
        allow([f"sagemaker:{verb}DataQualityJobDefinition" for verb in ("Create", "Describe", "Delete")], [data]),
        allow([f"sagemaker:{verb}ModelQualityJobDefinition" for verb in ("Create", "Describe", "Delete")], [model]),
        allow([f"sagemaker:{verb}MonitoringSchedule" for verb in ("Create", "Describe", "Update", "Delete")], schedules),
        allow(["sagemaker:AddTags", "sagemaker:ListTags"], [data, model]),
        pass_role(monitor_role.role_arn, SAGEMAKER),
    ]


def _alarms(arns: Arns, project: Project) -> list[iam.PolicyStatement]:
    """A target tracking policy's alarms: whoever puts or deletes the policy must be allowed to put and delete them.

    https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html
    """
    own = arns.alarm(f"TargetTracking-endpoint/{project.prefix}/variant/{VARIANT}-*")
    return [allow(["cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms"], [own])]


def _scaling(stack: cdk.Stack, arns: Arns) -> list[iam.PolicyStatement]:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-prerequisites.html, and what CloudFormation's handler reads."""
    targets = stack.format_arn(service="application-autoscaling", resource="scalable-target", resource_name="*")
    role = stack.format_arn(service="iam", region="", resource="role", resource_name=_SCALING_ROLE)
    return [
        allow(
            [
                "application-autoscaling:DeleteScalingPolicy",
                "application-autoscaling:DeregisterScalableTarget",
                "application-autoscaling:PutScalingPolicy",
                "application-autoscaling:RegisterScalableTarget",
            ],
            [targets],
            {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
        ),
        allow([f"application-autoscaling:Describe{what}" for what in ("ScalableTargets", "ScalingPolicies", "ScheduledActions")], ["*"]),
        allow(["application-autoscaling:ListTagsForResource"], [targets]),
        allow(["sagemaker:UpdateEndpointWeightsAndCapacities"], [arns.endpoint]),
        allow(["iam:CreateServiceLinkedRole"], [role], {"StringEquals": {"iam:AWSServiceName": _SCALING_SERVICE}}),
    ]
