"""The project's buckets: versioned, private, TLS only, owner enforced, logged, and kept when their stack goes."""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

_UNFINISHED = s3.LifecycleRule(id="abort-unfinished-uploads", abort_incomplete_multipart_upload_after=cdk.Duration.days(7))


class ProjectBucket(s3.Bucket):
    """A bucket under the project's key whose objects raise EventBridge events when `events` is set.

    Versions are never expired, because dataset manifests and model packages name them, except below the prefixes in `days`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's name
        *,
        key: kms.IKey,
        logs: "AccessLogBucket",
        events: bool = False,
        days: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            **_common([_UNFINISHED, *(_expire(prefix, kept) for prefix, kept in (days or {}).items())]),
        )
        resource = self.node.default_child
        assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - tells the type checker what CDK guarantees
        resource.logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
            destination_bucket_name=logs.bucket_name, log_file_prefix=f"{id.lower()}/"
        )
        self.node.add_dependency(logs.delivery)  # or the first requests would be logged nowhere
        if events:
            # The construct's own flag would add a custom resource; the property does the same.
            resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
                event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
            )


class AccessLogBucket(s3.Bucket):
    """Where the other buckets log every request. S3 delivers access logs only to a bucket with SSE-S3.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    """

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's name
        year = s3.LifecycleRule(id="a-year", expiration=cdk.Duration.days(365), noncurrent_version_expiration=cdk.Duration.days(30))
        super().__init__(scope, id, encryption=s3.BucketEncryption.S3_MANAGED, **_common([_UNFINISHED, year]))
        delivery = self.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DeliverAccessLogs",
                actions=["s3:PutObject"],
                resources=[self.arn_for_objects("*")],
                principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
                # Not by the buckets' ARNs: then bucket and policy would wait for each other.
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}},
            )
        )
        assert delivery.policy_dependable is not None  # noqa: S101 - a bucket of this app always has a policy
        self.delivery = delivery.policy_dependable


def _expire(prefix: str, days: int) -> s3.LifecycleRule:
    """Objects below a prefix go after some days, and a month later for good."""
    return s3.LifecycleRule(
        id=f"expire-{prefix.rstrip('/')}",
        prefix=prefix,
        expiration=cdk.Duration.days(days),
        noncurrent_version_expiration=cdk.Duration.days(30),
    )


def _common(rules: Sequence[s3.LifecycleRule]) -> dict[str, Any]:
    return {
        "versioned": True,
        "enforce_ssl": True,
        "block_public_access": s3.BlockPublicAccess.BLOCK_ALL,
        "object_ownership": s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        "lifecycle_rules": list(rules),
        "removal_policy": cdk.RemovalPolicy.RETAIN,
    }
