"""What each function that turns the loop may do, in the order in which its code does it."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from contracts.layout import COLLECTED, DATASETS, EVALUATION, EVALUATION_CHANNEL, FEEDBACK, GROUND_TRUTH, QUARANTINE, RUNS, UPLOADS
from contracts.signature import SIGNATURE
from stacks.constructs.policy import allow, pass_role
from stacks.data import DataStack
from stacks.names import Arns, collect_jobs, monitor_jobs, rollback_alarm_names, window_alarm_names
from stacks.project import Project


class FunctionPolicies:
    """Statements of ingest_dataset, start_training, start_monitoring, approve_model, reconcile_endpoint and the API's."""

    def __init__(self, stack: cdk.Stack, project: Project, data: DataStack) -> None:
        self._arns = Arns(stack, project)
        self._project = project
        self._data = data

    def ingest_dataset(self) -> list[iam.PolicyStatement]:
        """Reads uploads, writes manifests, copies what it refuses to quarantine."""
        bucket = self._data.data_bucket_arn
        return [
            # By its version: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html. A folder's marker names no versions.
            allow(["s3:GetObject", "s3:GetObjectVersion"], [f"{bucket}/{UPLOADS}*"]),
            allow(["s3:PutObject"], [f"{bucket}/{prefix}*" for prefix in (DATASETS, QUARANTINE)]),
            # For a folder's files; and so that an object that is gone is "not found", not "forbidden".
            allow(["s3:ListBucket"], [bucket]),
            self._key(),
            self._ledger("dynamodb:PutItem"),
        ]

    def start_training(self, collect_role_arn: str) -> list[iam.PolicyStatement]:
        """Reads the manifest, follows the live endpoint to the champion, puts it beside the run, starts the pipeline; guards retraining."""
        data, artifacts = self._data.data_bucket_arn, self._data.artifacts_bucket_arn
        return [
            allow(["s3:GetObject", "s3:GetObjectVersion"], [f"{data}/{DATASETS}*"]),
            allow(["s3:GetObject", "s3:PutObject"], [f"{artifacts}/{RUNS}*"]),
            allow(["s3:ListBucket"], [data, artifacts]),
            *self._live(),
            allow(["sagemaker:DescribeModelPackage"], [self._arns.packages]),
            self._packages(),
            allow(["sagemaker:StartPipelineExecution"], [self._arns.pipeline]),
            self._key(),
            *self._retraining(collect_role_arn),
        ]

    def _retraining(self, collect_role_arn: str) -> list[iam.PolicyStatement]:
        """Reads alarms, jobs and runs, keeps the lock, starts a job under the collecting role, and reads what it wrote."""
        jobs = self._arns.sagemaker("processing-job", collect_jobs(self._project))
        return [
            self._ledger("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"),
            allow(["cloudwatch:DescribeAlarms"], [self._arns.alarm(name) for name in window_alarm_names(self._project)]),
            allow(["sagemaker:DescribePipelineExecution", "sagemaker:ListPipelineExecutionSteps"], [self._arns.executions]),
            allow(["sagemaker:ListPipelineExecutions"], [self._arns.pipeline]),
            allow(["sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob"], [jobs]),
            pass_role(collect_role_arn, "sagemaker.amazonaws.com"),
            allow(["s3:GetObject"], [f"{self._data.data_bucket_arn}/{COLLECTED}*"]),
        ]

    def start_monitoring(self, monitor_role_arn: str) -> list[iam.PolicyStatement]:
        """Follows the live endpoint to the run that made its model, starts jobs under the monitoring role, sees which window lacks one."""
        return [
            *self._live(),
            allow(["sagemaker:DescribeModelPackage"], [self._arns.packages]),
            allow(["s3:ListBucket"], [self._data.artifacts_bucket_arn]),
            allow(
                ["sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob"],
                [self._arns.sagemaker("processing-job", monitor_jobs(self._project))],
            ),
            pass_role(monitor_role_arn, "sagemaker.amazonaws.com"),
        ]

    def approve_model(self) -> list[iam.PolicyStatement]:
        """Finds packages that wait, reads one and its evaluation, approves it."""
        artifacts = self._data.artifacts_bucket_arn
        return [
            self._packages(),
            allow(["sagemaker:DescribeModelPackage", "sagemaker:UpdateModelPackage"], [self._arns.packages]),
            allow(["s3:GetObject"], [f"{artifacts}/{RUNS}*"]),
            allow(["s3:ListBucket"], [artifacts]),
            self._key(),
            self._ledger("dynamodb:PutItem"),
        ]

    def reconcile_endpoint(self, deployment_role_arn: str) -> list[iam.PolicyStatement]:
        """Compares registry, stack and endpoint; updates the stack, rejects what failed."""
        return [
            self._packages(),
            *self._live(),
            allow(["cloudwatch:DescribeAlarms"], [self._arns.alarm(name) for name in rollback_alarm_names(self._project)]),
            allow(["sagemaker:UpdateModelPackage"], [self._arns.packages]),
            allow(["cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents"], [f"{self._arns.endpoint_stack}/*"]),
            # Under the deployment role only: without one CloudFormation would go on with the stack's last role, which may do far more.
            allow(
                ["cloudformation:UpdateStack"],
                [f"{self._arns.endpoint_stack}/*"],
                {"StringEquals": {"cloudformation:RoleArn": deployment_role_arn}},
            ),
            pass_role(deployment_role_arn, "cloudformation.amazonaws.com"),
            self._key(),
            self._ledger("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"),
        ]

    def describe_model(self) -> list[iam.PolicyStatement]:
        """Follows the live endpoint to its package, and reads of the run that made it what it measured and its model's signature."""
        reports = f"{self._data.artifacts_bucket_arn}/{RUNS}*/{EVALUATION_CHANNEL}/"
        return [
            *self._live(),
            allow(["sagemaker:DescribeModelPackage"], [self._arns.packages]),
            allow(["s3:GetObject"], [f"{reports}{name}" for name in (EVALUATION, SIGNATURE)]),
            allow(["kms:Decrypt"], [self._data.key.key_arn]),
        ]

    def record_feedback(self) -> list[iam.PolicyStatement]:
        """Reads files of labels, writes ground truth, and what it refuses to quarantine."""
        bucket = self._data.data_bucket_arn
        return [
            # By the version that an event names, and the newest, when a tick looks whether an event was lost.
            allow(["s3:GetObject", "s3:GetObjectVersion"], [f"{bucket}/{FEEDBACK}*"]),
            allow(["s3:ListBucket"], [bucket]),
            allow(["s3:PutObject"], [f"{bucket}/{prefix}*" for prefix in (GROUND_TRUTH, f"{QUARANTINE}{FEEDBACK}")]),
            self._key(),
        ]

    def _packages(self) -> iam.PolicyStatement:
        """A group's list is its packages' matter.

        https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
        """
        return allow(["sagemaker:ListModelPackages"], [self._arns.packages])

    def _live(self) -> list[iam.PolicyStatement]:
        """From the endpoint to the model behind it, which names its package."""
        return [
            allow(["sagemaker:DescribeEndpoint"], [self._arns.endpoint]),
            allow(["sagemaker:DescribeModel", "sagemaker:DescribeEndpointConfig"], self._arns.endpoint_resources),
        ]

    def _key(self) -> iam.PolicyStatement:
        return allow(["kms:Decrypt", "kms:GenerateDataKey"], [self._data.key.key_arn])

    def _ledger(self, *actions: str) -> iam.PolicyStatement:
        return allow(actions, [self._data.ledger.table_arn])
