"""A staged folder holds the named parts, whatever else lies in the working tree."""

from pathlib import Path

import pytest

from stacks.constructs.staging import staged


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with what a laptop leaves in one."""
    for name in ("code/a.py", "code/deep/b.py", "code/__pycache__/a.cpython-311.pyc", "code/.cache/x", "other/c.py", "shared.py", ".env"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_only_named_parts_are_there_and_no_leftovers(root: Path) -> None:
    with staged(root, ["code", "shared.py"], {"project.json": "{}"}) as folder:
        files = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert files == {"code/a.py": "code/a.py", "code/deep/b.py": "code/deep/b.py", "shared.py": "shared.py", "project.json": "{}"}
    assert not folder.exists()


def test_a_part_that_is_missing_is_an_error(root: Path) -> None:
    with pytest.raises(FileNotFoundError), staged(root, ["gone"]):
        pass
