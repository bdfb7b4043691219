"""The workflow on GitHub runs what .ci/run says must pass."""

import re

import yaml

from cli.project import REPOSITORY

MAKE = re.compile(r"^make ([a-z-]+)$", re.MULTILINE)


def test_the_workflow_runs_whatever_must_pass_before_a_change_lands() -> None:
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())["jobs"]
    run = {step["run"].removeprefix("make ") for job in jobs.values() for step in job["steps"] if "run" in step}
    needed = set(MAKE.findall((REPOSITORY / ".ci/run").read_text()))
    assert {"prove-iam", "audit"} <= needed
    assert needed <= run
