"""The role that GitHub deploys with: whom it trusts, and that it may do nothing but take the bootstrap's roles."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.github import GitHub
from stacks.github import GitHubStack
from stacks.project import read_project
from stacks.tidewheel import new_app
from tests.synth.conftest import ROOT
from tests.synth.templates import Template

REPOSITORY = "octo-org/octo-repo"
ISSUER = "token.actions.githubusercontent.com"


def synthesised(flags: Mapping[str, Any], out: Path, **github: Any) -> Template:
    """The stack's template, from an app with no other."""
    app = new_app(flags, out)
    configured = GitHub.model_validate({"repository": REPOSITORY} | github)
    project = read_project(app.node, ROOT, None)
    GitHubStack(app, replace(project, config=project.config.model_copy(update={"github": configured})), configured)
    app.synth()
    return Template(json.loads((out / "breast-cancer-dev-github.template.json").read_text()))


def plain(value: Any) -> str:
    """An ARN with its references as an asset manifest writes them."""
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return f"${{{value['Ref']}}}"
    separator, parts = value["Fn::Join"]
    return str(separator).join(map(plain, parts))


def named_roles(value: Any) -> Iterator[str]:
    """Every role that a part of a cloud assembly tells its deployer to take."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == "assumeRoleArn":
                yield item
            elif name == "lookupRole":
                yield item["arn"]
            else:
                yield from named_roles(item)


def test_it_takes_the_roles_that_the_assembly_names_and_does_nothing_else(assembly: Path, flags: Mapping[str, Any], tmp_path: Path) -> None:
    template = synthesised(flags, tmp_path / "cdk.out", branch="main")
    (statement,) = template.statements("Role")
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
    written = [json.loads(path.read_text()) for path in (assembly / "manifest.json", *assembly.glob("*.assets.json"))]
    assert set(map(plain, statement["Resource"])) == {role for part in written for role in named_roles(part)}
    assert len(statement["Resource"]) == 4
    assert set(template.only("IAM::Role")) == {"AssumeRolePolicyDocument", "Description", "Policies", "RoleName"}


@pytest.mark.parametrize(
    ("github", "subject"),
    [({"branch": "main"}, f"repo:{REPOSITORY}:ref:refs/heads/main"), ({"environment": "prod"}, f"repo:{REPOSITORY}:environment:prod")],
)
def test_it_trusts_one_kind_of_job(flags: Mapping[str, Any], tmp_path: Path, github: dict[str, str], subject: str) -> None:
    template = synthesised(flags, tmp_path / "cdk.out", **github)
    role = template.only("IAM::Role")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    (provider,) = template.of("IAM::OIDCProvider")
    assert trust == {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": {"Fn::GetAtt": [provider, "Arn"]}},
        "Condition": {"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": subject}},
    }
    assert role["RoleName"] == "breast-cancer-dev-github"
    assert template.only("IAM::OIDCProvider") == {"ClientIdList": ["sts.amazonaws.com"], "Url": f"https://{ISSUER}"}


def test_the_accounts_own_provider_is_used_where_there_is_one(flags: Mapping[str, Any], tmp_path: Path) -> None:
    template = synthesised(flags, tmp_path / "cdk.out", branch="main", provider="existing")
    assert not template.of("IAM::OIDCProvider")
    (trust,) = template.only("IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
    assert plain(trust["Principal"]["Federated"]) == f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:oidc-provider/{ISSUER}"


def test_without_github_there_is_no_such_stack(assembly: Path) -> None:
    assert not list(assembly.glob("*-github.template.json"))
