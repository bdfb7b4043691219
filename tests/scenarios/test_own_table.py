"""A table of one's own: `tide init` reads it, `tide demo` takes it through the loop; each kind of problem, every kind of column."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.datasets import load_diabetes, load_wine

from tests.scenarios.readme import on_ones_own_table, search_less
from tests.scenarios.tide import tide

pytestmark = pytest.mark.timeout(290)


def diabetes(path: Path) -> None:
    """Regression on numbers."""
    load_diabetes(as_frame=True).frame.to_csv(path, index=False)


def wine(path: Path) -> None:
    """Three classes; with a category, a flag, a date, and holes; and with the columns that the README's commands name."""
    generator = random.Random(3)
    frame = load_wine(as_frame=True).frame.sample(frac=1, random_state=3)
    frame["churned"] = frame.pop("target").map({0: "to barolo", 1: "to grignolino", 2: "no"})
    frame["customer_id"] = [f"c{number}" for number in range(len(frame))]
    frame["cellar"] = [generator.choice(["north", "south", "Östlich, unten"]) for _ in range(len(frame))]
    frame["organic"] = [generator.choice(["yes", "no", ""]) for _ in range(len(frame))]
    frame["bottled"] = [f"202{generator.randint(0, 5)}-0{generator.randint(1, 9)}-1{generator.randint(0, 9)}" for _ in range(len(frame))]
    frame.loc[frame.index[::7], "alcohol"] = None
    frame.to_csv(path, index=False)


BROKEN = "approve a broken version by hand"
Commands = tuple[list[str], list[str]]
OWN: Commands = (["init", "--data", "table.csv", "--target", "target"], ["demo", "--data", "table.csv"])


@pytest.mark.parametrize(
    ("write", "commands", "metric", "at_least", "at_most", "left_out"),
    [(diabetes, OWN, "r2", 0.2, 1.0, [BROKEN]), (wine, on_ones_own_table(), "accuracy", 0.85, 1.0, [])],
    ids=["regression", "multiclass, as the README says"],
)
def test_the_loop_turns_on_it(
    tmp_path: Path, write: Callable[[Path], None], commands: Commands, metric: str, at_least: float, at_most: float, left_out: list[str]
) -> None:
    init, demo = commands
    write(tmp_path / demo[demo.index("--data") + 1])
    done = tide(tmp_path, *init)
    assert done.returncode == 0, done.stderr
    search_less(tmp_path)
    done = tide(tmp_path, *demo, "--json", "demo.json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    report = json.loads((tmp_path / "demo.json").read_text())
    assert (report["ok"], report["failed_requests"]) == (True, 0)
    assert [each["phase"] for each in report["left_out"]] == left_out
    thrown_back = {} if left_out else {3: "Rejected"}
    assert {version["version"]: version["status"] for version in report["versions"]} == {1: "Approved", 2: "Approved"} | thrown_back
    assert all(at_least <= version["metrics"][metric] <= at_most for version in report["versions"] if version["version"] in {1, 2})
    assert [hour["drift"] for hour in report["hours"]] == ["no_drift", "drift"]
    better = min if report["metric"] == "rmse" else max
    assert better(report["quality_after"], report["hours"][1]["score"]) == report["quality_after"]


def test_the_loop_turns_on_telco_churn(tmp_path: Path) -> None:
    folder = os.environ.get("TIDEWHEEL_SHARED_DATA")
    if folder is None or not (Path(folder) / "telco-churn.csv").is_file():
        pytest.skip("TIDEWHEEL_SHARED_DATA does not name a folder with telco-churn.csv")
    table = str((Path(folder) / "telco-churn.csv").resolve())
    done = tide(tmp_path, "init", "--data", table, "--target", "Churn", "--id", "customerID")
    assert done.returncode == 0, done.stderr
    done = tide(tmp_path, "demo", "--data", table, "--json", "demo.json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    report = json.loads((tmp_path / "demo.json").read_text())
    assert all(version["metrics"]["roc_auc"] >= 0.8 for version in report["versions"] if version["metrics"])
    assert {version["version"]: version["status"] for version in report["versions"]} == {1: "Approved", 2: "Approved", 3: "Rejected"}
