"""KMS behind other calls: what services that store data do with a customer-managed key in the name of their caller.

docs: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#sse-kms-permissions,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html (a producer needs GenerateDataKey and
Decrypt, a consumer Decrypt), https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html (the table's key is decrypted as the caller),
https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html (a reader needs Decrypt, a writer GenerateDataKey too).
https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html (who puts records needs GenerateDataKey, who gets them Decrypt,
who sets the key DescribeKey).
Keys that AWS manages need no permission of the account's callers. Modelled: data keys are never cached, so every call is asked. SageMaker's
own use of keys is in twin.sagemaker.rights, that of CloudWatch Logs in twin.logwriter.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.kinesis.models import kinesis_backends
from moto.kms.models import kms_backends
from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from twin.iam import streams
from twin.iam.actions import Need, Place
from twin.iam.calls import Call
from twin.iam.identity import PARTITION
from twin.iam.special import key_arn

SEND = ("kms:GenerateDataKey", "kms:Decrypt")
"""What sending to an encrypted queue or topic takes."""
TABLE = (
    *("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
    *("kms:ReEncryptFrom", "kms:ReEncryptTo"),
)
"""What making an encrypted table takes."""
_READS = ("s3:GetObject", "s3:GetObjectVersion")
_QUEUE = {"SendMessage": SEND, "SendMessageBatch": SEND, "ReceiveMessage": ("kms:Decrypt",)}
_TOPIC = {"Publish": SEND, "PublishBatch": SEND}
_SECRETS = {"GetSecretValue": ("kms:Decrypt",), "CreateSecret": SEND, "PutSecretValue": SEND, "UpdateSecret": SEND}
_STREAMS = {
    "PutRecord": ("kms:GenerateDataKey",),
    "PutRecords": ("kms:GenerateDataKey",),
    "GetRecords": ("kms:Decrypt",),
    "StartStreamEncryption": ("kms:DescribeKey",),
}
_ITEMS = ("Item", "Items", "Query", "Scan")


def behind(call: Call, found: Sequence[Need], place: Place) -> Iterator[Need]:
    """What a call needs beside `found`, its own needs."""
    match call.service:
        case "s3":
            for need in found:
                yield from _s3(call, need, place)
        case "sqs":
            name = str(call.parameters.get("QueueUrl", "")).rpartition("/")[2]
            yield from _with(queue_key(name, place), _QUEUE.get(call.operation, ()), "sqs", place)
        case "sns":
            yield from _with(topic_key(str(call.parameters.get("TopicArn")), place), _TOPIC.get(call.operation, ()), "sns", place)
        case "dynamodb" if call.operation == "CreateTable":
            given = call.parameters.get("SSESpecification") or {}
            yield from _with(_customer_managed(given.get("KMSMasterKeyId"), place), TABLE, "dynamodb", place)
        case "dynamodb" if call.operation.endswith(_ITEMS):
            for table in dict.fromkeys(need.resource.split("/")[1] for need in found if "/" in need.resource):
                yield from _with(_table_key(table, place), ("kms:Decrypt",), "dynamodb", place)
        case "kinesis":
            given = call.parameters.get("KeyId") if call.operation == "StartStreamEncryption" else None
            key = _customer_managed(given, place) if given else _stream_key(streams.name_of(call), place)
            yield from _with(key, _STREAMS.get(call.operation, ()), "kinesis", place)
        case "secretsmanager":
            yield from _with(_secret_key(call, place), _SECRETS.get(call.operation, ()), "secretsmanager", place)


def queue_key(name: str, place: Place) -> str | None:
    """The ARN of the customer-managed key of a queue, if it has one."""
    queue = sqs_backends[place.account][place.region].queues.get(name)
    return _customer_managed(getattr(queue, "kms_master_key_id", None), place)


def topic_key(arn: str, place: Place) -> str | None:
    """The ARN of the customer-managed key of a topic, if it has one."""
    topic = sns_backends[place.account][place.region].topics.get(arn)
    return _customer_managed(getattr(topic, "kms_master_key_id", None), place)


def _secret_key(call: Call, place: Place) -> str | None:
    """Of the call when it names one, else of the secret."""
    secret = secretsmanager_backends[place.account][place.region].secrets.get(str(call.parameters.get("SecretId", "")))
    return _customer_managed(call.parameters.get("KmsKeyId") or getattr(secret, "kms_key_id", None), place)


def _stream_key(name: str | None, place: Place) -> str | None:
    stream = kinesis_backends[place.account][place.region].streams.get(name or "")
    return _customer_managed(getattr(stream, "key_id", None), place)


def _table_key(name: str, place: Place) -> str | None:
    table = dynamodb_backends[place.account][place.region].tables.get(name)
    settings = getattr(table, "sse_specification", None) or {}
    return _customer_managed(settings.get("KMSMasterKeyId"), place) if settings.get("Enabled") else None


def _customer_managed(key: str | None, place: Place) -> str | None:
    if not key or "alias/aws/" in key:
        return None
    arn = key_arn(key, place)
    found = kms_backends[place.account][place.region].keys.get(arn.rpartition("/")[2])
    is_aws_managed = found is not None and any(alias.startswith("alias/aws/") for alias in found.aliases)
    return None if is_aws_managed else arn


def _with(key: str | None, actions: Sequence[str], service: str, place: Place) -> Iterator[Need]:
    if key:
        context = _via(service, place)
        yield from (Need(action, key, context) for action in actions)


def _via(service: str, place: Place) -> dict[str, str]:
    return {"kms:viaservice": f"{service}.{place.region}.amazonaws.com", "kms:calleraccount": place.account}


def _s3(call: Call, need: Need, place: Place) -> Iterator[Need]:
    bucket_name, _, key_name = need.resource.removeprefix("arn:aws:s3:::").partition("/")
    try:
        bucket = s3_backends[place.account][PARTITION].get_bucket(bucket_name)
    except MissingBucket:
        return
    via = _via("s3", place)
    if need.action in _READS:
        found = bucket.keys.get(key_name) if "?" not in key_name else None
        if found is None:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html: without ListBucket a missing key is a 403
            yield Need("s3:ListBucket", f"arn:aws:s3:::{bucket_name}")
        elif getattr(found, "encryption", None) == "aws:kms" or _bucket_key(bucket):
            key = getattr(found, "kms_key_id", None) or _bucket_key(bucket)
            if key:
                yield Need("kms:Decrypt", key_arn(key, place), via)
    elif need.action == "s3:PutObject":
        key = call.parameters.get("x-amz-server-side-encryption-aws-kms-key-id") or _bucket_key(bucket)
        if key:
            yield Need("kms:GenerateDataKey", key_arn(str(key), place), via)
            if call.operation in {"UploadPart", "CompleteMultipartUpload"}:
                yield Need("kms:Decrypt", key_arn(str(key), place), via)


def _bucket_key(bucket: Any) -> str | None:
    """The customer-managed key that a bucket encrypts with; the AWS-managed one needs no permission of the caller."""
    rule = (bucket.encryption or {}).get("Rule") or {}
    default = (rule[0] if isinstance(rule, list) else rule).get("ApplyServerSideEncryptionByDefault") or {}
    return default.get("KMSMasterKeyID") if str(default.get("SSEAlgorithm", "")).startswith("aws:kms") else None
