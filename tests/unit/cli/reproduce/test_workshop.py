"""Nothing is made again for an archive that is not the registered one."""

import io
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.reproduce.workshop import Workshop
from contracts.errors import StateError
from tests.unit.cli.reproduce.test_recipe import told


def test_an_archive_that_was_replaced_is_refused_first(tmp_path: Path) -> None:
    archive = tmp_path / "forged.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("model.skops")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    s3 = SimpleNamespace(download_file=lambda _bucket, _key, path: shutil.copy(archive, path))
    keys = SimpleNamespace(access_key="a", secret_key="b", token=None)
    session = SimpleNamespace(get_credentials=lambda: SimpleNamespace(get_frozen_credentials=lambda: keys))
    app: Any = SimpleNamespace(s3=s3, account=SimpleNamespace(session=session, region="us-east-1", endpoint=None))
    steps: list[str] = []
    with pytest.raises(StateError, match=f"the registry says {'d' * 64}; it is not the model that was registered"):
        Workshop(app, tmp_path, tmp_path / "environments").make(replace(told(), commit="nowhere"), steps.append)
    assert steps == []
