"""Which code was deployed."""

import subprocess
from pathlib import Path

import pytest

from cli import assembly


def test_a_commit_is_dirty_when_the_image_s_code_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "REPOSITORY", tmp_path)
    assert assembly.git_commit() == "unknown"
    for name in ("training/train.py", "contracts/config.py", "tidewheel.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("as it was")
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "First"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)  # noqa: S607 - whichever git there is
    commit = assembly.git_commit()
    assert len(commit) == 40
    (tmp_path / "tidewheel.yaml").write_text("of a project")
    assert assembly.git_commit() == commit
    (tmp_path / "training" / "train.py").write_text("changed")
    assert assembly.git_commit() == f"{commit}-dirty"
