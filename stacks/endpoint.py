"""The endpoint stack: the model that is live. Its one parameter is the champion's model package; without it there is no endpoint yet.

reconcile_endpoint updates this stack with the previous template and a new parameter, under the deployment role of the control stack; so the
template stands for itself: no assets, and no parameter of CDK's own. `cdk deploy` keeps the parameter's previous value.

A new model package replaces Model and EndpointConfig, and updates the endpoint in place, blue/green. The replaced ones are kept: SageMaker
may roll back on its own and then still serves from them, while CloudFormation has already cleaned up.
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-rollback.html
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from contracts.config import Config, MonitoringBackend
from contracts.instances import has_local_storage
from contracts.layout import WORKERS_VARIABLE
from contracts.serving import Serverless, Serving
from stacks.constructs.capture import data_capture
from stacks.constructs.logs import ProjectLogs
from stacks.constructs.model_monitor import ModelMonitor
from stacks.constructs.placement import Placement, placement
from stacks.constructs.rollout import deployment_config, rollback_alarms
from stacks.constructs.scaling import scale, scales
from stacks.data import DataStack
from stacks.names import SERVING_LOGS, VARIANT, logical_id, rollback_alarm_names, stack_name
from stacks.project import Project
from stacks.training import TrainingStack


class EndpointStack(cdk.Stack):
    """Model, EndpointConfig, Endpoint, rollback alarms and scaling; the endpoint is named after the project and environment.

    With monitoring.backend model_monitor its schedules too, so that they follow the champion.
    """

    def __init__(self, scope: Construct, project: Project, data: DataStack, training: TrainingStack) -> None:
        super().__init__(
            scope,
            stack_name(project, "endpoint"),
            description=f"Tidewheel {project.prefix}: the model that is live",
            synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
        )
        name, serving = project.prefix, project.config.serving
        package = self._package_parameter(name)
        has_model = cdk.CfnCondition(self, "HasModel", expression=cdk.Fn.condition_not(cdk.Fn.condition_equals(package, "")))
        guarded = cdk.CfnCondition(self, "Guarded", expression=cdk.Fn.condition_equals(self._guard_parameter(), "on"))
        alarms = rollback_alarms(self, project)
        # SageMaker would make the group itself, without key and without an end. Once it is there, nothing of an update touches it.
        logs = ProjectLogs(self, "Logs", f"{SERVING_LOGS}{name}", data.key)
        where = placement(project)
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=training.model_role.role_arn,
            # The model server calls nobody: SageMaker fetches the model, and keeps what is captured.
            enable_network_isolation=True if where else None,
            vpc_config=_vpc_config(where) if where else None,
            containers=[
                sagemaker.CfnModel.ContainerDefinitionProperty(
                    model_package_name=package.value_as_string,
                    environment={WORKERS_VARIABLE: str(serving.workers)} if serving.workers > 1 else None,
                )
            ],
        )
        config = self._endpoint_config(model, project.config, data.key, data.artifacts_bucket)
        endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=name,
            endpoint_config_name=config.attr_endpoint_config_name,
            deployment_config=deployment_config(serving.rollout, rollback_alarm_names(project), guarded.logical_id),
            # Keeps the capacity that scaling has reached, where the new configuration's initial count would reset it; without scaling,
            # instance_count is what counts. https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html
            retain_all_variant_properties=scales(serving),
        )
        for alarm in alarms:  # SageMaker refuses to roll out under an alarm that does not exist
            endpoint.add_resource_dependency(alarm)
        endpoint.node.add_dependency(logs)
        model.override_logical_id(logical_id(name, "model"))
        config.override_logical_id(logical_id(name, "config"))
        for kept in (model, config):
            kept.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.RETAIN
            kept.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.DELETE
        for resource in (model, config, endpoint):
            resource.cfn_options.condition = has_model
        scale(self, endpoint, name, serving, has_model)
        self._watch(project, data, training, endpoint, package, has_model)
        self._outputs(package, config, has_model, name)

    def _package_parameter(self, group: str) -> cdk.CfnParameter:
        return cdk.CfnParameter(
            self,
            "ModelPackageArn",
            description="The champion's model package; empty: no endpoint yet",
            default="",
            allowed_pattern=rf"^$|^arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:[0-9]{{12}}:model-package/{group}/[0-9]+$",
            constraint_description=f"must be empty or a model package of the group {group}",
        )

    def _guard_parameter(self) -> cdk.CfnParameter:
        return cdk.CfnParameter(
            self,
            "RollbackAlarms",
            description="off: at once and whatever the alarms say, to leave a live version that was rejected while it raises them",
            default="on",
            allowed_values=["on", "off"],
        )

    def _endpoint_config(
        self, model: sagemaker.CfnModel, config: Config, key: kms.IKey, artifacts: s3.IBucket
    ) -> sagemaker.CfnEndpointConfig:
        serving = config.serving
        size = _serverless(serving.serverless) if serving.is_serverless else _instances(serving)
        return sagemaker.CfnEndpointConfig(
            self,
            "EndpointConfig",
            data_capture_config=data_capture(config.monitoring, artifacts, key),
            kms_key_id=None if has_local_storage(serving.instance_type) else key.key_arn,
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=model.attr_model_name,
                    initial_variant_weight=1,
                    **size,
                )
            ],
        )

    def _watch(
        self,
        project: Project,
        data: DataStack,
        training: TrainingStack,
        endpoint: sagemaker.CfnEndpoint,
        package: cdk.CfnParameter,
        has_model: cdk.CfnCondition,
    ) -> None:
        """Model Monitor's schedules, where the configuration asks for them."""
        monitoring = project.config.monitoring
        if monitoring.backend is not MonitoringBackend.MODEL_MONITOR or not monitoring.capture_percent:
            return
        ModelMonitor(
            self,
            project,
            endpoint=endpoint,
            package=package,
            condition=has_model,
            image_uri=training.image_uri,
            role_arn=training.monitor_role.role_arn,
            key_arn=data.key.key_arn,
            data_bucket=data.data_bucket.bucket_name,
            artifacts_bucket=data.artifacts_bucket.bucket_name,
        )

    def _outputs(self, package: cdk.CfnParameter, config: sagemaker.CfnEndpointConfig, has_model: cdk.CfnCondition, name: str) -> None:
        cdk.CfnOutput(self, "EndpointName", value=name)
        cdk.CfnOutput(self, "LiveModelPackageArn", value=package.value_as_string, condition=has_model).override_logical_id(
            "ModelPackageArn"
        )
        cdk.CfnOutput(self, "EndpointConfigName", value=config.attr_endpoint_config_name, condition=has_model)


def _instances(serving: Serving) -> dict[str, Any]:
    return {"instance_type": serving.instance_type, "initial_instance_count": serving.instance_count}


def _serverless(size: Serverless) -> dict[str, Any]:
    config = sagemaker.CfnEndpointConfig.ServerlessConfigProperty
    return {"serverless_config": config(memory_size_in_mb=size.memory_megabytes, max_concurrency=size.max_concurrency)}


def _vpc_config(where: Placement) -> sagemaker.CfnModel.VpcConfigProperty:
    return sagemaker.CfnModel.VpcConfigProperty(subnets=list(where.subnets), security_group_ids=[where.security_group])
