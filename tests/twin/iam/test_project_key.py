"""The policy of the project's key, as the twin decides by it: whoever may use it directly, and whoever only through a store."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from botocore.exceptions import ClientError

from contracts.config import parse_config
from stacks.constructs.key import ProjectKey
from stacks.project import Project
from tests.twin.functions.helpers import policy, trust
from tests.unit.contracts.test_config import project
from twin.server import TwinServer

ACCOUNT = "123456789012"
LAMBDA = "lambda.amazonaws.com"
LONGEST = {"project": "a" * 24, "environment": "producti"}


def _literal(value: Any) -> Any:
    """A template value as the twin's account resolves it."""
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "Fn::Join" in value:
        return "".join(_literal(value["Fn::Join"][1]))
    known = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": ACCOUNT}
    return known[value["Ref"]] if "Ref" in value else {key: _literal(item) for key, item in value.items()}


class Account:
    """A key under the synthesised policy, a bucket under the key, and roles that may do everything as far as their own policies say."""

    def __init__(self, twin: TwinServer) -> None:
        self._twin = twin
        stack = cdk.Stack(cdk.App(), "data")
        key = ProjectKey(stack, Project(parse_config(project(**LONGEST)), root=twin.cloud.folder))
        document = _literal(stack.resolve(key.node.default_child.key_policy))  # type: ignore[union-attr]  # a CfnKey
        self.key: str = twin.cloud.client("kms").create_key(Policy=json.dumps(document))["KeyMetadata"]["Arn"]
        s3 = twin.cloud.client("s3")
        s3.create_bucket(Bucket="data")
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key}}
        s3.put_bucket_encryption(Bucket="data", ServerSideEncryptionConfiguration={"Rules": [rule]})
        s3.put_object(Bucket="data", Key="k", Body=b"x")

    def session(self, path: str, *statements: tuple[list[str], str]) -> Any:
        """service -> client under a new role of this path."""
        iam = self._twin.cloud.client("iam")
        role = iam.create_role(RoleName=f"r{path.count('/')}{len(path)}", Path=path, AssumeRolePolicyDocument=trust(LAMBDA))["Role"]
        granted = statements or ((["kms:*"], self.key), (["s3:*"], "*"))
        iam.put_role_policy(RoleName=role["RoleName"], PolicyName="inline", PolicyDocument=policy(*granted))
        credentials = self._twin.cloud.assume(role["Arn"], LAMBDA, "session")
        return lambda service: self._twin.cloud.client(service, credentials)


@pytest.fixture
def account(twin: TwinServer) -> Account:
    return Account(twin)


OWN = f"/tidewheel/{LONGEST['project']}-{LONGEST['environment']}/"


def _denied(operation: Any, **arguments: Any) -> bool:
    try:
        operation(**arguments)
    except ClientError as error:
        assert "is not authorized to perform: kms:" in str(error)
        return True
    return False


def test_a_role_of_the_project_uses_the_key_as_far_as_its_own_policy_says(account: Account) -> None:
    may = account.session(OWN)
    sealed = may("kms").generate_data_key(KeyId=account.key, KeySpec="AES_256")["CiphertextBlob"]
    assert may("kms").decrypt(CiphertextBlob=sealed, KeyId=account.key)["Plaintext"]
    assert _denied(may("kms").generate_data_key_without_plaintext, KeyId=account.key, KeySpec="AES_256")
    may_not = account.session(f"{OWN}more/", (["s3:*"], "*"))
    assert _denied(may_not("s3").get_object, Bucket="data", Key="k")


@pytest.mark.parametrize("path", ["/", "/tidewheel/other-dev/", "/tidewheel/"])
def test_everybody_else_reads_and_writes_through_s3_only(account: Account, path: str) -> None:
    other = account.session(path)
    assert other("s3").get_object(Bucket="data", Key="k")["Body"].read() == b"x"
    other("s3").put_object(Bucket="data", Key="l", Body=b"y")
    assert _denied(other("kms").generate_data_key, KeyId=account.key, KeySpec="AES_256")
    assert _denied(other("kms").create_grant, KeyId=account.key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:role/x", Operations=["Decrypt"])


def test_the_account_administers_the_key(account: Account) -> None:
    person = account.session("/")("kms")
    name = account.key.rpartition("/")[2]
    person.disable_key_rotation(KeyId=name)
    person.schedule_key_deletion(KeyId=name, PendingWindowInDays=7)
    person.cancel_key_deletion(KeyId=name)
