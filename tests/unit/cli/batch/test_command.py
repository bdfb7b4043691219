"""A batch that could not put its results is refused before anything is sent."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli.batch import command
from cli.output import Output
from contracts.errors import DataError

TABLE = "height\n1\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table, and no account at all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "find_target", lambda _app, _number: None)
    (tmp_path / "fix-missing.csv").write_text(TABLE)
    return tmp_path


def refused(out: str) -> str:
    app = cast("Any", SimpleNamespace(account=None))
    with pytest.raises(DataError) as error:
        command.predict_batch(app, Output(machine=True), "fix-missing.csv", Path(out), None, by_id=False)
    return str(error.value)


@pytest.mark.parametrize("out", ["fix-missing.csv", "./fix-missing.csv", "fix.csv", "link.csv"])
def test_neither_result_takes_the_place_of_the_table(here: Path, out: str) -> None:
    (here / "link.csv").symlink_to("fix-missing.csv")
    assert "the table itself" in refused(out)
    assert (here / "fix-missing.csv").read_text() == TABLE


@pytest.mark.parametrize("folder", ["results", "out-missing.csv"])
def test_a_folder_is_no_place_for_a_result(here: Path, folder: str) -> None:
    (here / folder).mkdir()
    assert f"needs {folder} for a file" in refused("results" if folder == "results" else "out.csv")
    assert sorted(path.name for path in here.iterdir()) == sorted(["fix-missing.csv", folder])
