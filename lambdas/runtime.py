"""What every function shares at its edge: the project's configuration, its environment, and AWS clients, each made once, at first use.

A function's asset holds contracts/, this package's own modules, the function's folder and project.json, side by side.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import boto3

from contracts import monitoring
from contracts.config import Config
from contracts.environment import PROJECT_FILE, Environment

ROOT = Path(__file__).parents[1]
NAMESPACE = monitoring.NAMESPACE

Variables = TypeVar("Variables", bound=Environment)


@cache
def project() -> Config:
    """The project that this function was deployed for."""
    return Config.model_validate_json((ROOT / PROJECT_FILE).read_bytes())


@cache
def environment(model: type[Variables]) -> Variables:
    """The function's own variables."""
    return model.read(os.environ)


@cache
def client(service: str) -> Any:
    """An AWS client. boto3 keeps its connections between invocations."""
    make: Any = boto3.client  # typed by literal service names
    return make(service)


def forget() -> None:
    """Read project and environment anew at the next use; for tests, which change both."""
    project.cache_clear()
    environment.cache_clear()
