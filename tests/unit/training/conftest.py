"""Trained models, once a test process: tests that change one work on a copy."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from tests.unit.training.tables import contract, table, trained
from training import candidates
from training.paths import Paths


@pytest.fixture(autouse=True)
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As `python -m training` does: threads that fight for few cores are slower than one."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def few_trees() -> Iterator[None]:
    """Blends of fewer trees, for tests of what happens with a model, not of how good it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(candidates.SMALL_TREES, "max_iter", 20)
        patch.setitem(candidates.LARGE_TREES, "max_iter", 10)
        yield


@pytest.fixture(scope="session")
def _shared_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Paths]:
    @cache
    def train(problem: str) -> Paths:
        return trained(tmp_path_factory.mktemp(problem), table(problem), contract(problem))

    return train


@pytest.fixture
def model(_shared_models: Callable[[str], Paths], tmp_path: Path) -> Callable[[str], Paths]:
    """model(problem): a copy of a container's folder after prepare and train."""

    def copy(problem: str) -> Paths:
        target = tmp_path / problem
        shutil.copytree(_shared_models(problem).root, target)
        return Paths(target)

    return copy
