"""Configuration is found by context or variable, and every mistake in it is said plainly."""

from pathlib import Path

import aws_cdk as cdk
import pytest
import yaml
from constructs import Node

import app
from contracts.errors import ConfigError
from stacks.project import CONFIG_VARIABLE, read_project

EXAMPLE = Path(__file__).parents[3] / "tidewheel.yaml"


def context(**values: str) -> Node:
    """CDK's context, as `-c name=value` gives it."""
    return cdk.App(context=values).node


def _write(path: Path, project: str) -> Path:
    content = yaml.safe_load(EXAMPLE.read_text())
    path.write_text(yaml.safe_dump(content | {"project": project}))
    return path


def test_context_comes_before_the_variable_and_both_before_the_repository(tmp_path: Path) -> None:
    named, variable = _write(tmp_path / "named.yaml", "named"), _write(tmp_path / "variable.yaml", "variable")
    _write(tmp_path / "tidewheel.yaml", "beside")
    assert read_project(context(config=str(named)), tmp_path, str(variable)).prefix == "named-dev"
    assert read_project(context(), tmp_path, str(variable)).prefix == "variable-dev"
    assert read_project(context(), tmp_path, None).prefix == "beside-dev"


def test_environment_and_commit_come_from_context() -> None:
    project = read_project(context(environment="prod", commit="0a1b2c3"), EXAMPLE.parent, None)
    assert (project.prefix, project.git_commit) == ("breast-cancer-prod", "0a1b2c3")
    assert project.config.approval.policy == "manual"
    assert read_project(context(), EXAMPLE.parent, None).git_commit == "unknown"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file. Next: tide init"),
        (b"project: [", "is not YAML"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "is empty"),
        (b"project: Breast_Cancer\ndata: {}\n", "data.target"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "tidewheel.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as error:
        read_project(context(), tmp_path, None)
    assert str(path) in str(error.value)


def test_the_app_prints_mistakes_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("project: Breast_Cancer\n")
    monkeypatch.setenv(CONFIG_VARIABLE, str(path))
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path / "cdk.out"))
    assert app.main() == 1
    written = capsys.readouterr().err
    assert written.startswith(f"{path} has ")
    assert "project: " in written
    assert "data: " in written
    assert "Traceback" not in written
    assert not list((tmp_path / "cdk.out").glob("*.template.json"))
