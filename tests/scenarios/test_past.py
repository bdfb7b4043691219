"""What led to a version, what was live when, and the way back, through tide why, timeline and rollback, as the days of an app go by."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.datasets import pruning
from cli.main import application
from contracts.errors import StateError
from tests.scenarios.loop import Loop, table

pytestmark = pytest.mark.timeout(280)


def tide(loop: Loop, *arguments: str) -> Result:
    place = ["--config", str(loop.app.project.folder / "tidewheel.yaml"), "--dir", str(loop.twin.cloud.folder)]
    return CliRunner().invoke(application, [*arguments, *place])


def told(loop: Loop, *arguments: str) -> dict[str, Any]:
    result = tide(loop, *arguments, "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def refused(loop: Loop, *arguments: str) -> str:
    result = tide(loop, *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, StateError)
    assert "Next: " in str(result.exception)
    return str(result.exception)


def test_before_anything_happened(loop: Loop) -> None:
    assert "nothing was decided yet. Next: tide data push FILE.csv" in tide(loop, "timeline").stdout
    assert told(loop, "timeline") == {"ok": True, "since": None, "decisions": [], "live": []}
    assert "there is no version 1" in refused(loop, "why", "1")
    assert "no version is live" in refused(loop, "rollback")


def test_the_first_version_says_where_it_came_from(loop: Loop) -> None:
    manifest = loop.accepted(table(300))
    loop.version(1, "Approved")
    loop.live(1)
    story = told(loop, "why", "1")
    assert (story["status"], story["decided_by"]) == ("Approved", "approve_model")
    assert (story["dataset"]["version"], story["dataset"]["rows"], story["dataset"]["fresh"]) == (manifest.version, 300, None)
    assert (story["run"]["status"], story["run"]["started_by"]) == ("Succeeded", "upload")
    assert story["evaluation"]["champion"] is None
    # A tick that fired before the approval may be what starts the deployment after it, and decisions have the time of their event.
    assert {each["what"] for each in story["decisions"]} == {
        "dataset_accepted",
        "training_started",
        "model_approved",
        "deployment_started",
        "deployment_finished",
    }
    assert [period["end"] for period in story["live"]] == [None]
    assert story["gaps"] == []
    digests = {each["uri"].rpartition("/")[2]: each["sha256"] for each in story["evidence"]}
    assert digests["table.csv"] == manifest.files[0].sha256
    assert all(len(digests[name]) == 64 for name in ("manifest.json", "evaluation.json"))
    assert "model.tar.gz" in digests
    assert "no version below 1 is approved" in refused(loop, "rollback")


def test_a_second_version_names_its_rival_and_a_rollback_brings_the_first_back(loop: Loop) -> None:
    loop.accepted(table(400, seed=1), "second.csv")
    loop.version(2, "Approved")
    loop.live(2)
    words = tide(loop, "why", "2").stdout
    assert "champion (version 1)" in words
    assert "passed its gate" in words
    back = told(loop, "rollback", "--why", "the second is too sure of itself")
    assert back == {"ok": True, "from": 2, "to": 1, "rejected": [2], "live": 1}
    story = told(loop, "why", "2")
    assert (story["status"], story["decided_by"], story["why"]) == ("Rejected", "a person", "the second is too sure of itself")
    assert [period["end"] is None for period in story["live"]] == [False]
    assert [period["version"] for period in told(loop, "timeline")["live"]] == [1, 2, 1]
    assert "no version below 1 is approved" in refused(loop, "rollback")
    assert "version 2 is not below version 1" in refused(loop, "rollback", "--to", "2")


def test_the_timeline_begins_where_it_is_told_to(loop: Loop) -> None:
    everything = told(loop, "timeline")["decisions"]
    moment = everything[3]["time"]  # a second, in which more than one may have been taken
    later = told(loop, "timeline", "--since", moment)["decisions"]
    assert everything[0] not in later
    assert later == [decision for decision in everything if decision["time"] >= moment]
    nothing = tide(loop, "timeline", "--since", "2100-01-01")
    assert "version 1" in nothing.stdout
    assert "dataset_accepted" not in nothing.stdout
    assert "--since noon is no time" in refused(loop, "timeline", "--since", "noon")


def test_a_person_starts_a_run_and_registers_by_hand(loop: Loop) -> None:
    tide(loop, "train", "--json")
    loop.version(3, "Approved")
    loop.live(3)
    assert told(loop, "why", "3")["run"]["started_by"] == "person"
    described = loop.app.sagemaker.describe_model_package(ModelPackageName=loop.app.version(3).arn)
    loop.app.sagemaker.create_model_package(
        ModelPackageGroupName=loop.app.prefix,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification=described["InferenceSpecification"],
    )
    story = told(loop, "why", "4")
    assert (story["decided_by"], story["dataset"], story["run"], story["live"]) == ("nobody yet", None, None, [])
    assert len(story["gaps"]) == 2
    assert "missing" in tide(loop, "why", "4").stdout


def rings(loop: Loop) -> bool:
    """Whether the alarm on the endpoint's errors does."""
    (alarm,) = loop.app.cloudwatch.describe_alarms(AlarmNames=[f"{loop.app.prefix}-5xx"])["MetricAlarms"]
    return bool(alarm["StateValue"] == "ALARM")


