"""What the bootstrap's roles may do, and what not: each its own part of a deployment."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from twin.bootstrap import Names
from twin.cloud import Credentials
from twin.server import TwinServer

ACCOUNT = "123456789012"
NAMES = Names(ACCOUNT, "us-east-1")
TEMPLATE = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'


class Bootstrapped:
    """An account, and its bootstrap's roles."""

    def __init__(self, twin: TwinServer) -> None:
        self.twin = twin
        self.admin = twin.cloud.client

    def under(self, part: str, service: str) -> Any:
        """A client under one of the bootstrap's roles."""
        given = self.admin("sts").assume_role(RoleArn=NAMES.role_arn(part), RoleSessionName="tests")["Credentials"]
        return self.admin(service, Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]))


@pytest.fixture
def account(twin: TwinServer) -> Bootstrapped:
    return Bootstrapped(twin)


def refused(operation: Any, **arguments: Any) -> None:
    """The call is not authorised."""
    with pytest.raises(ClientError, match="is not authorized to perform"):
        operation(**arguments)


def test_the_deploy_role_makes_stacks_under_the_execution_role(account: Bootstrapped) -> None:
    cloudformation = account.under("deploy", "cloudformation")
    made = {"StackName": "s", "TemplateBody": TEMPLATE, "RoleARN": NAMES.role_arn("cfn-exec")}
    cloudformation.create_stack(**made)
    stack = account.twin.part("cloudformation").wait("s")
    assert stack.status.name == "CREATE_COMPLETE"
    makers = [each.caller for each in account.twin.part("iam").decisions.latest() if each.action == "sns:CreateTopic"]
    assert makers == [NAMES.role_arn("cfn-exec")]


def test_the_deploy_role_itself_makes_nothing(account: Bootstrapped) -> None:
    account.under("deploy", "cloudformation").create_stack(StackName="s", TemplateBody=TEMPLATE)
    assert account.twin.part("cloudformation").wait("s").status.name == "ROLLBACK_COMPLETE"
    refused(account.under("deploy", "sns").create_topic, Name="t")
    refused(account.under("deploy", "s3").put_object, Bucket=NAMES.bucket, Key="k", Body=b"")


def test_the_deploy_role_passes_no_other_role(account: Bootstrapped) -> None:
    trust = '{"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "cloudformation.amazonaws.com"}}}'
    other = account.admin("iam").create_role(RoleName="other", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    refused(account.under("deploy", "cloudformation").create_stack, StackName="s", TemplateBody=TEMPLATE, RoleARN=other)


def test_only_cloudformation_takes_the_execution_role(account: Bootstrapped) -> None:
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        account.under("cfn-exec", "sns")
    sts = account.under("deploy", "sts")
    refused(sts.assume_role, RoleArn=NAMES.role_arn("cfn-exec"), RoleSessionName="tests")
    refused(sts.assume_role, RoleArn=NAMES.role_arn("file-publishing"), RoleSessionName="tests")


def test_files_go_to_the_bucket_and_nowhere_else(account: Bootstrapped) -> None:
    s3 = account.under("file-publishing", "s3")
    s3.put_object(Bucket=NAMES.bucket, Key="k", Body=b"content")
    assert s3.get_object(Bucket=NAMES.bucket, Key="k")["ServerSideEncryption"] == "aws:kms"
    account.admin("s3").create_bucket(Bucket="another")
    refused(s3.put_object, Bucket="another", Key="k", Body=b"")
    refused(account.under("file-publishing", "ecr").describe_images, repositoryName=NAMES.repository)
    refused(account.under("file-publishing", "cloudformation").describe_stacks)


def test_images_go_to_the_repository_and_nowhere_else(account: Bootstrapped) -> None:
    ecr = account.under("image-publishing", "ecr")
    ecr.initiate_layer_upload(repositoryName=NAMES.repository)
    account.admin("ecr").create_repository(repositoryName="another")
    refused(ecr.initiate_layer_upload, repositoryName="another")
    refused(account.under("image-publishing", "s3").put_object, Bucket=NAMES.bucket, Key="k", Body=b"")


def test_lookup_reads_everything_but_secrets(account: Bootstrapped) -> None:
    key = account.admin("kms").create_key()["KeyMetadata"]["KeyId"]
    secret = account.admin("kms").encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    account.under("lookup", "cloudformation").describe_stacks()
    account.under("lookup", "iam").get_role(RoleName=NAMES.role("deploy"))
    refused(account.under("lookup", "kms").decrypt, CiphertextBlob=secret, KeyId=key)
    refused(account.under("lookup", "cloudformation").create_stack, StackName="s", TemplateBody=TEMPLATE)
    refused(account.under("lookup", "s3").put_object, Bucket=NAMES.bucket, Key="k", Body=b"")
