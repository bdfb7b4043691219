"""Commands with no twin and no account: what they say, and how they end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import main
from cli.account import Account, find_account
from cli.api import Answer
from cli.assembly import stacks_of
from cli.assets import zipped
from cli.doctor import wrong_packages
from cli.feedback import check_columns
from cli.predict import ask, read_instances
from cli.project import load_project
from cli.twin_process import running_twin, stop_twin
from cli.waiting import WaitTimeoutError, wait_for
from contracts.config import Data
from contracts.errors import ConfigError, DataError, StateError
from tests.unit.cli.conftest import Tide


def tide_process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        "",
        "init",
        "doctor",
        "demo",
        "synth",
        "up",
        "down",
        "train",
        "status",
        "why",
        "timeline",
        "approve",
        "reject",
        "rollback",
        "predict",
        "feedback",
        "monitor",
        "data",
        "data push",
    ],
)
def test_every_command_has_help(command: str) -> None:
    result = CliRunner().invoke(main.application, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage: " in result.output


def test_a_users_mistake_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    done = tide_process(tmp_path, "status")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "tide: no tidewheel.yaml here or in a folder above. Next: tide init --data FILE.csv --target COLUMN\n"


def test_without_a_twin_the_next_step_is_said(tide: Tide, churn: Path) -> None:
    tide("init", "--data", str(churn), "--target", "Churn")
    for command in (
        ["status"],
        ["train"],
        ["approve", "1"],
        ["reject", "1"],
        ["rollback"],
        ["why", "1"],
        ["timeline"],
        ["predict", "{}"],
        ["feedback", str(churn)],
        ["data", "push", str(churn)],
    ):
        result = tide(*command)
        assert result.exit_code == 1
        assert "Next: tide up" in str(result.exception)


def test_down_with_nothing_running_is_fine(tide: Tide) -> None:
    result = tide("down", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"ok": True, "stopped": False}


def test_a_note_of_a_killed_twin_is_no_twin(tmp_path: Path) -> None:
    note = {"url": "http://127.0.0.1:1", "pid": os.getpid(), "started": 1.0, "account": "1", "region": "us-east-1", "speed": 1.0}
    (tmp_path / "twin.json").write_text(json.dumps(note))
    assert running_twin(tmp_path) is None
    assert stop_twin(tmp_path) is False


def test_every_mistake_of_a_configuration_is_said_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "tidewheel.yaml"
    path.write_text("project: Bad Name\ndata: {dataset: d, target: y, problem: binary, features: {}}\n")
    with pytest.raises(ConfigError) as caught:
        load_project(path)
    assert any(problem.startswith("project:") for problem in caught.value.problems)
    assert any("features" in problem for problem in caught.value.problems)
    path.write_text("a: [1\n")
    with pytest.raises(ConfigError, match="not YAML"):
        load_project(path)
    path.write_text("project: a\nproject: b\n")
    with pytest.raises(ConfigError, match=r"'project' is there twice.*line 2"):
        load_project(path)
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_project(path)


def test_the_nearest_configuration_counts(tide: Tide, churn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tide("init", "--data", str(churn), "--target", "Churn")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_project().config_path == tmp_path / "tidewheel.yaml"


def test_the_shells_endpoint_counts_when_it_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    account = find_account(tmp_path, aws=False)
    assert (account.endpoint, account.region) == ("http://127.0.0.1:9", "eu-central-1")


def test_an_api_url_is_reached_through_the_endpoint() -> None:
    url = "https://abc123.execute-api.us-east-1.amazonaws.com"
    assert Account("t", "us-east-1", None, "http://127.0.0.1:9").api_url(url) == "http://127.0.0.1:9/execute-api/abc123"
    assert Account("aws", "us-east-1", None).api_url(url) == url


def test_a_place_that_cannot_be_written_is_one_line(churn: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, said in (("file/tidewheel.yaml", "file"), (".", "is a folder")):
        done = tide_process(tmp_path, "init", "--data", str(churn), "--target", "Churn", "--config", place)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("tide: ")
        assert said in done.stderr
        assert "Next: " in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unexpected_error_shows_its_traceback(tmp_path: Path) -> None:
    code = "import cli.main as m\ndef broken(): raise ZeroDivisionError('a defect')\nm.application.command()(broken)\nm.main()"
    done = subprocess.run([sys.executable, "-c", code, "broken"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "a defect" in done.stderr


def test_doctor_blocks_without_a_configuration(tide: Tide) -> None:
    result = tide("doctor", "--json")
    assert result.exit_code == 1
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert checks["python"]["ok"]
    assert checks["node"]["ok"]
    assert not checks["configuration"]["ok"]
    assert "tide init" in checks["configuration"]["next"]


def test_wrong_packages_are_named() -> None:
    assert wrong_packages("# pinned\nno-such-package-here==1.0\n    # via x\nother==1 ; sys_platform == 'win32'\n") == [
        "no-such-package-here is missing"
    ]
    assert wrong_packages("pytest==0.1\n")[0].startswith("pytest is ")


def test_a_zip_is_its_content(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "b.py").write_text("b = 1\n")
        (tmp_path / name / "a.py").write_text("a = 1\n")
    os.utime(tmp_path / "two" / "a.py", (1, 1))
    assert zipped(tmp_path / "one") == zipped(tmp_path / "two")
    (tmp_path / "two" / "a.py").write_text("a = 2\n")
    assert zipped(tmp_path / "one") != zipped(tmp_path / "two")


def test_stacks_come_after_what_they_need(tmp_path: Path) -> None:
    stack = "aws:cloudformation:stack"
    artifacts = {
        "b": {"type": stack, "properties": {"stackName": "bee"}, "dependencies": ["a", "b.assets"]},
        "b.assets": {"type": "cdk:asset-manifest"},
        "a": {"type": stack, "properties": {}},
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    assert [name for name, _ in stacks_of(tmp_path)] == ["a", "bee"]
    with pytest.raises(StateError, match="tide synth"):
        stacks_of(tmp_path / "nowhere")


def test_a_wait_says_what_it_waited_for() -> None:
    with pytest.raises(WaitTimeoutError, match=r"waited 0 s for the moon; last seen: half of it. Next: tide status"):
        wait_for("the moon", lambda: None, 0.01, interval=0.001, seen=lambda: "half of it")
    assert wait_for("now", lambda: 0, 0.0) == 0


@pytest.mark.parametrize(("status", "next_step"), [(401, "with an HTTP client and a token"), (429, "wait, or raise")])
def test_a_closed_door_says_the_next_step(status: int, next_step: str) -> None:
    class Closed:
        def post(self, _body: bytes, _content_type: str) -> Answer:
            return Answer(status, b'{"message": "No"}')

    with pytest.raises(StateError, match=next_step):
        ask(Closed(), {})  # type: ignore[arg-type]  # all of the API that `ask` uses


def test_what_predict_takes(tmp_path: Path) -> None:
    data = Data.model_validate({"dataset": "d", "target": "y", "problem": "regression", "features": {"x": "numeric"}})
    (tmp_path / "rows.csv").write_text("y,x\n1,2\n")
    (tmp_path / "rows.json").write_text('[{"x": 2}]')
    assert read_instances(str(tmp_path / "rows.csv"), data) == ({"instances": [{"x": 2.0}]}, False)
    assert read_instances(str(tmp_path / "rows.json"), data) == ([{"x": 2}], False)
    assert read_instances('{"x": 2}', data) == ({"x": 2}, False)
    (tmp_path / "many.csv").write_text("x\n" + "1\n" * 1001)
    document, more = read_instances(str(tmp_path / "many.csv"), data)
    assert (len(document["instances"]), more) == (1000, True)
    for source, said in (("{x", "not JSON"), ("nowhere.csv", "no file")):
        with pytest.raises(DataError, match=said):
            read_instances(source, data)
    (tmp_path / "other.csv").write_text("y,z\n1,2\n")
    with pytest.raises(DataError, match="no column x"):
        read_instances(str(tmp_path / "other.csv"), data)


def test_labels_without_their_columns_are_refused_before_the_upload(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("inference_id,label,note\na-1,Yes,x\n")
    check_columns(path)
    path.write_text("id,label\na-1,Yes\n")
    with pytest.raises(DataError, match="has no column inference_id"):
        check_columns(path)
    with pytest.raises(DataError, match="not there"):
        check_columns(tmp_path / "nowhere.csv")