@contextmanager
def errors(loop: Loop) -> Iterator[None]:
    """The endpoint answers with 5xx, as far as its metrics say, and so the alarm fires."""
    name, stop = loop.app.prefix, threading.Event()

    def measure() -> None:
        while not stop.wait(0.05):
            place = {"EndpointName": name, "VariantName": "AllTraffic"}
            loop.twin.cloud.measure("AWS/SageMaker", "Invocation5XXErrors", place, 1, unit="None")

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        loop.until("the alarm", lambda: rings(loop) or None)
        yield
    finally:
        stop.set()
        thread.join()


def test_under_an_alarm_a_new_version_waits_and_a_rollback_does_not(loop: Loop) -> None:
    with errors(loop):
        loop.approve(4)
        # Its event, and what the reconciler makes of it. A tick would leave the alarm without data for a moment, and so let it go.
        time.sleep(2)
        back = told(loop, "rollback", "--to", "1", "--why", "it answers with errors")
        assert (back["from"], back["to"], back["rejected"], back["live"]) == (3, 1, [4, 3], 1)
        started = [each for each in loop.app.decisions() if each.what == "deployment_started"]
        assert not any(each.subject.endswith("/4") for each in started)
        assert "model_quarantined" not in loop.decisions()


def test_a_configuration_that_is_thrown_back_is_held_and_no_version_blamed(loop: Loop) -> None:
    cloudformation, name = loop.app.cloudformation, f"{loop.app.prefix}-endpoint"
    template = cloudformation.get_template(StackName=name)["TemplateBody"]
    changed = json.loads(json.dumps(template))
    (config,) = (each for each in changed["Resources"].values() if each["Type"] == "AWS::SageMaker::EndpointConfig")
    config["Properties"]["ProductionVariants"][0]["InitialVariantWeight"] = 2
    kept = [{"ParameterKey": "ModelPackageArn", "UsePreviousValue": True}, {"ParameterKey": "RollbackAlarms", "ParameterValue": "on"}]

    def deploy(body: Any) -> None:
        cloudformation.update_stack(StackName=name, TemplateBody=json.dumps(body), Parameters=kept, Capabilities=["CAPABILITY_NAMED_IAM"])

    with errors(loop):
        deploy(changed)
        held = loop.until("the hold", loop.app.ledger.held)
    assert "the endpoint runs an older configuration" in held.why
    assert told(loop, "status")["held"] == held.why
    assert "model_quarantined" not in loop.decisions()
    assert loop.decisions()[-1] == "endpoint_held"
    loop.until("the alarm to end", lambda: not rings(loop) or None)  # it would throw the next configuration back too
    deploy(template)
    loop.until("the hold to end", lambda: loop.app.ledger.held() is None or None)
    loop.live(1)


