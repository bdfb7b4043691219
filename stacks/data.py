"""The data stack: what must survive everything else. Its key, buckets and ledger are kept when the stack is deleted.

To tear a development environment down, delete the stacks, then empty and delete the three buckets, lift the table's deletion protection
and delete it, and schedule the key's deletion.
"""

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from contracts.layout import CAPTURE
from stacks.constructs.bucket import AccessLogBucket, ProjectBucket
from stacks.constructs.policy import Condition
from stacks.names import LOGS_OF_APIS, LOGS_OF_FUNCTIONS, Arns, stack_name
from stacks.project import Project


class DataStack(cdk.Stack):
    """The customer-managed key, the data and artifacts buckets with their access logs, and the ledger."""

    def __init__(self, scope: Construct, project: Project) -> None:
        super().__init__(scope, stack_name(project, "data"), description=f"Tidewheel {project.prefix}: key, buckets, ledger")
        self.key = kms.Key(
            self,
            "Key",
            description=f"Data of {project.prefix}",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        kms.Alias(self, "KeyAlias", alias_name=f"alias/{project.prefix}", target_key=self.key)
        for statement in self._service_statements(Arns(self, project), project.prefix):
            self.key.add_to_resource_policy(statement)
        logs = AccessLogBucket(self, "AccessLogs")
        self.data_bucket = ProjectBucket(self, "Data", key=self.key, logs=logs, events=True)
        self.artifacts_bucket = ProjectBucket(
            self, "Artifacts", key=self.key, logs=logs, days={CAPTURE: project.config.monitoring.capture_days}
        )
        # Exported by hand, so that the other stacks' statements are known before synth, and cdk-nag's findings can be answered one by one.
        self.data_bucket_arn = self.export_value(self.data_bucket.bucket_arn)
        self.artifacts_bucket_arn = self.export_value(self.artifacts_bucket.bucket_arn)
        self.ledger = self._ledger()
        cdk.CfnOutput(self, "DataBucketName", value=self.data_bucket.bucket_name)
        cdk.CfnOutput(self, "ArtifactsBucketName", value=self.artifacts_bucket.bucket_name)
        cdk.CfnOutput(self, "LedgerTableName", value=self.ledger.table_name)

    def _ledger(self) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            "Ledger",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _service_statements(self, arns: Arns, prefix: str) -> list[iam.PolicyStatement]:
        """What AWS services do with the key on their own, each held to this project's log groups, rules and alarms."""
        groups = [arns.log_group(f"{LOGS_OF_FUNCTIONS}{prefix}-*"), arns.log_group(f"{LOGS_OF_APIS}{prefix}")]
        return [
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
            _use_key(
                f"logs.{self.region}.amazonaws.com",
                ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"],
                {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            ),
            # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-at-rest-cmkey.html: rules write to an encrypted queue
            # and topic.
            # No source condition: AWS does not say that the rule's ARN is passed on to the key, and a dead letter that cannot be
            # encrypted is lost without a word. The queue's own policy holds the rules to this project's.
            _use_key("events.amazonaws.com", _SEND, {}),
            # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html: alarms publish to an encrypted topic.
            _use_key(
                "cloudwatch.amazonaws.com",
                _SEND,
                {"StringEquals": {"aws:SourceAccount": self.account}, "ArnLike": {"aws:SourceArn": arns.alarm(f"{prefix}-*")}},
            ),
        ]


_SEND = ["kms:Decrypt", "kms:GenerateDataKey"]


def _use_key(service: str, actions: list[str], conditions: Condition) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=actions,
        resources=["*"],  # in a key policy: this key
        principals=[iam.ServicePrincipal(service)],
        conditions=conditions,
    )
