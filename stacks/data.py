"""The data stack: what must survive everything else. Its key, buckets and ledger are kept when the stack is deleted.

To tear a development environment down, delete the stacks, then empty and delete the three buckets, lift the table's deletion protection
and delete it, and schedule the key's deletion. The secret that hashes private columns, when there is one, is deleted by its name.
"""

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from contracts.layout import BATCH, CAPTURE, STREAM
from stacks.constructs.bucket import AccessLogBucket, ProjectBucket
from stacks.constructs.hash_key import add_hash_key
from stacks.constructs.key import ProjectKey
from stacks.names import stack_name
from stacks.project import Project

BATCH_DAYS = 7
"""How long tables on their way through a transform job are kept, should nobody clean up after it."""


class DataStack(cdk.Stack):
    """The customer-managed key, the data and artifacts buckets with their access logs, and the ledger."""

    def __init__(self, scope: Construct, project: Project) -> None:
        super().__init__(scope, stack_name(project, "data"), description=f"Tidewheel {project.prefix}: key, buckets, ledger")
        self.key = ProjectKey(self, project)
        logs = AccessLogBucket(self, "AccessLogs")
        days = project.config.monitoring.capture_days
        predictions = {STREAM: days} if project.config.stream.enabled else {}
        self.data_bucket = ProjectBucket(self, "Data", key=self.key, logs=logs, events=True, days=predictions)
        self.artifacts_bucket = ProjectBucket(self, "Artifacts", key=self.key, logs=logs, days={CAPTURE: days, BATCH: BATCH_DAYS})
        # Exported by hand, so that the other stacks' statements are known before synth, and cdk-nag's findings can be answered one by one.
        self.data_bucket_arn = self.export_value(self.data_bucket.bucket_arn)
        self.artifacts_bucket_arn = self.export_value(self.artifacts_bucket.bucket_arn)
        self.ledger = self._ledger()
        add_hash_key(self, project, self.key)
        cdk.CfnOutput(self, "KeyArn", value=self.key.key_arn)
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