def test_the_lineage_leads_from_data_to_endpoint_and_back(loop: Loop, tmp_path: Path) -> None:
    picture = tmp_path / "lineage.svg"
    whole = told(loop, "lineage", "1", "--picture", str(picture))
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for node in whole["nodes"]:
        by_kind.setdefault(node["kind"], []).append(node)
    assert [node["name"] for node in by_kind["model"]] == ["1"]
    assert {"dataset", "run", "model", "live"} == set(by_kind)
    dataset, run = by_kind["dataset"][0]["id"], by_kind["run"][0]["id"]
    assert [dataset, run] in whole["edges"] and [run, "model:1"] in whole["edges"] and ["model:1", "live:1.1"] in whole["edges"]
    assert told(loop, "lineage", by_kind["dataset"][0]["name"][:6])["id"] == dataset
    assert picture.read_text().startswith("<svg")
    assert told(loop, "lineage", "--sagemaker")["sagemaker"] == {"added": [], "there": [], "unread": []}
    assert "nothing is called nowhere" in refused(loop, "lineage", "nowhere")


def test_only_what_was_registered_is_made_again(loop: Loop) -> None:
    assert "there is no version 99" in refused(loop, "reproduce", "99")


def test_files_are_pushed_compared_checked_out_and_verified(loop: Loop, tmp_path: Path) -> None:
    source = tmp_path / "images"
    (source / "cats").mkdir(parents=True)
    (source / "cats" / "1.png").write_bytes(b"cat")
    (source / "dog.png").write_bytes(b"dog")
    first = told(loop, "data", "push", str(source), "--name", "images")
    assert (first["new"], first["sent_files"]) == (True, 2)
    assert told(loop, "data", "push", str(source), "--name", "images")["new"] is False
    (source / "dog.png").rename(source / "wolf.png")
    (source / "cats" / "1.png").write_bytes(b"tiger")
    second = told(loop, "data", "push", str(source), "--name", "images")
    assert second["sent_files"] == 1
    found = told(loop, "data", "diff", first["version"], second["version"], "--name", "images")
    assert (found["moved"], found["changed"], found["added"], found["removed"]) == ([["dog.png", "wolf.png"]], ["cats/1.png"], [], [])
    folder = tmp_path / "out"
    told(loop, "data", "checkout", first["version"], "--name", "images", "--to", str(folder))
    assert (folder / "cats" / "1.png").read_bytes() == b"cat"
    told(loop, "data", "pull", "--name", "images", "--to", str(folder))
    assert sorted(path.name for path in folder.rglob("*.png")) == ["1.png", "wolf.png"]
    assert told(loop, "data", "verify", "--name", "images")["damaged"] == {}
    names = {each["dataset"] for each in told(loop, "data", "list")["versions"]}
    assert names == {"images", "tides"}
    shown = told(loop, "data", "show", "--name", "tides")
    assert shown["rows"] and {each["name"] for each in shown["columns"]} >= {"height", "swims"}
    assert loop.decisions().count("dataset_accepted") == len(told(loop, "data", "list", "--name", "tides")["versions"])


def test_damage_is_found_and_what_a_model_names_is_never_pruned(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = told(loop, "data", "show", "--name", "images")
    first = tree["files"][0]
    loop.app.s3.delete_object(Bucket=loop.app.data_bucket, Key=first["key"], VersionId=first["version_id"])
    result = tide(loop, "data", "verify", "--name", "images")
    assert result.exit_code == 1
    assert first["path"] in result.stdout
    monkeypatch.setattr(pruning, "SAFE", timedelta(0))
    named = {version.dataset_version for version in loop.app.versions() if version.dataset_version}
    pruned = told(loop, "data", "prune", "--keep", "1", "--yes")
    left = {each["version"] for each in told(loop, "data", "list", "--name", "tides")["versions"]}
    assert named <= left
    assert not set(pruned["versions"]) & left
    for version in left:
        assert told(loop, "data", "verify", version, "--name", "tides")["damaged"] == {}
    gone = told(loop, "data", "prune", "--keep", "1", "--yes", "--name", "images")
    assert len(gone["versions"]) == 1
    assert len(told(loop, "data", "list", "--name", "images")["versions"]) == 1
