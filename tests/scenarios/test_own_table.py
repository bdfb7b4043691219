"""A table of one's own: `tide init` reads it, and the loop turns on it; other kinds of problem, every kind of column."""

import json
import os
import random
from pathlib import Path

import pytest
from sklearn.datasets import load_diabetes, load_wine

from cli.predict import ask
from cli.project import load_project
from cli.tables import read_records
from tests.scenarios.conftest import SPEED
from tests.scenarios.loop import Loop, synthesised
from tests.scenarios.readme import on_ones_own_table, search_less
from tests.scenarios.tide import tide
from twin.server import TwinServer

pytestmark = pytest.mark.timeout(290)


def diabetes(path: Path) -> None:
    """Regression on numbers; as Parquet."""
    load_diabetes(as_frame=True).frame.to_parquet(path, index=False)


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


def test_the_loop_turns_on_a_regression(tmp_path: Path) -> None:
    diabetes(tmp_path / "table.parquet")
    done = tide(tmp_path, "init", "--data", "table.parquet", "--target", "target")
    assert done.returncode == 0, done.stderr
    search_less(tmp_path)
    project = load_project(tmp_path / "tidewheel.yaml")
    assembly = synthesised(project)
    with TwinServer(tmp_path / "twin", assembly, speed=SPEED) as twin:
        loop = Loop.deploy(twin, project, assembly)
        loop.accepted((tmp_path / "table.parquet").read_bytes(), "own.parquet")
        version = loop.version(1, "Approved")
        loop.live(1)
        rows = read_records(tmp_path / "table.parquet", project.config.data.features, 3)
        answers = [answer["prediction"] for answer in ask(loop.api(), {"instances": rows})["predictions"]]
        # From the package alone: a pipeline that is deleted takes its runs with it.
        loop.app.sagemaker.delete_pipeline(PipelineName=project.config.prefix, ClientRequestToken="0" * 32)
        again = tide(tmp_path, "reproduce", "1", "--json", "--dir", str(twin.cloud.folder))
    assert again.returncode == 0, again.stderr
    assert (json.loads(again.stdout)["grade"], json.loads(again.stdout)["archive_is_the_same"]) == ("A", True), again.stdout
    assert 0.2 <= version.metrics["r2"] <= 1.0
    assert len(answers) == 3
    assert all(25 <= answer <= 346 for answer in answers)  # the table's targets


def test_the_readme_s_demo_turns_on_every_kind_of_column(tmp_path: Path) -> None:
    init, demo = on_ones_own_table()
    wine(tmp_path / demo[demo.index("--data") + 1])
    done = tide(tmp_path, *init)
    assert done.returncode == 0, done.stderr
    search_less(tmp_path)
    done = tide(tmp_path, *demo, "--json", "demo.json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    report = json.loads((tmp_path / "demo.json").read_text())
    assert (report["ok"], report["failed_requests"], report["left_out"]) == (True, 0, [])
    versions = {version["version"]: version for version in report["versions"]}
    assert {number: version["status"] for number, version in versions.items()} == {1: "Approved", 2: "Approved", 3: "Rejected"}
    assert all(0.85 <= versions[number]["metrics"]["accuracy"] <= 1.0 for number in (1, 2))
    assert [hour["drift"] for hour in report["hours"]] == ["no_drift", "drift"]
    assert report["quality_after"] > report["hours"][1]["score"]


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
