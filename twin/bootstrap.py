"""The account as `cdk bootstrap` leaves it: what the CDK command line, and with it `tide up`, deploys through.

    bucket and repository   where assets go
    version                 the SSM parameter that tells which bootstrap this is
    deploy                  creates and updates stacks, and passes the execution role to CloudFormation
    file-publishing         writes to the bucket; image-publishing: pushes to the repository
    lookup                  reads the account, except secrets
    cfn-exec                CloudFormation makes resources under it; AdministratorAccess, unless bootstrapping names other policies

Facts: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html and the template that the command deploys,
https://github.com/aws/aws-cdk-cli/blob/main/packages/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml (version 26), with the command's
defaults: no other account is trusted, the bucket is encrypted by the key that AWS manages for S3.
Modelled: there is no stack CDKToolkit; what the deploy role may do in other accounts is left out, because there is no other account; of the
managed policies of AWS the account knows the two that are used here. The twin's administrator assumes the roles as a user with
AdministratorAccess would (the root of an account on AWS may not assume roles).
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, iam_backends

from twin.cloud import Cloud
from twin.iam.identity import PARTITION

QUALIFIER = "hnb659fds"
VERSION = "26"
ADMINISTRATOR = f"arn:{PARTITION}:iam::aws:policy/AdministratorAccess"
READ_ONLY = f"arn:{PARTITION}:iam::aws:policy/ReadOnlyAccess"

_USE_OF_KEYS = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"]
_STACKS = [
    *("CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet", "DescribeStacks", "ExecuteChangeSet", "CreateStack", "UpdateStack"),
    *("RollbackStack", "ContinueUpdateRollback"),
]
_COMMAND_LINE = ["DescribeStackEvents", "GetTemplate", "DeleteStack", "UpdateTerminationProtection", "GetTemplateSummary"]
_READ_FILES = ["s3:GetObject*", "s3:GetBucket*", "s3:List*"]
_WRITE_FILES = [*_READ_FILES, "s3:GetEncryptionConfiguration", "s3:DeleteObject*", "s3:PutObject*", "s3:Abort*"]
_PUSH = [
    *("PutImage", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "BatchCheckLayerAvailability"),
    *("DescribeRepositories", "DescribeImages", "BatchGetImage", "GetDownloadUrlForLayer"),
]

Statement = dict[str, Any]


class Names:
    """What the bootstrap's resources are called in an account and region."""

    def __init__(self, account: str, region: str, qualifier: str = QUALIFIER) -> None:
        self._end = f"{account}-{region}"
        self._account = account
        self._qualifier = qualifier
        self.bucket = f"cdk-{qualifier}-assets-{self._end}"
        self.bucket_arn = f"arn:{PARTITION}:s3:::{self.bucket}"
        self.repository = f"cdk-{qualifier}-container-assets-{self._end}"
        self.repository_arn = f"arn:{PARTITION}:ecr:{region}:{account}:repository/{self.repository}"
        self.version = f"/cdk-bootstrap/{qualifier}/version"
        self.version_arn = f"arn:{PARTITION}:ssm:{region}:{account}:parameter{self.version}"

    def role(self, part: str) -> str:
        """The name of a role: of deploy, file-publishing, image-publishing, lookup or cfn-exec."""
        return f"cdk-{self._qualifier}-{part}-role-{self._end}"

    def role_arn(self, part: str) -> str:
        """The ARN of a role."""
        return f"arn:{PARTITION}:iam::{self._account}:role/{self.role(part)}"


def bootstrap(cloud: Cloud) -> None:
    """Make the bootstrap's resources in a fresh account."""
    names = Names(cloud.account, cloud.region)
    _bucket(cloud, names)
    _repository(cloud, names)
    cloud.client("ssm").put_parameter(Name=names.version, Value=VERSION, Type="String")
    _know_managed_policies(cloud)
    iam = cloud.client("iam")
    account = {"AWS": f"arn:{PARTITION}:iam::{cloud.account}:root"}
    granted = {"deploy": _deploy(cloud, names), "file-publishing": _publish_files(cloud, names), "image-publishing": _publish_images(names)}
    for part, statements in (granted | {"lookup": _lookup()}).items():
        iam.create_role(RoleName=names.role(part), AssumeRolePolicyDocument=_trust(["sts:AssumeRole", "sts:TagSession"], account))
        iam.put_role_policy(RoleName=names.role(part), PolicyName="default", PolicyDocument=_document(statements))
    iam.attach_role_policy(RoleName=names.role("lookup"), PolicyArn=READ_ONLY)
    execution = _trust(["sts:AssumeRole"], {"Service": "cloudformation.amazonaws.com"})
    iam.create_role(RoleName=names.role("cfn-exec"), AssumeRolePolicyDocument=execution)
    iam.attach_role_policy(RoleName=names.role("cfn-exec"), PolicyArn=ADMINISTRATOR)


