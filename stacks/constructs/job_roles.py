"""The roles of a model's life: the pipeline that starts jobs, the jobs themselves, the model that is served, the job that watches it,
and the job that collects what it is trained on next.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html (per API), build-and-manage-access.html (pipelines).
"""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from contracts.config import MonitoringBackend
from contracts.layout import CAPTURE, COLLECTED, DATASETS, EVALUATION_CHANNEL, GROUND_TRUTH, MONITORING, RUNS, UPLOADS
from contracts.monitoring import NAMESPACE
from stacks.constructs.policy import allow, pass_role, service_role
from stacks.data import DataStack
from stacks.names import JOB_LOGS, SERVING_LOGS, Arns, rollback_alarm_names
from stacks.project import Project

SAGEMAKER = "sagemaker.amazonaws.com"


class ModelRoles(Construct):
    """Roles of the pipeline, its jobs, the model, and of what watches and collects its traffic. `repository_arn`: of the image."""

    def __init__(self, scope: Construct, project: Project, data: DataStack, repository_arn: str) -> None:
        super().__init__(scope, "Roles")
        self._project = project
        self._data = data
        self._repository = repository_arn
        self._arns = Arns(cdk.Stack.of(self), project)
        self.job = service_role(self, "Job", SAGEMAKER, "Prepare, train and evaluate", self._job_statements())
        self.pipeline = service_role(
            self, "Pipeline", SAGEMAKER, "Starts the pipeline's jobs and registers models", self._pipeline_statements()
        )
        self.model = service_role(self, "Model", SAGEMAKER, "The model that is served", self._model_statements())
        self.monitor = service_role(self, "Monitor", SAGEMAKER, "Looks at a window of traffic", self._monitor_statements())
        self.collect = service_role(self, "Collect", SAGEMAKER, "Collects labelled traffic", self._collect_statements())

    def _pipeline_statements(self) -> list[iam.PolicyStatement]:
        # Pipelines names its jobs pipelines-<execution>-<step>-<suffix>, and tags them with the execution.
        jobs = [self._arns.sagemaker(kind, "pipelines-*") for kind in ("processing-job", "training-job")]
        processing, training = jobs
        artifacts = self._data.artifacts_bucket_arn
        return [
            allow(["sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob"], [processing]),
            allow(["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"], [training]),
            allow(["sagemaker:AddTags"], jobs),
            allow(["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"], [self._arns.packages]),
            allow(["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackageGroup"], [self._arns.group]),
            pass_role(self.job.role_arn, SAGEMAKER),
            # evaluation.json is read as a property file, and the artifact is checked when it is registered.
            allow(["s3:GetObject"], [f"{artifacts}/{RUNS}*"]),
            allow(["s3:ListBucket"], [artifacts], {"StringLike": {"s3:prefix": f"{RUNS}*"}}),
            *self._image(),
            *self._volumes(),
        ]

    def _job_statements(self) -> list[iam.PolicyStatement]:
        data, artifacts = self._data.data_bucket_arn, self._data.artifacts_bucket_arn
        return [
            allow(["s3:GetObject", "s3:GetObjectVersion"], [f"{data}/{prefix}*" for prefix in (DATASETS, UPLOADS, COLLECTED)]),
            allow(["s3:ListBucket"], [data], {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in (DATASETS, UPLOADS, COLLECTED)]}}),
            allow(["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], [f"{artifacts}/{RUNS}*"]),
            allow(["s3:ListBucket"], [artifacts], {"StringLike": {"s3:prefix": f"{RUNS}*"}}),
            *self._image(),
            *self._volumes(),
            *self._logs(*JOB_LOGS),
            *self._metrics("/aws/sagemaker/*"),
        ]

    def _model_statements(self) -> list[iam.PolicyStatement]:
        artifacts = self._data.artifacts_bucket_arn
        return [
            allow(["s3:GetObject"], [f"{artifacts}/{RUNS}*"]),
            allow(["s3:ListBucket"], [artifacts], {"StringLike": {"s3:prefix": f"{RUNS}*"}}),
            # Data capture writes in the name of the model's role.
            allow(["s3:PutObject"], [f"{artifacts}/{CAPTURE}*"]),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], [self._data.key.key_arn]),
            *self._image(),
            # A rollout watches its alarms in the name of the model's role.
            # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
            allow(["cloudwatch:DescribeAlarms"], [self._arns.alarm(name) for name in rollback_alarm_names(self._project)]),
            *self._logs(f"{SERVING_LOGS}{self._project.prefix}"),
            *self._metrics("/aws/sagemaker/Endpoints"),
        ]

    def _monitor_statements(self) -> list[iam.PolicyStatement]:
        data, artifacts, captured = self._data.data_bucket_arn, self._data.artifacts_bucket_arn, f"{CAPTURE}{self._project.prefix}/*"
        baselines = f"{RUNS}*/{EVALUATION_CHANNEL}"  # of the runs' files these alone, no tables and no models
        return [
            allow(["s3:GetObject"], [f"{artifacts}/{captured}", f"{artifacts}/{baselines}/*", f"{data}/{GROUND_TRUTH}*"]),
            allow(["s3:ListBucket"], [artifacts], {"StringLike": {"s3:prefix": [captured, f"{baselines}*"]}}),
            allow(["s3:ListBucket"], [data], {"StringLike": {"s3:prefix": f"{GROUND_TRUTH}*"}}),
            allow(["s3:PutObject", "s3:AbortMultipartUpload"], [f"{artifacts}/{MONITORING}*"]),
            *self._image(),
            *self._volumes(),
            *self._logs(JOB_LOGS[0]),
            *self._metrics("/aws/sagemaker/*", NAMESPACE),
            *self._model_monitor(),
        ]

    def _model_monitor(self) -> list[iam.PolicyStatement]:
        """What Model Monitor does in the name of the role: it merges labels, publishes metrics, and its jobs find their baseline."""
        if self._project.config.monitoring.backend is not MonitoringBackend.MODEL_MONITOR:
            return []
        artifacts = self._data.artifacts_bucket_arn
        return [
            allow(["sagemaker:DescribeModelPackage"], [self._arns.packages]),
            allow(["s3:GetObject"], [f"{artifacts}/{MONITORING}*"]),
            allow(["s3:ListBucket"], [artifacts], {"StringLike": {"s3:prefix": f"{MONITORING}*"}}),
            *self._metrics("aws/sagemaker/*"),
        ]

    def _collect_statements(self) -> list[iam.PolicyStatement]:
        """Reads captured requests, labels and the parent's manifest; writes the labelled rows and the manifest of a dataset version."""
        data, artifacts, captured = self._data.data_bucket_arn, self._data.artifacts_bucket_arn, f"{CAPTURE}{self._project.prefix}/*"
        read = [f"{prefix}*" for prefix in (GROUND_TRUTH, DATASETS, COLLECTED)]
        return [
            allow(["s3:GetObject"], [f"{artifacts}/{captured}", *(f"{data}/{prefix}" for prefix in read)]),
            allow(["s3:ListBucket"], [artifacts], {"StringLike": {"s3:prefix": captured}}),
            allow(["s3:ListBucket"], [data], {"StringLike": {"s3:prefix": read}}),
            allow(["s3:PutObject"], [f"{data}/{prefix}*" for prefix in (DATASETS, COLLECTED)]),
            *self._image(),
            *self._volumes(),
            *self._logs(JOB_LOGS[0]),
        ]

    def _image(self) -> list[iam.PolicyStatement]:
        return [
            allow(["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], [self._repository]),
            allow(["ecr:GetAuthorizationToken"], ["*"]),
        ]

    def _volumes(self) -> list[iam.PolicyStatement]:
        """Objects and job volumes under the project's key. SageMaker uses the key on volumes through grants."""
        key = self._data.key.key_arn
        return [
            allow(["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], [key]),
            allow(["kms:CreateGrant"], [key], {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        ]

    def _logs(self, *groups: str) -> list[iam.PolicyStatement]:
        arns = [self._arns.log_group(group) for group in groups]
        return [
            # CloudWatch Logs checks these two on the group's ARN with and without an end, depending on the call.
            allow(["logs:CreateLogGroup", "logs:DescribeLogStreams"], [*arns, *(f"{arn}:*" for arn in arns)]),
            allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{arn}:log-stream:*" for arn in arns]),
        ]

    def _metrics(self, *namespaces: str) -> list[iam.PolicyStatement]:
        return [allow(["cloudwatch:PutMetricData"], ["*"], {"StringLike": {"cloudwatch:namespace": list(namespaces)}})]
