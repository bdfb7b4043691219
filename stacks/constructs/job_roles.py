"""The roles of a model's life: the pipeline that starts jobs, the jobs themselves, the model that is served or predicts tables, the job
that watches it, and the job that collects what it is trained on next.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html (per API), build-and-manage-access.html (pipelines). Whoever
starts a job needs no right to its volume's key, because the job's role has it (api-permissions-reference.html).
"""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from contracts.config import MonitoringBackend
from contracts.instances import has_local_storage
from contracts.layout import (
    BATCH,
    CAPTURE,
    COLLECTED,
    DATASETS,
    EVALUATION_CHANNEL,
    GROUND_TRUTH,
    MODEL_ARCHIVE,
    MONITORING,
    OUTCOME,
    RUNS,
    UPLOADS,
)
from contracts.monitoring import NAMESPACE
from stacks.constructs.hash_key import read_hash_key
from stacks.constructs.placement import placement
from stacks.constructs.policy import allow, grant, pass_role, service_role
from stacks.data import DataStack
from stacks.names import BATCH_LOGS, JOB_LOGS, SERVING_LOGS, Arns, rollback_alarm_names
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
        self.batch = service_role(self, "Batch", SAGEMAKER, "The model that predicts tables", self._batch_statements())
        self.collect = service_role(self, "Collect", SAGEMAKER, "Collects labelled traffic", self._collect_statements())

    def _pipeline_statements(self) -> list[iam.PolicyStatement]:
        # Pipelines names its jobs pipelines-<execution>-<step>-<suffix>. AWS does not say that it tags them; custom tags of a step need
        # AddTags, and a role that lacked it would fail in its first run.
        jobs = [self._arns.sagemaker(kind, "pipelines-*") for kind in ("processing-job", "training-job")]
        processing, training = jobs
        artifacts = self._data.artifacts_bucket_arn
        return [
            allow(["sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob"], [processing]),
            allow(["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"], [training]),
            allow(["sagemaker:AddTags"], jobs),
            allow(["sagemaker:CreateModelPackage"], [self._arns.packages, self._arns.group]),
            pass_role(self.job.role_arn, SAGEMAKER),
            # The property file that the gate reads.
            allow(["s3:GetObject"], [f"{artifacts}/{RUNS}*/{EVALUATION_CHANNEL}/{OUTCOME}"]),
            allow(["kms:Decrypt"], [self._data.key.key_arn]),
        ]

    def _job_statements(self) -> list[iam.PolicyStatement]:
        data, artifacts, config = self._data.data_bucket_arn, self._data.artifacts_bucket_arn, self._project.config
        return [
            # SageMaker copies the manifest; the files that it names are read by their versions.
            allow(["s3:GetObject"], [f"{data}/{DATASETS}*"]),
            allow(["s3:ListBucket"], [data], {"StringLike": {"s3:prefix": f"{DATASETS}*"}}),
            allow(["s3:GetObjectVersion"], [f"{data}/{prefix}*" for prefix in (UPLOADS, COLLECTED)]),
            allow(["s3:GetObject", "s3:PutObject"], [f"{artifacts}/{RUNS}*"]),
            allow(["s3:ListBucket"], [artifacts], {"StringLike": {"s3:prefix": f"{RUNS}*"}}),
            *read_hash_key(cdk.Stack.of(self), self._project),
            *self._container(),
            *self._encryption(config.training.instance_type, outputs=True),
            *self._logs(*JOB_LOGS),
            *self._metrics(*JOB_LOGS),
        ]

    def _model_statements(self) -> list[iam.PolicyStatement]:
        artifacts = self._data.artifacts_bucket_arn
        return [
            allow(["s3:GetObject"], [f"{artifacts}/{RUNS}*/{MODEL_ARCHIVE}"]),
            # Data capture writes in the name of the model's role.
            allow(["s3:PutObject"], [f"{artifacts}/{CAPTURE}*"]),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], [self._data.key.key_arn]),
            *self._container(),
            # A rollout watches its alarms in the name of the model's role.
            # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
            allow(["cloudwatch:DescribeAlarms"], [self._arns.alarm(name) for name in rollback_alarm_names(self._project)]),
            *self._logs(f"{SERVING_LOGS}{self._project.prefix}"),
            *self._metrics("/aws/sagemaker/Endpoints"),
        ]

    def _batch_statements(self) -> list[iam.PolicyStatement]:
        """The model once more, in transform jobs: it takes tables and writes predictions, and nobody reaches it."""
        artifacts, placed = self._data.artifacts_bucket_arn, f"{BATCH}{self._project.prefix}-batch-*"
        return [
            allow(["s3:GetObject"], [f"{artifacts}/{RUNS}*/{MODEL_ARCHIVE}", f"{artifacts}/{placed}/in/*"]),
            allow(["s3:ListBucket"], [artifacts], {"StringLike": {"s3:prefix": f"{placed}/in/*"}}),
            allow(["s3:PutObject"], [f"{artifacts}/{placed}/out/*"]),
            *self._container(),
            *self._encryption(self._project.config.batch.instance_type, outputs=True),
            *self._logs(BATCH_LOGS),
            *self._metrics(BATCH_LOGS),
        ]

    def _monitor_statements(self) -> list[iam.PolicyStatement]:
        data, artifacts, captured = self._data.data_bucket_arn, self._data.artifacts_bucket_arn, f"{CAPTURE}{self._project.prefix}/*"
        baselines = f"{RUNS}*/{EVALUATION_CHANNEL}"  # of the runs' files these alone, no tables and no models
        return [
            allow(["s3:GetObject"], [f"{artifacts}/{captured}", f"{artifacts}/{baselines}/*", f"{data}/{GROUND_TRUTH}*"]),
            allow(["s3:ListBucket"], [artifacts], {"StringLike": {"s3:prefix": [captured, f"{baselines}*"]}}),
            allow(["s3:ListBucket"], [data], {"StringLike": {"s3:prefix": f"{GROUND_TRUTH}*"}}),
            allow(["s3:PutObject"], [f"{artifacts}/{MONITORING}*"]),
            *self._container(),
            *self._encryption(self._project.config.monitoring.instance_type, outputs=True),
            *self._logs(JOB_LOGS[0]),
            *self._metrics(JOB_LOGS[0], NAMESPACE),
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
        return [
            # What it has written it reads when it is written once more, as after an answer of S3 that was lost (training/collect.py).
            allow(["s3:GetObject"], [f"{artifacts}/{captured}", *(f"{data}/{prefix}*" for prefix in (GROUND_TRUTH, DATASETS, COLLECTED))]),
            allow(["s3:ListBucket"], [artifacts], {"StringLike": {"s3:prefix": captured}}),
            allow(["s3:ListBucket"], [data], {"StringLike": {"s3:prefix": f"{GROUND_TRUTH}*"}}),
            allow(["s3:PutObject"], [f"{data}/{prefix}*" for prefix in (DATASETS, COLLECTED)]),
            *self._container(),
            *self._encryption(self._project.config.monitoring.instance_type, outputs=False),
            *self._logs(JOB_LOGS[0]),
            *self._metrics(JOB_LOGS[0]),
        ]

    def _container(self) -> list[iam.PolicyStatement]:
        """Its image, and its place in the VPC, if there is one."""
        where = placement(self._project)
        network = where.job_statements(cdk.Stack.of(self)) if where else []
        return [
            *network,
            allow(["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], [self._repository]),
            allow(["ecr:GetAuthorizationToken"], ["*"]),
        ]

    def _encryption(self, instance_type: str, *, outputs: bool) -> list[iam.PolicyStatement]:
        """Objects and job volumes under the project's key, and outputs that SageMaker is told to encrypt with it.

        SageMaker uses the key on volumes through grants; local storage has none.
        """
        key = self._data.key.key_arn
        objects = allow(["kms:Decrypt", *(["kms:Encrypt"] if outputs else []), "kms:GenerateDataKey"], [key])
        return [objects] if has_local_storage(instance_type) else [objects, grant(key)]

    def _logs(self, *groups: str) -> list[iam.PolicyStatement]:
        # In policies a group's ARN ends with :*, and a stream's is below it.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html#CWL_ARN_Format
        arns = [self._arns.log_group(group) for group in groups]
        return [
            allow(["logs:CreateLogGroup", "logs:DescribeLogStreams"], [f"{arn}:*" for arn in arns]),
            allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{arn}:log-stream:*" for arn in arns]),
        ]

    def _metrics(self, *namespaces: str) -> list[iam.PolicyStatement]:
        return [allow(["cloudwatch:PutMetricData"], ["*"], {"StringLike": {"cloudwatch:namespace": list(namespaces)}})]
