"""The demo, as a user runs it: the whole loop on the twin, on a real table, in a project folder of its own."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.own_twin import fresh, only_one
from cli.project import REPOSITORY
from cli.twin_process import running_twin, start_twin
from cli.waiting import wait_for
from contracts.errors import StateError
from tests.scenarios.tide import start_tide, tide

Told = tuple[Path, subprocess.CompletedProcess[str], dict[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The demo of the example project, once for all tests: folder, what it said, and its JSON."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "tidewheel.yaml").write_text((REPOSITORY / "tidewheel.yaml").read_text())
    done = tide(folder, "demo", "--json", "demo.json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{_log(folder)}"
    return folder, done, json.loads((folder / "demo.json").read_text())


def test_no_request_fails(told: Told) -> None:
    _, done, report = told
    assert report["ok"] is True
    assert report["requests"] > 100
    assert report["failed_requests"] == 0
    assert "failed requests = 0" in done.stdout


def test_one_version_is_trained_one_retrained_and_one_thrown_back(told: Told) -> None:
    report = told[2]
    versions = {version["version"]: version for version in report["versions"]}
    assert {number: version["status"] for number, version in versions.items()} == {1: "Approved", 2: "Approved", 3: "Rejected"}
    assert versions[1]["dataset_version"] != versions[2]["dataset_version"]
    assert versions[3]["metadata"] is None
    assert all(versions[number]["metrics"]["roc_auc"] > 0.9 for number in (1, 2))
    assert report["left_out"] == []


def test_drift_is_found_where_it_is_and_the_quality_comes_back(told: Told) -> None:
    report = told[2]
    before, after = report["hours"]
    assert (before["drift"], before["quality"]["verdict"]) == ("no_drift", "held")
    assert report["false_alarms"] == []
    assert (after["drift"], after["quality"]["verdict"]) == ("drift", "fell")
    assert before["rows"] >= before["labels"] >= 100
    assert report["metric"] == "accuracy"
    assert after["score"] < before["score"] - 0.3
    assert report["quality_after"] > after["score"] + 0.3


def test_traffic_moves_to_the_better_version_in_steps_and_stays(told: Told) -> None:
    first, second = (told[2]["traffic"][f"version {number}"] for number in (1, 2))
    assert first[0] == second[-1] == 1.0
    # A canary: for a while both answer.
    assert any(0 < share < 1 for share in second)
    assert set(told[2]["traffic"]) == {"version 1", "version 2"}


def test_the_ledger_tells_the_story(told: Told) -> None:
    decisions = [decision["what"] for decision in told[2]["decisions"]]
    assert decisions.count("dataset_accepted") == decisions.count("retraining_started") == decisions.count("model_quarantined") == 1
    assert decisions.count("training_started") == decisions.count("model_approved") == 2
    assert not {"dataset_refused", "challenger_lost", "training_failed", "endpoint_held"} & set(decisions)
    assert all(decision["why"] for decision in told[2]["decisions"])
    why = {decision["what"]: decision["why"] for decision in told[2]["decisions"]}
    assert "drift since" in why["retraining_started"]
    assert "the deployment was rolled back" in why["model_quarantined"], "by the canary's alarm, and not because it never became healthy"


def test_every_phase_has_its_seconds_and_the_twin_is_gone(told: Told) -> None:
    folder, _, report = told
    assert all(phase["seconds"] >= 0 for phase in report["phases"])
    assert [phase["name"] for phase in report["phases"]][:3] == ["synthesise the app", "start the twin", "deploy the stacks"]
    assert running_twin(folder / ".tidewheel" / "demo") is None


def test_a_table_of_another_project_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "tidewheel.yaml").write_text((REPOSITORY / "tidewheel.yaml").read_text())
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    done = tide(tmp_path, "demo", "--data", "other.csv", "--json", "demo.json")
    assert done.returncode == 1
    assert "tide init --data other.csv" in done.stderr
    report = json.loads((tmp_path / "demo.json").read_text())
    assert report["ok"] is False
    assert "no column diagnosis" in report["reason"]


def _log(folder: Path) -> str:
    log = folder / ".tidewheel" / "demo" / "twin.log"
    return log.read_text()[-5000:] if log.exists() else "the twin has no log"


def test_an_interrupted_demo_takes_its_twin_along(tmp_path: Path) -> None:
    (tmp_path / "tidewheel.yaml").write_text((REPOSITORY / "tidewheel.yaml").read_text())
    folder = tmp_path / ".tidewheel" / "demo"
    child = start_tide(tmp_path, "demo", "--json", "demo.json")
    try:
        twin = wait_for("the demo's twin", lambda: running_twin(folder), 120)
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
    finally:
        child.kill()
        child.wait()
    assert not psutil.pid_exists(twin.pid)
    assert json.loads((tmp_path / "demo.json").read_text())["ok"] is False


def test_what_a_killed_demo_leaves_is_ended_by_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    twin = start_twin(folder, tmp_path / "cdk.out", 0, 60.0)
    (folder / "old.txt").write_text("old")
    with only_one(folder):
        fresh(folder)
        with pytest.raises(StateError, match="another demo runs"), only_one(folder):
            pass
    assert not psutil.pid_exists(twin.pid)
    assert list(folder.iterdir()) == []
