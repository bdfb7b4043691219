"""The small project, synthesised once, and deployed into a fresh twin for each module that asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.project import Project
from tests.scenarios.loop import Loop, synthesised, write_project
from twin.server import TwinServer

SPEED = 120.0


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small project's configuration."""
    return write_project(tmp_path_factory.mktemp("tides"))


@pytest.fixture(scope="session")
def assembly(project: Project) -> Path:
    """Its templates."""
    return synthesised(project)


@pytest.fixture(scope="module")
def loop(project: Project, assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """The app, deployed into a twin that runs at SPEED; nothing is uploaded yet."""
    with TwinServer(tmp_path_factory.mktemp("twin"), assembly, speed=SPEED) as twin:
        yield Loop.deploy(twin, project, assembly)
