"""Deploying from GitHub: the workflow's token takes the deploy role, and with it every stack is deployed; no other token takes it."""

from botocore.exceptions import ClientError

from cli.account import Account
from cli.deploy import deploy_assembly
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from contracts.errors import StateError
from contracts.github import AUDIENCE, ISSUER, GitHub

OTHERS = ("repo:somebody/a-fork:ref:refs/heads/main", "repo:octo-org/octo-repo:pull_request")
"""Subjects of jobs that may not deploy."""


def _github(session: Session) -> GitHub:
    github = session.project.config.github
    if github is None:
        raise StateError("the proof's project names no repository on GitHub. Next: see cli/prove_iam/setting.py")
    return github


def _take(session: Session, subject: str) -> Account:
    """The account under the deploy role, for a job of this subject."""
    from twin.iam.web_identity import token  # noqa: PLC0415 - the twin is loaded only where it is used

    account = session.app.account
    arn = f"arn:aws:iam::{session.twin.cloud.account}:role/{session.app.prefix}-github"
    jwt = token({"iss": f"https://{ISSUER}", "aud": AUDIENCE, "sub": subject}, session.now())
    taken = account.client("sts").assume_role_with_web_identity(RoleArn=arn, RoleSessionName="workflow", WebIdentityToken=jwt)
    given = taken["Credentials"]
    return account.under(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _deploy(session: Session) -> None:
    deploy_assembly(_take(session, _github(session).subject), session.assembly, lambda _: None)


def _other_jobs(session: Session) -> None:
    for subject in OTHERS:
        try:
            _take(session, subject)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
        else:
            raise StateError(f"a job of {subject} took the deploy role")


GITHUB_STEPS = (
    Step("deployment from GitHub", "a workflow on the branch deploys every stack", _deploy),
    Step(
        "other jobs of GitHub",
        "a fork and a pull request are refused",
        _other_jobs,
        refusals=(("repo:*", "sts:AssumeRoleWithWebIdentity"),),
    ),
)
