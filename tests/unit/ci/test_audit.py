"""The audit of the pinned packages: what it says for what pip-audit found."""

import importlib.machinery
import importlib.util
import json
import subprocess
from types import ModuleType
from typing import Any

import pytest

from cli.project import REPOSITORY


@pytest.fixture
def audit() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("audit", str(REPOSITORY / ".ci" / "audit"))
    spec = importlib.util.spec_from_loader("audit", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


CLEAN = {"name": "a", "version": "1", "vulns": []}
UNKNOWN = {"name": "b", "skip_reason": "not found"}
VULNERABLE = {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("output", "options", "status", "words"),
    [
        (json.dumps({"dependencies": [CLEAN, UNKNOWN]}), [], 0, "no known vulnerabilities in 1 packages; 1 could not"),
        (json.dumps({"dependencies": [CLEAN, VULNERABLE]}), [], 1, "c 2: PYSEC-1; fixed in: 3"),
        (json.dumps({"dependencies": [UNKNOWN]}), [], 0, "NOT AUDITED"),
        (json.dumps({"dependencies": [UNKNOWN]}), ["--required"], 1, "NOT AUDITED"),
        ("", [], 0, "NOT AUDITED: no way to the index"),
        ("", ["--required"], 1, "NOT AUDITED"),
    ],
)
def test_it_never_calls_clean_what_was_not_looked_up(
    audit: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
    options: list[str],
    status: int,
    words: str,
) -> None:
    def run(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, output, "no way to the index")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("sys.argv", ["audit", *options])
    assert audit.main() == status
    assert words in capsys.readouterr().out
