"""Where operators hear of what the loop could not handle: dead letters, failing functions, stopped retraining. One SNS topic."""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from contracts.monitoring import ENDPOINT_DIMENSION, ENDPOINT_HELD, NAMESPACE, RETRAINING_STOPPED, TOO_FEW_LABELS
from stacks.constructs.policy import Condition, acknowledge
from stacks.names import Arns
from stacks.project import Project


class DeadLetters(sqs.Queue):
    """Events that no function could handle. Kept for two weeks, encrypted, TLS only."""

    def __init__(self, scope: Construct, key: kms.IKey) -> None:
        super().__init__(
            scope,
            "DeadLetters",
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )
        acknowledge(self, "AwsSolutions-SQS3", "This is the dead-letter queue of the functions and rules.")


class Alerts(Construct):
    """The topic `<prefix>-alerts`; people subscribe to it. An alarm for each queue of dead letters (by its alarm's name), and function."""

    def __init__(
        self, scope: Construct, project: Project, key: kms.IKey, dead_letters: Mapping[str, sqs.IQueue], functions: Sequence[str]
    ) -> None:
        super().__init__(scope, "Alerts")
        self._prefix = project.prefix
        self.topic = sns.Topic(self, "Topic", topic_name=f"{project.prefix}-alerts", master_key=key, enforce_ssl=True)
        alarms = Arns(cdk.Stack.of(self), project).alarm(f"{project.prefix}-*")
        source = {"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}, "ArnLike": {"aws:SourceArn": alarms}}
        self._allow("AlarmsOfThisProject", "cloudwatch.amazonaws.com", source)
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html; no condition, as in CDK's own grant.
        self._allow("Rules", "events.amazonaws.com", {})
        for name, queue in dead_letters.items():
            self._alarm(
                f"{name}-alarm",
                f"{project.prefix}-{name}",
                "Events that no function could handle are waiting. Read them, mend the cause, and send them again",
                ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"),
                {"QueueName": queue.queue_name},
            )
        for name in functions:
            self._alarm(
                f"{name.removeprefix(project.prefix)}-errors",
                f"{name}-errors",
                f"{name} failed. Its log group says why",
                ("AWS/Lambda", "Errors", "Sum"),
                {"FunctionName": name},
            )
        for function, metric, description in (
            ("start_training", RETRAINING_STOPPED, "Retraining failed too often and stopped. Mend the cause, then tide train"),
            (
                "start_training",
                TOO_FEW_LABELS,
                "Retraining was asked for, and too few labels came. Send labels (tide feedback, POST /feedback)",
            ),
            ("reconcile_endpoint", ENDPOINT_HELD, "The endpoint is not as it should be, and a person must act. tide status says why"),
        ):
            self._found(function, metric, description)

    def _found(self, function: str, metric: str, description: str) -> None:
        """The function counts it at every look, so the last look's answer holds until the next."""
        name = metric.replace("_", "-")
        dimensions = {"service": function, ENDPOINT_DIMENSION: self._prefix}
        self._alarm(name, f"{self._prefix}-{name}", description, (NAMESPACE, metric, "Maximum"), dimensions, missing="ignore")

    def _alarm(
        self,
        id: str,  # noqa: A002 - CDK's name
        name: str,
        description: str,
        metric: tuple[str, str, str],
        dimensions: Mapping[str, str],
        missing: str = "notBreaching",
    ) -> None:
        namespace, metric_name, statistic = metric
        cloudwatch.CfnAlarm(
            self,
            id,
            alarm_name=name,
            alarm_description=description,
            namespace=namespace,
            metric_name=metric_name,
            statistic=statistic,
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name=key, value=value) for key, value in dimensions.items()],
            period=300,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data=missing,
            alarm_actions=[self.topic.topic_arn],
        )

    def _allow(self, sid: str, service: str, conditions: Condition) -> None:
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid=sid,
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                principals=[iam.ServicePrincipal(service)],
                conditions=conditions,
            )
        )
