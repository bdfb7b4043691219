"""The training stack: the model image, the registry's group, the pipeline, and the roles they run under."""

import json

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from pipelines import placeholders
from pipelines.definition import get_pipeline
from stacks.constructs.job_roles import ModelRoles
from stacks.constructs.placeholders import swap
from stacks.constructs.placement import placement
from stacks.constructs.staging import staged
from stacks.data import DataStack
from stacks.names import stack_name
from stacks.project import Project

IMAGE_PARTS = ("contracts", "training")


class TrainingStack(cdk.Stack):
    """The image that prepares, trains, evaluates and serves; the model package group and the pipeline, both named after the project."""

    def __init__(self, scope: Construct, project: Project, data: DataStack) -> None:
        super().__init__(scope, stack_name(project, "training"), description=f"Tidewheel {project.prefix}: image, registry, pipeline")
        with staged(project.root, IMAGE_PARTS) as folder:
            image = ecr_assets.DockerImageAsset(
                self,
                "Image",
                directory=str(folder),
                file="training/Dockerfile",
                platform=ecr_assets.Platform.LINUX_AMD64,
            )
        roles = ModelRoles(self, project, data, image.repository.repository_arn)
        self.model_role, self.monitor_role, self.collect_role, self.batch_role = roles.model, roles.monitor, roles.collect, roles.batch
        self.image_uri = image.image_uri
        group = sagemaker.CfnModelPackageGroup(
            self,
            "ModelPackageGroup",
            model_package_group_name=project.prefix,
            model_package_group_description=f"Versions of {project.config.project} in {project.config.environment}",
        )
        # SageMaker deletes no group that holds versions, and versions say what was live: `cdk destroy` leaves them.
        # https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-delete-model-group.html
        group.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        tokens = {
            placeholders.IMAGE_URI: image.image_uri,
            placeholders.JOB_ROLE_ARN: roles.job.role_arn,
            placeholders.KMS_KEY_ARN: data.key.key_arn,
            placeholders.MODEL_PACKAGE_GROUP: project.prefix,
        }
        if where := placement(project):
            tokens |= dict(zip(placeholders.subnets(project.config.network.zones), where.subnets, strict=True)) | {
                placeholders.SECURITY_GROUP: where.security_group
            }
        definition = swap(get_pipeline(project.config), tokens)
        pipeline = sagemaker.CfnPipeline(
            self,
            "Pipeline",
            pipeline_name=project.prefix,
            pipeline_display_name=project.prefix,
            pipeline_description="Prepare, train, evaluate, gate, register",
            # Not to_json_string, which leaves nulls out: PipelineExperimentConfig has a default. No token here holds what JSON must escape.
            pipeline_definition={"PipelineDefinitionBody": json.dumps(definition, separators=(",", ":"))},
            role_arn=roles.pipeline.role_arn,
        )
        pipeline.add_resource_dependency(group)
        cdk.CfnOutput(self, "PipelineName", value=project.prefix)
        cdk.CfnOutput(self, "ModelPackageGroupName", value=project.prefix)
        cdk.CfnOutput(self, "ImageUri", value=image.image_uri)
        cdk.CfnOutput(self, "BatchRoleArn", value=roles.batch.role_arn)
