"""The twin for tests: a fresh account on a free port, in a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from twin.server import TwinServer


@pytest.fixture
def speed() -> float:
    """Twin seconds per real second. Override with @pytest.mark.parametrize("speed", [60.0])."""
    return 1.0


@pytest.fixture
def assembly() -> Path | None:
    """The cloud assembly, for tests that run images or deploy templates from one: override it."""
    return None


@pytest.fixture
def twin(tmp_path: Path, speed: float, assembly: Path | None) -> Iterator[TwinServer]:
    """A running twin; `twin.cloud.client(...)` is its administrator."""
    with TwinServer(tmp_path / "twin", assembly, speed=speed) as server:
        yield server
