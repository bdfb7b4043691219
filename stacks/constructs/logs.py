"""Log groups: under the project's key, kept for three months, and gone with their stack."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct


class ProjectLogs(logs.LogGroup):
    """The log group `name`. The policy of the key has to name the group too."""

    def __init__(self, scope: Construct, id: str, name: str, key: kms.IKey) -> None:  # noqa: A002 - CDK's name
        super().__init__(
            scope,
            id,
            log_group_name=name,
            retention=logs.RetentionDays.THREE_MONTHS,
            encryption_key=key,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
