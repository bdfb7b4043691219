"""`tide` on a running twin, as a user meets it: up, a bad table, what the errors say, a killed twin, down."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.account import twin_account
from cli.demo.samples import write_sample_table
from cli.project import REPOSITORY
from cli.twin_process import running_twin
from tests.formats import write_folder
from tests.scenarios.tide import tide


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The example project in a folder of its own, with the app deployed into a twin on a free port."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "tidewheel.yaml").write_text((REPOSITORY / "tidewheel.yaml").read_text())
    try:
        done = tide(folder, "up", "--port", "0", "--speed", "60", "--json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert set(report["stacks"].values()) == {"created"}
        assert report["environment"]["AWS_ENDPOINT_URL"] == report["url"]
        yield folder
    finally:
        assert tide(folder, "down").returncode == 0
        assert running_twin(folder / ".tidewheel") is None


def test_an_empty_app_reads_well(project: Path) -> None:
    done = tide(project, "status", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["datasets"] == report["runs"] == report["versions"] == []
    assert report["endpoint"] is None
    assert set(report["stacks"].values()) == {"CREATE_COMPLETE"}
    assert "no dataset version yet. Next: tide data push FILE.csv" in tide(project, "status").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("predict", "{}"), "no model is deployed"),
        (("approve", "1"), "there is no version 1"),
        (("reject", "1"), "there is no version 1"),
        (("why", "1"), "there is no version 1"),
        (("rollback",), "no version is live"),
        (("timeline", "--since", "soon"), "soon is no time"),
        (("train",), "there is no dataset version yet"),
        (("train", "--dataset-version", "abc"), "there is no dataset version abc"),
        (("data", "push", "nowhere.csv"), "nowhere.csv is not there"),
    ],
)
def test_what_cannot_be_done_yet_says_the_next_step(project: Path, arguments: tuple[str, ...], said: str) -> None:
    done = tide(project, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Next: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_table_is_refused_with_every_reason(project: Path) -> None:
    table = project / "bad.csv"
    write_sample_table("breast_cancer", "diagnosis", table)
    lines = table.read_text().splitlines()
    header = lines[0].replace("mean_radius", "mean_radios")
    table.write_text("\n".join([header, lines[1].replace("malignant", ""), *lines[2:]]))
    done = tide(project, "data", "push", str(table))
    assert done.returncode == 1
    assert "was refused" in done.stderr
    assert "mean_radius" in done.stderr
    assert "Next: mend the table" in done.stderr
    assert json.loads(tide(project, "status", "--json").stdout)["datasets"] == []


def test_what_a_person_starts_happens_at_the_twins_time(project: Path) -> None:
    twin = running_twin(project / ".tidewheel")
    assert twin is not None
    account = twin_account(twin.url, twin.region)
    real, begin = time.monotonic(), account.now()  # the clock is asked within what is measured, however slow the machine
    time.sleep(0.2)
    assert (account.now() - begin).total_seconds() >= 0.9 * twin.speed * 0.2
    assert (account.now() - begin).total_seconds() <= 1.1 * twin.speed * (time.monotonic() - real)


def test_up_again_changes_nothing(project: Path) -> None:
    before = running_twin(project / ".tidewheel")
    done = tide(project, "up", "--port", "0", "--json")
    assert done.returncode == 0, done.stderr
    assert "running already" in done.stderr
    assert set(json.loads(done.stdout)["stacks"].values()) == {"unchanged"}
    assert running_twin(project / ".tidewheel") == before


def test_the_same_rows_are_one_dataset_version(project: Path) -> None:
    """A table in three files, each in another format."""
    table = project / "good.csv"
    write_sample_table("breast_cancer", "diagnosis", table)
    folder = write_folder(table.read_text(), project / "good")
    first, again = (tide(project, "data", "push", str(folder), "--json") for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert (json.loads(first.stdout)["new"], json.loads(again.stdout)["new"]) == (True, False)
    assert json.loads(again.stdout)["sent_bytes"] == 0
    assert "is there already" in again.stderr
    shown = json.loads(tide(project, "data", "show", "--json").stdout)
    assert [file["path"] for file in shown["files"]] == ["part-1.csv.gz", "part-2.jsonl", "part-3.parquet"]
    assert shown["rows"] == json.loads(first.stdout)["rows"] == 569
    assert json.loads(first.stdout)["dataset_version"] == json.loads(again.stdout)["dataset_version"]
    assert "training starts by itself" in first.stderr
    assert "training starts by itself" not in again.stderr
    assert "Next: tide train" in again.stderr


def test_a_killed_twin_is_recognised_and_replaced(project: Path) -> None:
    before = running_twin(project / ".tidewheel")
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    done = tide(project, "status")
    assert done.returncode == 1
    assert "No twin is running here. Next: tide up" in done.stderr
    again = tide(project, "up", "--port", "0")
    assert again.returncode == 0, again.stderr
    after = running_twin(project / ".tidewheel")
    assert after is not None
    assert after.pid != before.pid
