"""S3 buckets and their policies.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
Of NotificationConfiguration only EventBridgeConfiguration is emulated.
"""

from collections.abc import Callable, Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, HandlerError, changed, gone, tag_list
from twin.cloudformation.shapes import as_bool, as_text


def _encryption(s3: Any, bucket: str, value: Any) -> None:
    if value is None:
        s3.delete_bucket_encryption(Bucket=bucket)
        return
    rules = [
        {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
        | ({"BucketKeyEnabled": as_bool(rule["BucketKeyEnabled"])} if "BucketKeyEnabled" in rule else {})
        for rule in value["ServerSideEncryptionConfiguration"]
    ]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _versioning(s3: Any, bucket: str, value: Any) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": (value or {}).get("Status", "Suspended")})


def _public_access(s3: Any, bucket: str, value: Any) -> None:
    if value is None:
        s3.delete_public_access_block(Bucket=bucket)
        return
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={key: as_bool(flag, key) for key, flag in value.items()})


def _logging(s3: Any, bucket: str, value: Any) -> None:
    status = {}
    if value is not None:
        # Without a destination the bucket logs to itself (docs: DestinationBucketName).
        status = {
            "LoggingEnabled": {"TargetBucket": value.get("DestinationBucketName", bucket), "TargetPrefix": value.get("LogFilePrefix", "")}
        }
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=status)


def _lifecycle(s3: Any, bucket: str, value: Any) -> None:
    if value is None:
        s3.delete_bucket_lifecycle(Bucket=bucket)
        return
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]}
    )


_LIFECYCLE: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "Id": lambda value: {"ID": value},
    "Status": lambda value: {"Status": value},
    "Prefix": lambda _: {},
    "ExpirationInDays": lambda value: {"Expiration": {"Days": int(value)}},
    "ExpiredObjectDeleteMarker": lambda value: {"Expiration": {"ExpiredObjectDeleteMarker": as_bool(value)}},
    "NoncurrentVersionExpiration": lambda value: {"NoncurrentVersionExpiration": {key: int(days) for key, days in value.items()}},
    "NoncurrentVersionExpirationInDays": lambda value: {"NoncurrentVersionExpiration": {"NoncurrentDays": int(value)}},
    "AbortIncompleteMultipartUpload": lambda value: {
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": int(value["DaysAfterInitiation"])}
    },
    "Transitions": lambda value: {
        "Transitions": [{"Days": int(item["TransitionInDays"]), "StorageClass": item["StorageClass"]} for item in value]
    },
    "NoncurrentVersionTransitions": lambda value: {
        "NoncurrentVersionTransitions": [
            {"NoncurrentDays": int(item["TransitionInDays"]), "StorageClass": item["StorageClass"]} for item in value
        ]
    },
}


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := rule.keys() - _LIFECYCLE.keys():
        raise HandlerError(f"the twin does not emulate {sorted(unknown)} of a lifecycle rule")
    converted: dict[str, Any] = {"Filter": {"Prefix": rule.get("Prefix", "")}}
    for key, value in rule.items():
        converted |= _LIFECYCLE[key](value)
    return converted


def _notification(s3: Any, bucket: str, value: Any) -> None:
    value = value or {}
    if unknown := value.keys() - {"EventBridgeConfiguration"}:
        raise HandlerError(f"the twin does not emulate {sorted(unknown)} of NotificationConfiguration")
    enabled = "EventBridgeConfiguration" in value and as_bool(value["EventBridgeConfiguration"].get("EventBridgeEnabled", True))
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}} if enabled else {})


def _ownership(s3: Any, bucket: str, value: Any) -> None:
    if value is None:
        s3.delete_bucket_ownership_controls(Bucket=bucket)
        return
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": value["Rules"]})


def _tags(s3: Any, bucket: str, value: Any) -> None:
    if value is None:
        s3.delete_bucket_tagging(Bucket=bucket)
        return
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_list(value)})


_CONFIGURATIONS: Mapping[str, Callable[[Any, str, Any], None]] = {
    "OwnershipControls": _ownership,
    "PublicAccessBlockConfiguration": _public_access,
    "VersioningConfiguration": _versioning,
    "BucketEncryption": _encryption,
    "LoggingConfiguration": _logging,
    "LifecycleConfiguration": _lifecycle,
    "NotificationConfiguration": _notification,
    "Tags": _tags,
}


class Bucket(Handler):
    """Deleting a bucket that is not empty fails, as on AWS."""

    type = "AWS::S3::Bucket"
    properties = frozenset({"BucketName"}) | _CONFIGURATIONS.keys()
    replacement = frozenset({"BucketName"})
    attributes = frozenset({"Arn", "DomainName", "RegionalDomainName"})
    name_property = "BucketName"

    def create(self, call: Call) -> Created:
        s3, bucket = call.client("s3"), call.name("BucketName", 63, lower=True)
        region = call.account.region
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)
        call.begun(bucket)
        for key, configure in _CONFIGURATIONS.items():
            if key in call.properties:
                configure(s3, bucket, call.properties[key])
        return Created(bucket, _bucket_attributes(call, bucket))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        for key, configure in _CONFIGURATIONS.items():
            if changed(call, before, key):
                configure(call.client("s3"), physical_id, call.properties.get(key))
        return _bucket_attributes(call, physical_id)

    def delete(self, call: Call, physical_id: str) -> None:
        with gone("NoSuchBucket"):
            call.client("s3").delete_bucket(Bucket=physical_id)


def _bucket_attributes(call: Call, bucket: str) -> Mapping[str, Any]:
    return {
        "Arn": f"arn:aws:s3:::{bucket}",
        "DomainName": f"{bucket}.s3.amazonaws.com",
        "RegionalDomainName": f"{bucket}.s3.{call.account.region}.amazonaws.com",
    }


class BucketPolicy(Handler):
    """docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucketpolicy.html"""

    type = "AWS::S3::BucketPolicy"
    properties = frozenset({"Bucket", "PolicyDocument"})
    required = properties
    replacement = frozenset({"Bucket"})

    def create(self, call: Call) -> Created:
        bucket = call.properties["Bucket"]
        self.update(call, bucket, {})
        return Created(bucket)

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        call.client("s3").put_bucket_policy(Bucket=physical_id, Policy=as_text(call.properties["PolicyDocument"]))
        return {}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone("NoSuchBucket", "NoSuchBucketPolicy"):
            call.client("s3").delete_bucket_policy(Bucket=physical_id)


HANDLERS: tuple[Handler, ...] = (Bucket(), BucketPolicy())
