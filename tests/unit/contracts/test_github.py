"""Which tokens of GitHub's may deploy."""

from typing import Any

import pytest

from contracts.config import Config, parse_config
from contracts.errors import ConfigError
from contracts.github import Provider

REPOSITORY = "octo-org/octo-repo"


def config(github: Any, **more: Any) -> Config:
    data = {"dataset": "t", "target": "y", "problem": "binary", "positive": "1", "features": {"x": "numeric"}}
    return parse_config({"project": "tides", "data": data, "github": github} | more)


@pytest.mark.parametrize(
    ("github", "subject"),
    [
        ({"repository": REPOSITORY, "branch": "main"}, "repo:octo-org/octo-repo:ref:refs/heads/main"),
        ({"repository": REPOSITORY, "branch": "release/2026"}, "repo:octo-org/octo-repo:ref:refs/heads/release/2026"),
        ({"repository": REPOSITORY, "environment": "production"}, "repo:octo-org/octo-repo:environment:production"),
        # https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/
        ({"repository": "octo-org@123456/octo-repo@456789", "branch": "main"}, "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main"),
    ],
)
def test_the_subject_is_as_github_writes_it(github: dict[str, str], subject: str) -> None:
    found = config(github).github
    assert found is not None
    assert found.subject == subject
    assert found.provider is Provider.CREATE


@pytest.mark.parametrize(
    "github",
    [
        {"repository": REPOSITORY},
        {"repository": REPOSITORY, "branch": "main", "environment": "production"},
        {"branch": "main"},
        {"repository": "octo-repo", "branch": "main"},
        {"repository": "octo-org/*", "branch": "main"},
        {"repository": "octo-org/octo-repo:ref", "branch": "main"},
        {"repository": "octo-org@123456/octo-repo", "branch": "main"},
        {"repository": REPOSITORY, "branch": "*"},
        {"repository": REPOSITORY, "branch": "${aws:username}"},
        {"repository": REPOSITORY, "branch": ""},
        {"repository": REPOSITORY, "environment": "prod:x"},
        {"repository": REPOSITORY, "branch": "main", "provider": "arn:aws:iam::1:oidc-provider/x"},
        {"repository": REPOSITORY, "branch": "main", "audience": "x"},
    ],
)
def test_what_names_more_than_one_kind_of_job_is_refused(github: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="github"):
        config(github)


def test_an_environment_deploys_from_its_own() -> None:
    production = {"prod": {"github": {"branch": None, "environment": "production", "provider": "existing"}}}
    raw = {"repository": REPOSITORY, "branch": "main"}
    data = {"dataset": "t", "target": "y", "problem": "binary", "positive": "1", "features": {"x": "numeric"}}
    found = parse_config({"project": "tides", "data": data, "github": raw, "environments": production}, "prod").github
    assert found is not None
    assert (found.subject, found.provider) == ("repo:octo-org/octo-repo:environment:production", Provider.EXISTING)
    assert config(None).github is None
