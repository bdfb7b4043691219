"""Roles for a provider's token: whom a trust policy means, and what a forged token gets."""

import json
from datetime import timedelta
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys
from botocore.exceptions import ClientError

from twin.cloud import ADMIN, Credentials
from twin.iam.web_identity import LIFETIME, token
from twin.server import TwinServer

HOST = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{HOST}"
MAIN = "repo:octo-org/octo-repo:ref:refs/heads/main"
CLAIMS = {"iss": f"https://{HOST}", "aud": "sts.amazonaws.com", "sub": MAIN}
NOT_TRUSTED = "AccessDenied"
NO_TOKEN = "InvalidIdentityToken"


class Account:
    """An account with GitHub as its provider, and a role that trusts one branch of one repository."""

    def __init__(self, twin: TwinServer) -> None:
        self.twin = twin
        iam = twin.cloud.client("iam")
        iam.create_open_id_connect_provider(Url=f"https://{HOST}", ClientIDList=["sts.amazonaws.com", "another.example"])
        condition = {"StringEquals": {f"{HOST}:aud": "sts.amazonaws.com", f"{HOST}:sub": MAIN}}
        statement = {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": PROVIDER},
            "Condition": condition,
        }
        self.role = self.trusting("deploys", statement)

    def trusting(self, name: str, statement: dict[str, Any]) -> str:
        """The ARN of a new role with this trust policy."""
        made = self.twin.cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))
        return str(made["Role"]["Arn"])

    def take(self, jwt: str, role: str | None = None, **more: Any) -> dict[str, Any]:
        """AssumeRoleWithWebIdentity; the credentials."""
        sts = self.twin.cloud.client("sts")
        given = sts.assume_role_with_web_identity(RoleArn=role or self.role, RoleSessionName="workflow", WebIdentityToken=jwt, **more)
        credentials: dict[str, Any] = given["Credentials"]
        return credentials

    def token(self, **claims: Any) -> str:
        """A token that was issued now."""
        return token(CLAIMS | claims, self.twin.cloud.clock.now())

    def refusal(self, jwt: str, role: str | None = None) -> str:
        """The error code that a token gets."""
        with pytest.raises(ClientError) as caught:
            self.take(jwt, role)
        return str(caught.value.response["Error"]["Code"])


@pytest.fixture
def account(twin: TwinServer) -> Account:
    return Account(twin)


def test_the_token_of_the_branch_takes_the_role(account: Account) -> None:
    given = account.take(account.token())
    session = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    arn = account.twin.cloud.client("sts", session).get_caller_identity()["Arn"]
    assert arn == "arn:aws:sts::123456789012:assumed-role/deploys/workflow"
    decision = next(each for each in account.twin.part("iam").decisions.latest() if each.action == "sts:AssumeRoleWithWebIdentity")
    assert (decision.caller, decision.resource, decision.allowed) == (MAIN, account.role, True)
    with pytest.raises(ClientError, match="does not know PolicyArns"):
        account.take(account.token(), PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}])


@pytest.mark.parametrize(
    "subject",
    [
        "repo:octo-org/octo-repo:ref:refs/heads/other",
        "repo:octo-org/octo-repo:ref:refs/tags/main",
        "repo:octo-org/octo-repo:pull_request",
        "repo:octo-org/octo-repo:environment:main",
        "repo:octo-org/another:ref:refs/heads/main",
        "repo:somebody/octo-repo:ref:refs/heads/main",  # a fork
        "repo:octo-org@1/octo-repo@2:ref:refs/heads/main",
        MAIN.upper(),
        f"{MAIN}*",
        "",
    ],
)
def test_another_job_does_not(account: Account, subject: str) -> None:
    assert account.refusal(account.token(sub=subject)) == NOT_TRUSTED


def test_the_audience_must_be_the_accounts_and_the_roles(account: Account) -> None:
    assert account.refusal(account.token(aud="https://github.com/octo-org")) == NO_TOKEN
    assert account.refusal(account.token(aud="another.example")) == NOT_TRUSTED


def test_a_provider_that_the_account_does_not_name_is_nobody(account: Account) -> None:
    assert account.refusal(account.token(iss="https://issuer.example")) == NO_TOKEN


def test_a_forged_token_is_refused(account: Account) -> None:
    now = account.twin.cloud.clock.now()
    assert account.refusal(token(CLAIMS, now, key=b"another key")) == NO_TOKEN
    header, payload, signature = account.token().split(".")
    of_another = account.token(sub="repo:octo-org/another:ref:refs/heads/main").split(".")
    assert account.refusal(f"{of_another[0]}.{payload}.{of_another[2]}") == NO_TOKEN
    unsigned = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    for text in (f"{unsigned}.{payload}.{signature}", f"{unsigned}.{payload}.", f"{header}.{payload}", "not a token"):
        assert account.refusal(text) == NO_TOKEN


def test_a_token_that_names_nobody_is_refused(account: Account) -> None:
    now = account.twin.cloud.clock.now()
    for claim in CLAIMS:
        assert account.refusal(token({name: value for name, value in CLAIMS.items() if name != claim}, now)) == NO_TOKEN


def test_an_old_token_is_refused(account: Account) -> None:
    earlier = account.twin.cloud.clock.now() - LIFETIME - timedelta(seconds=1)
    assert account.refusal(token(CLAIMS, earlier)) == "ExpiredTokenException"


def test_a_role_that_trusts_no_provider_is_refused_to_every_token(account: Account) -> None:
    everybody = account.trusting("users", {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "123456789012"}})
    assert account.refusal(account.token(), everybody) == NOT_TRUSTED
    assert account.refusal(account.token(), f"{account.role}-missing") == NOT_TRUSTED


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "Action=AssumeRoleWithWebIdentity&Action=GetCallerIdentity&Version=2011-06-15"),
        ("/?Action=CreateUser&Version=2010-05-08", "Action=AssumeRoleWithWebIdentity&UserName=intruder"),
        ("/", "Action=AssumeRole&Version=2011-06-15&RoleArn=x&RoleSessionName=workflow"),
    ],
)
def test_nothing_else_goes_without_a_signature(twin: TwinServer, path: str, body: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = urllib3.request("POST", f"{twin.cloud.url}{path}", body=body, headers=headers, retries=False)
    assert reply.status == 403
    assert b"MissingAuthenticationToken" in reply.data


def test_a_signature_does_not_replace_the_token(account: Account) -> None:
    body = f"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=workflow&WebIdentityToken=none&RoleArn={account.role}"
    url = f"{account.twin.cloud.url}/"
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    SigV4Auth(Keys(ADMIN.access_key, ADMIN.secret_key), "sts", "us-east-1").add_auth(request)
    reply = urllib3.request("POST", url, body=body, headers=dict(request.headers), retries=False)
    assert reply.status == 400
    assert NO_TOKEN.encode() in reply.data
