"""The stream stack, when `stream.enabled`: requests come as records of a Kinesis stream, predictions go to another one and to S3.

<prefix>-requests -> predict_stream -> <prefix>-predictions, s3://data/stream/, dead letters

Lambda tries a batch again that cannot be answered now, and halves one that makes the function fail. What it puts aside in the end goes to
the data bucket with its records (https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html).
"""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from contracts.environment import PredictStreamEnvironment
from contracts.layout import PUT_ASIDE, QUARANTINE, STREAM
from contracts.stream import INPUT, OUTPUT, stream_name
from stacks.constructs.alerts import DeadLetters
from stacks.constructs.function import ProjectFunction
from stacks.constructs.policy import acknowledge, allow
from stacks.data import DataStack
from stacks.names import Arns, function_name, stack_name
from stacks.project import Project

FUNCTION = "predict_stream"
_TIMEOUT_SECONDS = 180
# What Lambda asks of the function's role to read a stream: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
_READ = ("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards")


class StreamStack(cdk.Stack):
    """Two streams, predict_stream between them, its dead letters, and alarms on all of it."""

    def __init__(self, scope: Construct, project: Project, data: DataStack) -> None:
        super().__init__(scope, stack_name(project, "stream"), description=f"Tidewheel {project.prefix}: predictions of a stream")
        self._project, self._data = project, data
        self._dead_letters = DeadLetters(self, data.key)
        source, output = self._stream(INPUT), self._stream(OUTPUT)
        function = self._predict_stream(source, output)
        self._mapping(source, function)
        self._alarms()
        cdk.CfnOutput(self, "InputStreamName", value=source.stream_name)
        cdk.CfnOutput(self, "OutputStreamName", value=output.stream_name)
        cdk.CfnOutput(self, "DeadLettersUrl", value=self._dead_letters.queue_url)

    def _stream(self, which: str) -> kinesis.Stream:
        settings = self._project.config.stream
        stream = kinesis.Stream(
            self,
            which.capitalize(),
            stream_name=stream_name(self._project.prefix, which),
            stream_mode=kinesis.StreamMode.PROVISIONED,
            shard_count=settings.shards,
            retention_period=cdk.Duration.hours(settings.retention_hours),
            encryption=kinesis.StreamEncryption.KMS,
            encryption_key=self._data.key,
            removal_policy=cdk.RemovalPolicy.DESTROY,  # whoever removes the stack wants it gone
        )
        acknowledge(stream, "AwsSolutions-KDS3", "The project's own key says who may read its data, which the key aws/kinesis cannot.")
        return stream

    def _predict_stream(self, source: kinesis.Stream, output: kinesis.Stream) -> ProjectFunction:
        return ProjectFunction(
            self,
            self._project,
            FUNCTION,
            environment=PredictStreamEnvironment(
                endpoint_name=self._project.prefix,
                output_stream=output.stream_name,
                data_bucket=self._data.data_bucket.bucket_name,
                dead_letters=self._dead_letters.queue_url,
            ),
            statements=self._statements(source, output),
            key=self._data.key,
            timeout_seconds=_TIMEOUT_SECONDS,
            memory_megabytes=1024,
        )

    def _statements(self, source: kinesis.Stream, output: kinesis.Stream) -> list[iam.PolicyStatement]:
        bucket = self._data.data_bucket_arn
        return [
            allow(_READ, [source.stream_arn]),
            allow(["sagemaker:InvokeEndpoint"], [Arns(self, self._project).endpoint]),
            allow(["kinesis:PutRecords"], [output.stream_arn]),
            # The last prefix is for Lambda, which puts batches aside under this role, and looks at the bucket for it.
            allow(["s3:PutObject"], [f"{bucket}/{prefix}*" for prefix in (STREAM, f"{QUARANTINE}{STREAM}", PUT_ASIDE)]),
            allow(["s3:ListBucket"], [bucket]),
            allow(["sqs:SendMessage"], [self._dead_letters.queue_arn]),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], [self._data.key.key_arn]),
        ]

    def _mapping(self, source: kinesis.Stream, function: ProjectFunction) -> None:
        settings = self._project.config.stream
        destination = lambda_.CfnEventSourceMapping.OnFailureProperty(destination=self._data.data_bucket_arn)
        # The construct's own event source would add wildcard grants to the role.
        lambda_.CfnEventSourceMapping(
            self,
            "Mapping",
            event_source_arn=source.stream_arn,
            function_name=function.arn,
            starting_position="TRIM_HORIZON",  # LATEST may miss what is sent while the mapping is made
            batch_size=settings.batch_size,
            maximum_batching_window_in_seconds=settings.batching_seconds,
            maximum_retry_attempts=settings.retries,
            maximum_record_age_in_seconds=settings.oldest_seconds,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(on_failure=destination),
        )

    def _alarms(self) -> None:
        name = function_name(self._project, FUNCTION)
        self._alarm(
            "stream-late",
            "Records wait too long for their predictions. The function's log says for what",
            ("AWS/Lambda", "IteratorAge", "Maximum"),
            {"FunctionName": name},
            threshold=self._project.config.stream.late_seconds * 1000,
        )
        self._alarm(
            "predict-stream-errors", f"{name} failed. Its log group says why", ("AWS/Lambda", "Errors", "Sum"), {"FunctionName": name}
        )
        self._alarm(
            "stream-dead-letters",
            "Records that cannot be answered are waiting. Read them, mend their sender, and send them again",
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"),
            {"QueueName": self._dead_letters.queue_name},
        )

    def _alarm(
        self, name: str, description: str, metric: tuple[str, str, str], dimensions: Mapping[str, str], threshold: float = 1
    ) -> None:
        namespace, metric_name, statistic = metric
        topic = self.format_arn(service="sns", resource=f"{self._project.prefix}-alerts")  # of the control stack, which comes before
        cloudwatch.CfnAlarm(
            self,
            name,
            alarm_name=f"{self._project.prefix}-{name}",
            alarm_description=description,
            namespace=namespace,
            metric_name=metric_name,
            statistic=statistic,
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name=key, value=value) for key, value in dimensions.items()],
            period=300,
            evaluation_periods=1,
            threshold=threshold,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[topic],
        )
