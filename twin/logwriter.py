"""CloudWatch Logs, written by a service in the name of a role: what the role may not write is lost, and nothing fails for it.

The service makes the group when it may, looks for the stream, makes it, and puts its lines there, each with a permission of its own
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/permissions-reference-cwl.html). A group with a customer-managed key can only be
made when the key's policy lets CloudWatch Logs use it for that group
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html). Modelled: all that this page says of the key is asked
when the group gets it, and nothing later; AWS does not say which of it a call needs.

Lines go past moto's check of their age against real time, because the twin's clock may be far ahead of it.
"""

from collections.abc import Sequence
from typing import Any

from moto.kms.models import kms_backends
from moto.logs import logs_backends
from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogsBackend

from twin.cloud import Cloud, Credentials
from twin.iam import behalf
from twin.iam.actions import Place
from twin.iam.authorise import resource_policy
from twin.iam.errors import AccessDenied
from twin.iam.services import check_resource_policy
from twin.iam.special import key_arn
from twin.patches import Patch

KEY_USE = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey")


class LogWriter:
    """One log stream. `looks`: the service asks for the group and its streams before it makes its own, as SageMaker does."""

    def __init__(self, cloud: Cloud, credentials: Credentials, group: str, stream: str, *, looks: bool) -> None:
        self._cloud = cloud
        self._credentials = credentials
        self._group = group
        self._stream = stream
        self._looks = looks
        self._is_open = False

    def write(self, lines: Sequence[str]) -> None:
        """Put lines at the twin's time. Raises AccessDenied."""
        if not self._is_open:
            self._open()
        self._require("PutLogEvents", self._stream)
        stamp = int(self._cloud.clock.now().timestamp() * 1000)
        backend = logs_backends[self._cloud.account][self._cloud.region]
        backend.groups[self._group].streams[self._stream].put_log_events([{"timestamp": stamp, "message": line} for line in lines])

    def _open(self) -> None:
        backend = logs_backends[self._cloud.account][self._cloud.region]
        if self._looks or self._group not in backend.groups:
            self._require("CreateLogGroup")
            backend.ensure_log_group(self._group)
        if self._looks:
            self._require("DescribeLogStreams")
        self._require("CreateLogStream", self._stream)
        backend.ensure_log_stream(self._group, self._stream)
        self._is_open = True

    def _require(self, operation: str, stream: str = "") -> None:
        arn = f"{_group_arn(self._cloud, self._group)}:log-stream:{stream}"
        behalf.require(self._cloud, self._credentials, f"logs:{operation}", f"logs:{operation}", arn)


def patch(cloud: Cloud) -> Patch:
    """Groups get a key only when it is CloudWatch Logs' to use."""
    create = LogsBackend.create_log_group

    def create_log_group(self: Any, log_group_name: str, tags: dict[str, str], **kwargs: Any) -> Any:
        if kwargs.get("kmsKeyId"):
            _check_key(cloud, log_group_name, str(kwargs["kmsKeyId"]))
        return create(self, log_group_name, tags, **kwargs)

    expects = "(self, log_group_name: str, tags: dict[str, str], **kwargs: Any) -> moto.logs.models.LogGroup"
    return Patch(LogsBackend, "create_log_group", create_log_group, expects, "moto takes any key for a log group, whatever its policy says")


def _check_key(cloud: Cloud, group: str, key: str) -> None:
    arn = key_arn(key, Place(cloud.account, cloud.region))
    found = kms_backends[cloud.account][cloud.region].keys.get(arn.rpartition("/")[2])
    policy = resource_policy(found.policy if found is not None else None, arn)
    context = {"kms:encryptioncontext:aws:logs:arn": _group_arn(cloud, group)}
    try:
        for action in KEY_USE:
            check_resource_policy(cloud, policy, action, arn, f"logs.{cloud.region}.amazonaws.com", context)
    except AccessDenied as error:
        raise InvalidParameterException(
            msg=f"The specified KMS key does not exist or is not allowed to be used with '{_group_arn(cloud, group)}': {error}"
        ) from error


def _group_arn(cloud: Cloud, group: str) -> str:
    return f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:{group}"
