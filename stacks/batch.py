"""The batch stack, when `batch.schedule` is set: tables in s3://data/batch/input/ are predicted, and their results put into batch/output/.

schedule; the end of a transform job of this stack -> start_batch -> transform jobs
"""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from constructs import Construct

from contracts.batch.schedule import INPUT, OUTPUT, scheduled_prefix
from contracts.environment import StartBatchEnvironment
from contracts.events import DetailType
from contracts.layout import BATCH, EVALUATION_CHANNEL, RUNS
from contracts.privacy import secret_name
from contracts.signature import SIGNATURE
from stacks.constructs.alerts import DeadLetters
from stacks.constructs.function import ProjectFunction
from stacks.constructs.hash_key import read_hash_key
from stacks.constructs.placement import placement
from stacks.constructs.policy import allow, pass_role
from stacks.constructs.triggers import Tick, Trigger
from stacks.data import DataStack
from stacks.names import Arns, function_name, stack_name
from stacks.project import Project
from stacks.training import TrainingStack

FUNCTION = "start_batch"
_DISK_MEGABYTES = 8192  # a table of the largest size, and its predictions


class BatchStack(cdk.Stack):
    """start_batch, its schedule and its rule, its dead letters, and alarms on both."""

    def __init__(self, scope: Construct, project: Project, data: DataStack, training: TrainingStack, schedule: str) -> None:
        super().__init__(
            scope, stack_name(project, "batch"), description=f"Tidewheel {project.prefix}: predictions of tables by a schedule"
        )
        self._project, self._data = project, data
        self._dead_letters = DeadLetters(self, data.key)
        function = self._start_batch(training)
        Tick(
            self,
            "BatchTick",
            name=f"{project.prefix}-batch",
            expression=schedule,
            why="Looks for tables that have no predictions",
            function=function.function,
            dead_letters=self._dead_letters,
            key=data.key,
        )
        Trigger(
            self,
            project.prefix,
            "batch-job-ended",
            source="aws.sagemaker",
            detail_type=DetailType.TRANSFORM_JOB,
            detail={
                "TransformJobName": [{"prefix": scheduled_prefix(project.prefix)}],
                "TransformJobStatus": ["Completed", "Failed", "Stopped"],
            },
            function=function.function,
            dead_letters=self._dead_letters,
        )
        self._alarm(f"{FUNCTION.replace('_', '-')}-errors", "AWS/Lambda", "Errors", "FunctionName", function_name(project, FUNCTION))
        self._alarm("batch-dead-letters", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", self._dead_letters.queue_name)
        cdk.CfnOutput(self, "DeadLettersUrl", value=self._dead_letters.queue_url)

    def _start_batch(self, training: TrainingStack) -> ProjectFunction:
        project, data, where = self._project, self._data, placement(self._project)
        return ProjectFunction(
            self,
            project,
            FUNCTION,
            environment=StartBatchEnvironment(
                data_bucket=data.data_bucket.bucket_name,
                artifacts_bucket=data.artifacts_bucket.bucket_name,
                ledger_table=data.ledger.table_name,
                endpoint_name=project.prefix,
                batch_role_arn=training.batch_role.role_arn,
                key_arn=data.key.key_arn,
                hash_key_secret=secret_name(project.prefix) if project.config.data.privacy.hash else "",
                **(where.variables if where else {}),
            ),
            statements=self._statements(training.batch_role.role_arn),
            key=data.key,
            dead_letters=self._dead_letters,
            timeout_seconds=900,
            memory_megabytes=2048,
            disk_megabytes=_DISK_MEGABYTES,
            reads_parquet=True,
        )

    def _statements(self, role_arn: str) -> list[iam.PolicyStatement]:
        """In the order in which its code does it."""
        arns, own = Arns(self, self._project), f"{scheduled_prefix(self._project.prefix)}*"
        data, artifacts = self._data.data_bucket_arn, self._data.artifacts_bucket_arn
        model, jobs = arns.sagemaker("model", own), arns.sagemaker("transform-job", own)
        return [
            allow(["s3:ListBucket"], [data], {"StringLike": {"s3:prefix": OUTPUT}}),
            allow(["s3:ListBucketVersions"], [data], {"StringLike": {"s3:prefix": INPUT}}),
            allow(["s3:ListBucket", "s3:ListBucketVersions"], [artifacts], {"StringLike": {"s3:prefix": f"{BATCH}{own}"}}),
            allow(["sagemaker:DescribeEndpoint"], [arns.endpoint]),
            allow(["sagemaker:DescribeModel", "sagemaker:DescribeEndpointConfig"], arns.endpoint_resources),
            allow(["s3:GetObjectVersion"], [f"{data}/{INPUT}*"]),
            allow(["sagemaker:DescribeModelPackage"], [arns.packages]),
            allow(["s3:GetObject"], [f"{artifacts}/{RUNS}*/{EVALUATION_CHANNEL}/{SIGNATURE}"]),
            *read_hash_key(self, self._project),
            allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"], [f"{artifacts}/{BATCH}{own}"]),
            allow(["sagemaker:DescribeModel", "sagemaker:CreateModel", "sagemaker:DeleteModel"], [model]),
            pass_role(role_arn, "sagemaker.amazonaws.com"),
            allow(["sagemaker:CreateTransformJob", "sagemaker:DescribeTransformJob"], [jobs]),
            allow(["s3:PutObject"], [f"{data}/{OUTPUT}*"]),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], [self._data.key.key_arn]),
            allow(["dynamodb:PutItem"], [self._data.ledger.table_arn]),
        ]

    def _alarm(self, name: str, namespace: str, metric: str, dimension: str, value: str) -> None:
        topic = self.format_arn(service="sns", resource=f"{self._project.prefix}-alerts")  # of the control stack, which comes before
        cloudwatch.CfnAlarm(
            self,
            name,
            alarm_name=f"{self._project.prefix}-{name}",
            alarm_description="Tables by a schedule: the log of start-batch says what is wrong",
            namespace=namespace,
            metric_name=metric,
            statistic="Maximum" if dimension == "QueueName" else "Sum",
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name=dimension, value=value)],
            period=300,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[topic],
        )
