"""Deploying from GitHub: a person deploys the role, the workflow deploys everything else with it, and with nothing less."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.account import Account, twin_account
from cli.deploy import deploy_assembly
from contracts.errors import StateError
from tests.scenarios.loop import AT_ONCE, CONFIG, synthesised, write_project
from twin.iam.web_identity import token
from twin.server import ACCOUNT, TwinServer

GITHUB = "github: {repository: octo-org/octo-repo, branch: main}\n"
ROLE = "tides-dev-github"
MAIN = "repo:octo-org/octo-repo:ref:refs/heads/main"
CLAIMS = {"iss": "https://token.actions.githubusercontent.com", "aud": "sts.amazonaws.com", "sub": MAIN}


class GitHub:
    """A twin, its administrator, an assembly, and what GitHub's jobs do with it."""

    def __init__(self, twin: TwinServer, assembly: Path) -> None:
        self.twin = twin
        self.assembly = assembly
        self.admin = twin_account(twin.cloud.url, twin.cloud.region)

    def job(self, **claims: str) -> Account:
        """The account under the role that a job's token takes."""
        jwt = token(CLAIMS | claims, self.twin.cloud.clock.now())
        arn = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
        taken = self.admin.client("sts").assume_role_with_web_identity(RoleArn=arn, RoleSessionName="workflow", WebIdentityToken=jwt)
        given = taken["Credentials"]
        return self.admin.under(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def deploy(self, account: Account, assembly: Path | None = None) -> dict[str, str]:
        """Deploy; what became of each stack."""
        return {stack.name: stack.change for stack in deploy_assembly(account, assembly or self.assembly, lambda _: None)}


def alone(assembly: Path, part: str, folder: Path) -> Path:
    """The assembly with one stack: what `cdk deploy STACK` deploys."""
    manifest = json.loads((assembly / "manifest.json").read_text())
    manifest["artifacts"] = {name: artifact for name, artifact in manifest["artifacts"].items() if name.startswith(part)}
    for path in assembly.glob(f"{part}.*.json"):
        shutil.copy(path, folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    """The app, deployed by a workflow on the branch."""
    assembly = synthesised(write_project(tmp_path_factory.mktemp("project"), CONFIG + AT_ONCE + GITHUB))
    with TwinServer(tmp_path_factory.mktemp("twin"), assembly) as twin:
        github = GitHub(twin, assembly)
        first = alone(assembly, ROLE, tmp_path_factory.mktemp("first"))
        assert github.deploy(github.admin, first) == {ROLE: "created"}
        changes = github.deploy(github.job())
        assert changes.pop(ROLE) == "unchanged"
        assert set(changes.values()) == {"created"}
        assert len(changes) == 5
        yield github


def test_the_workflow_deploys_again(github: GitHub) -> None:
    assert set(github.deploy(github.job()).values()) == {"unchanged"}


@pytest.mark.parametrize("part", ["deploy", "file-publishing", "image-publishing", "lookup"])
def test_it_needs_each_of_the_four_roles(github: GitHub, part: str) -> None:
    iam = github.admin.client("iam")
    whole = iam.get_role_policy(RoleName=ROLE, PolicyName="Exactly")["PolicyDocument"]
    (statement,) = whole["Statement"]
    kept = [arn for arn in statement["Resource"] if f"-{part}-role-" not in arn]
    assert len(kept) == 3
    less = whole | {"Statement": [statement | {"Resource": kept}]}
    iam.put_role_policy(RoleName=ROLE, PolicyName="Exactly", PolicyDocument=json.dumps(less))
    try:
        with pytest.raises(StateError, match=rf"cdk-hnb659fds-{part}-role-\S+ cannot be assumed"):
            github.deploy(github.job())
    finally:
        iam.put_role_policy(RoleName=ROLE, PolicyName="Exactly", PolicyDocument=json.dumps(whole))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "repo:octo-org/octo-repo:pull_request"},
        {"sub": "repo:somebody/octo-repo:ref:refs/heads/main"},
        {"sub": "repo:octo-org/octo-repo:ref:refs/heads/other"},
        {"aud": "https://github.com/octo-org"},
        {"iss": "https://issuer.example"},
    ],
)
def test_no_other_job_deploys(github: GitHub, claims: dict[str, str]) -> None:
    with pytest.raises(ClientError, match=r"AccessDenied|InvalidIdentityToken"):
        github.job(**claims)


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("cloudformation", "delete_stack", {"StackName": "tides-dev-data"}),
        ("s3", "list_buckets", {}),
        ("iam", "put_role_policy", {"RoleName": ROLE, "PolicyName": "More", "PolicyDocument": '{"Statement": []}'}),
        ("sts", "assume_role", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-us-east-1"}),
    ],
)
def test_the_role_itself_does_nothing(github: GitHub, service: str, operation: str, arguments: dict[str, Any]) -> None:
    named = {"RoleSessionName": "workflow"} if operation == "assume_role" else {}
    with pytest.raises(ClientError, match="is not authorized to perform"):
        getattr(github.job().client(service), operation)(**arguments, **named)


def test_a_bootstrap_that_is_too_old_is_refused(github: GitHub) -> None:
    ssm, name = github.admin.client("ssm"), "/cdk-bootstrap/hnb659fds/version"
    now = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value="5", Type="String", Overwrite=True)
    try:
        with pytest.raises(StateError, match="has version 5, and 6 is needed"):
            github.deploy(github.job())
    finally:
        ssm.put_parameter(Name=name, Value=now, Type="String", Overwrite=True)
