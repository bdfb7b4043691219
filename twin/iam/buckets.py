"""What S3 needs of its callers.

docs: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from urllib.parse import unquote

from twin.iam.actions import Need, Place
from twin.iam.calls import Call

_ACTIONS = {
    "HeadObject": "GetObject",
    "GetObjectAttributes": "GetObjectAttributes",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListBuckets": "ListAllMyBuckets",
    "ListParts": "ListMultipartUploadParts",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
}
_VERSIONED = {
    *("GetObject", "DeleteObject", "GetObjectAttributes", "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging"),
    *("GetObjectAcl", "PutObjectAcl"),
}
_CONTEXT = ("prefix", "delimiter", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-acl")


def needs(call: Call, _place: Place) -> list[Need]:
    """Everything that a call to S3 must be allowed, but for keys (twin.iam.encryption)."""
    parameters = call.parameters
    bucket, key = parameters.get("Bucket"), parameters.get("Key")
    context = {f"s3:{name}": str(parameters[name]) for name in _CONTEXT if name in parameters}
    if bucket is None:
        return [Need(f"s3:{_ACTIONS.get(call.operation, call.operation)}", "*")]
    bucket_arn = f"arn:aws:s3:::{bucket}"
    if call.operation == "DeleteObjects":
        # "Always" the first, and the other for a version: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
        named = [("s3:DeleteObject", call.keys), ("s3:DeleteObjectVersion", call.versions)]
        return [Need(action, f"{bucket_arn}/{name}", context) for action, names in named for name in names]
    action = _ACTIONS.get(call.operation, call.operation)
    if "versionId" in parameters and action in _VERSIONED:
        context["s3:versionid"] = parameters["versionId"]
        # GetObjectTagging -> GetObjectVersionTagging, GetObject -> GetObjectVersion
        action = action.replace("Object", "ObjectVersion", 1)
    resource = f"{bucket_arn}/{key}" if key is not None else bucket_arn
    found = [Need(f"s3:{action}", resource, context)]
    if call.operation == "GetObjectAttributes":
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html
        found.append(Need(f"s3:{action.removesuffix('Attributes')}", resource, context))
    acl = "PutObjectAcl" if key is not None else "PutBucketAcl"
    if call.operation != acl and any(name == "x-amz-acl" or name.startswith("x-amz-grant-") for name in parameters):
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and API_CreateBucket.html
        found.append(Need(f"s3:{acl}", resource, context))
    if parameters.get("x-amz-tagging"):
        found.append(Need("s3:PutObjectTagging", f"{bucket_arn}/{key}", context))
    if source := parameters.get("x-amz-copy-source"):
        path, _, version = str(source).partition("?versionId=")
        found.append(Need("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{unquote(path).lstrip('/')}"))
    return found
