"""Deploying from GitHub Actions: which workflow may take the deploy role, as GitHub's token names it.

    github: {repository: owner/name, branch: main}
    github: {repository: owner@123456/name@456789, environment: production, provider: existing}

docs: https://docs.github.com/en/actions/reference/security/oidc (a job that names an environment has it in its subject, another job the ref
that it runs on; a pull request from a fork has neither). Repositories made or renamed since July 2026 have immutable subjects, in which the
numbers of owner and repository follow the names: https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"

_OWNER, _NAME = r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}", r"[A-Za-z0-9._-]{1,100}"
# Conditions compare the subject as it is, so nothing that IAM would read as a pattern or a variable may be in it.
Repository = Annotated[str, StringConstraints(pattern=rf"^(?:{_OWNER}/{_NAME}|{_OWNER}@[0-9]+/{_NAME}@[0-9]+)$")]
Branch = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$", max_length=200)]
DeploymentEnvironment = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]*$", max_length=200)]


class Provider(StrEnum):
    """An account has GitHub's identity provider once. `create`: this project's stack makes it; `existing`: the account has it already."""

    CREATE = "create"
    EXISTING = "existing"


class GitHub(BaseModel):
    """The one repository that may deploy, and in it one branch or one environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repository: Repository
    branch: Branch | None = None
    environment: DeploymentEnvironment | None = None
    provider: Provider = Provider.CREATE

    @model_validator(mode="after")
    def _one_kind_of_job(self) -> Self:
        if (self.branch is None) == (self.environment is None):
            raise ValueError("give either the branch or the environment that deploys, and not both")
        return self

    @property
    def subject(self) -> str:
        """The `sub` of the tokens of jobs that may deploy."""
        job = f"ref:refs/heads/{self.branch}" if self.environment is None else f"environment:{self.environment}"
        return f"repo:{self.repository}:{job}"
