"""What a push says."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.data import push
from cli.output import Output
from cli.tables import sha256_of
from contracts.config import Data
from contracts.manifest import DataFile, Manifest

CONTRACT = Data.model_validate({"dataset": "tides", "target": "y", "problem": "regression", "features": {"x": "numeric"}})


def test_a_table_that_is_there_already_is_trained_on_by_its_own_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write_table: Callable[..., Path]
) -> None:
    """The newest version may be another."""
    table = write_table(["x", "y"], [[1, 2]])
    project = SimpleNamespace(config=SimpleNamespace(data=CONTRACT), state=tmp_path / "state")
    app: Any = SimpleNamespace(project=project)
    file = DataFile(bucket="b", key="uploads/tides/table.csv", version_id="v", size=1, sha256=sha256_of(table), rows=1)
    older = Manifest(dataset="tides", files=(file,), columns=(), contract=CONTRACT)
    newer = older.model_copy(update={"files": (file.model_copy(update={"sha256": "a" * 64}),)})
    app.manifests = lambda: [(newer, None), (older, None)]
    push._push_table(app, table, False, Output())
    assert f"Next: tide train --dataset-version {older.version}, to train on it again" in capsys.readouterr().out
