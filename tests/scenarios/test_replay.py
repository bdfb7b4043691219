"""`tide replay`, as a user runs it: a table with a planted change, in a project folder of its own."""

import json
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.twin_process import running_twin
from cli.waiting import wait_for
from tests.scenarios.tide import start_tide, tide

pytestmark = pytest.mark.timeout(290)

TRAIN, WINDOW, STEADY, CHANGED = 400, 120, 2, 4
"""Rows of the first model and of a window; windows before and after the change."""

CONFIG = """
project: tides
data:
  dataset: tides
  target: swims
  problem: binary
  positive: "yes"
  features: {height: numeric, wind: numeric, moon: categorical}
training: {candidates: 1, folds: 2}
serving: {instance_count: 1, rollout: {type: all_at_once, termination_wait_seconds: 0}}
"""


def write_table(path: Path) -> None:
    """Rows in time order, but for the file, which is shuffled. At the change another gauge is read, with a new zero, and a new almanac."""
    generator = random.Random(1)
    lines = []
    for number in range(TRAIN + WINDOW * (STEADY + CHANGED)):
        changed = number >= TRAIN + WINDOW * STEADY
        level, wind = generator.gauss(0, 1), generator.gauss(0, 1)
        moon = generator.choice(["dark", "growing", "whole"] if changed else ["new", "half", "full"])
        swims = level - 2 * wind + generator.gauss(0, 0.3) > 0
        lines.append(f"{number},{level + 4 if changed else level:.4f},{wind:.4f},{moon},{'yes' if swims else 'no'}")
    generator.shuffle(lines)
    path.write_text("\n".join(["minute,height,wind,moon,swims", *lines]) + "\n")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """One replay for all tests: what it said, and its JSON."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "tidewheel.yaml").write_text(CONFIG)
    write_table(folder / "tides.csv")
    sizes = ["--train-rows", str(TRAIN), "--window-rows", str(WINDOW)]
    done = tide(folder, "replay", "--data", "tides.csv", "--order-by", "minute", *sizes, "--json", "replay.json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert running_twin(folder / ".tidewheel" / "replay") is None
    assert "<svg" in (folder / ".tidewheel" / "replay" / "report.html").read_text()
    return done, json.loads((folder / "replay.json").read_text())


Replayed = tuple[subprocess.CompletedProcess[str], dict[str, Any]]


def test_every_row_is_answered_and_scored(replayed: Replayed) -> None:
    report = replayed[1]
    assert (report["ok"], report["failed_requests"], report["metric"]) == (True, 0, "accuracy")
    assert report["rows"] == report["scored_rows"] == WINDOW * (STEADY + CHANGED)
    assert [window["rows"] for window in report["windows"]] == [WINDOW] * (STEADY + CHANGED)
    # Hour by hour, without a gap; every label but those of the last window has come.
    assert [window["start"] for window in report["windows"][1:]] == [window["end"] for window in report["windows"][:-1]]
    assert report["labels"] == WINDOW * (STEADY + CHANGED - 1)


def test_before_the_change_there_is_no_alarm_and_after_it_one_within_two_windows(replayed: Replayed) -> None:
    windows = replayed[1]["windows"]
    assert [window["alarms"] for window in windows[:STEADY]] == [[]] * STEADY
    assert windows[STEADY]["drift"] == "drift"
    assert "height" in windows[STEADY]["drifted"]
    assert "drift" in windows[STEADY + 1]["alarms"]
    assert (replayed[1]["false_alarms"], replayed[1]["detection_delay"]) == (0, 1)


def test_retraining_beats_not_retraining(replayed: Replayed) -> None:
    done, report = replayed
    windows = report["windows"]
    assert report["retrainings"] >= 1
    assert {window["version"] for window in windows[: STEADY + 1]} == {1}
    assert windows[-1]["version"] > 1
    assert windows[-1]["score"] > windows[-1]["score_without_retraining"] + 0.1
    assert report["score"] > report["score_without_retraining"]
    assert " gained +" in done.stdout
    what = [decision["what"] for window in windows for decision in window["decisions"]]
    assert what.index("retraining_started") < what.index("model_approved") < what.index("deployment_finished")


def test_the_alarm_does_not_wait_for_the_cooldown_that_labels_began(replayed: Replayed) -> None:
    """The labels of the two steady windows asked for the first retraining; the next would need four more than came."""
    first, second = (
        decision["why"] for window in replayed[1]["windows"] for decision in window["decisions"] if decision["what"] == "retraining_started"
    )
    assert first.startswith("labels came in 2 windows")
    assert second.startswith("drift since")
    assert "2 windows early, and the next one as many later" in second


def test_an_interrupted_replay_ends_its_twin_and_says_so(tmp_path: Path) -> None:
    write_table(tmp_path / "tides.csv")
    (tmp_path / "tidewheel.yaml").write_text(CONFIG)
    replay = start_tide(tmp_path, "replay", "--data", "tides.csv", "--json", "replay.json")
    folder = tmp_path / ".tidewheel" / "replay"
    wait_for("its twin", lambda: running_twin(folder), 120)
    replay.send_signal(signal.SIGINT)
    assert replay.wait(60) == 130
    assert running_twin(folder) is None
    report = json.loads((tmp_path / "replay.json").read_text())
    assert (report["ok"], report["reason"], report["windows"]) == (False, "interrupted", [])