def _bucket(cloud: Cloud, names: Names) -> None:
    s3 = cloud.client("s3")
    place = {} if cloud.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": cloud.region}}
    s3.create_bucket(Bucket=names.bucket, **place)
    s3.put_bucket_versioning(Bucket=names.bucket, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=names.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    blocked = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=names.bucket, PublicAccessBlockConfiguration=blocked)
    only_tls = {
        "Sid": "AllowSSLRequestsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [names.bucket_arn, f"{names.bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=names.bucket, Policy=_document([only_tls]))


def _repository(cloud: Cloud, names: Names) -> None:
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName=names.repository, imageTagMutability="IMMUTABLE")
    functions = f"arn:{PARTITION}:lambda:{cloud.region}:{cloud.account}:function:*"
    pull = {
        "Sid": "LambdaECRImageRetrievalPolicy",
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Condition": {"StringLike": {"aws:sourceArn": functions}},
    }
    ecr.set_repository_policy(repositoryName=names.repository, policyText=_document([pull]))


def _deploy(cloud: Cloud, names: Names) -> list[Statement]:
    via_s3 = {"StringEquals": {"kms:ViaService": f"s3.{cloud.region}.amazonaws.com"}}
    return [
        _allow("CloudFormationPermissions", (f"cloudformation:{action}" for action in _STACKS), "*"),
        _allow("PipelineCrossAccountArtifactsKey", _USE_OF_KEYS, "*") | {"Condition": via_s3},
        _allow("PassExecutionRole", ["iam:PassRole"], names.role_arn("cfn-exec")),
        _allow("CliPermissions", [*(f"cloudformation:{action}" for action in _COMMAND_LINE), "sts:GetCallerIdentity"], "*"),
        _allow("CliStagingBucket", _READ_FILES, names.bucket_arn, f"{names.bucket_arn}/*"),
        _allow("ReadVersion", ["ssm:GetParameter", "ssm:GetParameters"], names.version_arn),
    ]


def _publish_files(cloud: Cloud, names: Names) -> list[Statement]:
    own = {"StringEquals": {"aws:ResourceAccount": [cloud.account]}}
    key = f"arn:{PARTITION}:kms:{cloud.region}:{cloud.account}:key/AWS_MANAGED_KEY"
    return [
        _allow("Files", _WRITE_FILES, names.bucket_arn, f"{names.bucket_arn}/*") | {"Condition": own},
        _allow("Key", _USE_OF_KEYS, key),
    ]


def _publish_images(names: Names) -> list[Statement]:
    return [
        _allow("Images", (f"ecr:{action}" for action in _PUSH), names.repository_arn),
        _allow("LogIn", ["ecr:GetAuthorizationToken"], "*"),
    ]


def _lookup() -> list[Statement]:
    return [{"Sid": "DontReadSecrets", "Effect": "Deny", "Action": ["kms:Decrypt"], "Resource": "*"}]


def _allow(sid: str, actions: Iterable[str], *resources: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _trust(actions: list[str], principal: dict[str, str]) -> str:
    return _document([{"Effect": "Allow", "Action": actions, "Principal": principal}])


def _document(statements: list[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _know_managed_policies(cloud: Cloud) -> None:
    store = iam_backends[cloud.account][PARTITION]
    for arn in (ADMINISTRATOR, READ_ONLY):
        name = arn.rpartition("/")[2]
        store.managed_policies[arn] = AWSManagedPolicy.from_data(name, cloud.account, cloud.region, _managed()[name])


@lru_cache(maxsize=1)
def _managed() -> dict[str, Any]:
    """AWS's managed policies, as moto ships them; only what is used here is kept."""
    every = json.loads(aws_managed_policies_data)
    return {name: every[name] for name in ("AdministratorAccess", "ReadOnlyAccess")}
