"""What `tide predict` is given, before anybody is asked."""

import io
from pathlib import Path

import pytest

from cli.predict import read_instances
from contracts.config import Data
from contracts.errors import DataError

DATA = Data.model_validate({"dataset": "tides", "target": "y", "problem": "regression", "features": {"port": "categorical"}})
LATIN = '[{"port": "K\xf6ln"}]'.encode("latin-1")


def test_json_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('[{"port": "K\xf6ln"}]', encoding="utf-8")
    assert read_instances(str(path), DATA) == ([{"port": "K\xf6ln"}], False)


@pytest.mark.parametrize("content", [LATIN, b"[{]"])
def test_a_file_that_is_no_json_is_named_with_the_next_step(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.json is not JSON: .* Next: give JSON, in UTF-8"):
        read_instances(str(path), DATA)


def test_stdin_that_is_not_utf_8_is_said_to_be_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LATIN), encoding="utf-8"))
    with pytest.raises(DataError, match=r"stdin is not JSON: .* Next: give JSON"):
        read_instances("-", DATA)
