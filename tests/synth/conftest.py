"""One synthesised assembly for all of these tests: the example project in dev, without CDK's slow built-in validation."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from stacks.project import Project, read_project
from stacks.tidewheel import add_stacks, new_app
from tests.synth.templates import STACKS, Template
from tests.synth.variants import VARIANTS, Assembly, synthesise

ROOT = Path(__file__).parents[2]
# Read by CDK's process when it starts. test_assembly.py runs the validation once, in a process of its own.
os.environ["CDK_VALIDATION"] = "false"


@pytest.fixture(scope="session")
def flags() -> Mapping[str, Any]:
    """cdk.json's feature flags."""
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return context


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory, flags: Mapping[str, Any]) -> Path:
    """cdk.out, made in this process."""
    out = tmp_path_factory.mktemp("in-process") / "cdk.out"
    app = new_app(flags, out)
    project: Project = read_project(app.node, ROOT, None)
    add_stacks(app, project)
    app.synth()
    return out


@pytest.fixture(scope="session")
def strict_assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cdk.out, made by `python app.py` in a process without credentials or region, under CDK's strict template validation."""
    out = tmp_path_factory.mktemp("strict") / "cdk.out"
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], "CDK_OUTDIR": str(out)}
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def templates(assembly: Path) -> Mapping[str, Template]:
    """data, training, endpoint, serving, control -> template."""
    return {part: Template(json.loads((assembly / f"breast-cancer-dev-{part}.template.json").read_text())) for part in STACKS}


@pytest.fixture(scope="session")
def variant(tmp_path_factory: pytest.TempPathFactory, flags: Mapping[str, Any]) -> Callable[[str], Assembly]:
    """Name of a configuration in variants.py -> its assembly, made when it is first asked for."""

    @cache
    def made(name: str) -> Assembly:
        return synthesise(VARIANTS[name], flags, tmp_path_factory.mktemp(name) / "cdk.out")

    return made
