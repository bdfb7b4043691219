"""Retraining against an account: from an alarm to a settled lock, the requests on the way, and what the ledger says afterwards.

moto ends every job and run as soon as it begins, so each look finds the end of what the look before it started.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.sagemaker.models import sagemaker_backends

from contracts.collection import Collection
from contracts.config import Config
from contracts.evaluation import GateMode
from contracts.layout import ground_truth_key, manifest_key
from contracts.ledger import Outcome, What
from contracts.manifest import ColumnSummary, DataFile, Fresh, Manifest
from contracts.metadata import ChampionReference
from contracts.pipeline import LOST
from lambdas import runtime
from lambdas.ledger import Ledger
from lambdas.start_training import handler
from lambdas.start_training.account import Labels
from lambdas.start_training.adapters import Pipeline
from tests.unit.lambdas.account import ACCOUNT, GROUP, LEDGER, METADATA, REGION, SHA256, decisions, make_client, register, serve

Client = Callable[[str], Any]
Event = dict[str, Any]
Look = Callable[[], list[str]]
HOUR = timedelta(hours=1)


def _manifest(config: Config, **changes: Any) -> Manifest:
    file = DataFile(bucket="data-bucket", key="uploads/flowers/a.csv", version_id="v", size=1, sha256=SHA256, rows=20)
    values = {"dataset": "flowers", "files": (file,), "columns": (ColumnSummary(name="petal", role="feature", missing=0),)}
    return Manifest.model_validate(values | {"contract": config.data} | changes)


def _put(manifest: Manifest) -> str:
    key = manifest_key("flowers", manifest.version)
    make_client("s3").put_object(Bucket="data-bucket", Key=key, Body=manifest.to_json().encode())
    return key


@pytest.fixture
def now() -> datetime:
    """Twenty past an hour, a week after moto, whose clock is the laptop's, made the endpoint."""
    return datetime.now(UTC).replace(minute=20, second=0, microsecond=0) + timedelta(days=7)


@pytest.fixture
def parent(account: Client, config: Config, now: datetime) -> Manifest:
    """The dataset version of a champion that is live since a week; daily windows with labels, and an alarm on drift."""
    manifest = _manifest(config)
    _put(manifest)
    account("s3").put_object(Bucket="artifacts-bucket", Key="runs/r/model/model.tar.gz", Body=b"archive")
    serve(register("Approved", METADATA | {"DatasetVersion": manifest.version}))
    for days in range(1, 6):
        account("s3").put_object(Bucket="data-bucket", Key=ground_truth_key(now - timedelta(days=days), 0, SHA256), Body=b"")
    cloudwatch = account("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=f"{GROUP}-drift",
        Namespace="Tidewheel",
        MetricName="drift",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Statistic="Maximum",
    )
    cloudwatch.set_alarm_state(AlarmName=f"{GROUP}-drift", StateValue="ALARM", StateReason="a test")
    role = f"arn:aws:iam::{ACCOUNT}:role/pipeline"
    account("sagemaker").create_pipeline(PipelineName=GROUP, PipelineDefinition="{}", RoleArn=role, ClientRequestToken="0" * 32)
    return manifest


@pytest.fixture
def look(golden: Callable[[str], Event], now: datetime, context: Any) -> Look:
    """Deliver an alarm's event, each a minute later than the one before."""
    looks = 0

    def deliver() -> list[str]:
        nonlocal looks
        time = now + timedelta(minutes=looks)
        looks += 1
        actions: list[str] = handler.handle(golden("alarm_state_changed") | {"time": time.isoformat()}, context)["actions"]
        return actions

    return deliver


def _collected(name: str, now: datetime, config: Config, parent: Manifest) -> Manifest:
    """What the collect job leaves behind when labels were enough."""
    file = DataFile(bucket="data-bucket", key=f"collected/{name}/labelled.csv", version_id="v", size=1, sha256=SHA256, rows=300)
    fresh = Fresh(rows=300, start=now - HOUR, end=now)
    manifest = _manifest(config, files=(*parent.files, file), parents=(parent.version,), fresh=fresh)
    _says(name, now, manifest_key=_put(manifest), dataset_version=manifest.version)
    return manifest


def _says(name: str, now: datetime, **values: Any) -> None:
    found = Collection(name=name, start=now, end=now, rows=300, unlabelled=0, unreadable=0, **values)
    make_client("s3").put_object(Bucket="data-bucket", Key=f"collected/{name}/collection.json", Body=found.model_dump_json().encode())


def _ledger() -> Ledger:
    return Ledger(make_client("dynamodb"), LEDGER)


def _whats() -> list[What]:
    return [decision.what for decision in decisions()]


def test_an_alarm_starts_the_collection_of_what_the_champion_has_not_seen(
    account: Client, parent: Manifest, look: Look, now: datetime
) -> None:
    assert look() == ["Begin", "Collect"]
    name = f"{now:%Y%m%d%H%M%S}"
    job = account("sagemaker").describe_processing_job(ProcessingJobName=f"{GROUP}-collect-{name}")
    assert job["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/collect"
    assert job["AppSpecification"]["ContainerEntrypoint"] == ["python", "-m", "training", "collect"]
    arguments = job["AppSpecification"]["ContainerArguments"]
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    start = account("sagemaker").describe_endpoint(EndpointName=GROUP)["CreationTime"]
    assert datetime.fromisoformat(given.pop("--start")) == start
    assert given == {
        "--name": name,
        "--captures": f"s3://artifacts-bucket/capture/{GROUP}/AllTraffic",
        "--labels": "s3://data-bucket/ground-truth",
        "--end": now.replace(minute=0).isoformat(),
        "--parent": f"s3://data-bucket/datasets/flowers/{parent.version}/manifest.json",
        "--data-bucket": "data-bucket",
        "--minimum-labels": "100",
    }
    (decision,) = decisions()
    assert (decision.what, decision.subject, decision.time) == (What.RETRAINING_STARTED, name, now)
    assert decision.why.startswith("drift since ")


def test_a_collection_is_trained_on_and_settled(account: Client, parent: Manifest, look: Look, now: datetime, config: Config) -> None:
    look()
    manifest = _collected(f"{now:%Y%m%d%H%M%S}", now, config, parent)
    assert look() == ["StartRun"]
    lock = _ledger().open_retraining()
    assert lock is not None
    assert lock.run == f"flowers-{manifest.version}"
    started = decisions()[-1]
    assert (started.what, started.subject) == (What.TRAINING_STARTED, lock.run)
    assert "with 320 rows, the last 300 of them labelled traffic from" in started.why
    assert look() == ["Settle"]
    (ended,) = _ledger().retrainings(now - HOUR)
    assert (ended.outcome, ended.ended, ended.run) == (Outcome.BETTER, now + timedelta(minutes=2), lock.run)
    assert _ledger().open_retraining() is None


def test_the_manifests_own_event_starts_the_same_run(
    account: Client, parent: Manifest, look: Look, now: datetime, config: Config, event: Callable[..., Event], context: Any
) -> None:
    look()
    manifest = _collected(f"{now:%Y%m%d%H%M%S}", now, config, parent)
    key = manifest_key("flowers", manifest.version)
    version = account("s3").head_object(Bucket="data-bucket", Key=key)["VersionId"]
    created = event("manifest_created", key=key, version_id=version) | {"time": (now + HOUR).isoformat()}
    for _ in range(2):
        handler.handle(created, context)
    assert look() == ["Settle"]
    handler.handle(created | {"time": (now + HOUR).isoformat()}, context)
    assert _whats().count(What.TRAINING_STARTED) == 1


def test_a_persons_run_on_collected_rows_is_not_the_retrainings(
    account: Client, parent: Manifest, look: Look, now: datetime, config: Config, event: Callable[..., Event], context: Any
) -> None:
    look()
    manifest = _collected(f"{now:%Y%m%d%H%M%S}", now, config, parent)
    look()
    mine = _ledger().open_retraining()
    assert mine is not None
    key = manifest_key("flowers", manifest.version)
    version = account("s3").head_object(Bucket="data-bucket", Key=key)["VersionId"]
    asked = event("manifest_created", key=key, version_id=version) | {"source": "tidewheel.cli"}
    assert handler.handle(asked, context)["run"] != mine.run
    assert _ledger().open_retraining() == mine


def test_rows_that_were_collected_under_another_name_are_trained_on_and_settled(
    parent: Manifest, look: Look, now: datetime, config: Config
) -> None:
    look()
    manifest = _collected("earlier", now, config, parent)
    _says(f"{now:%Y%m%d%H%M%S}", now, manifest_key=manifest_key("flowers", manifest.version), dataset_version=manifest.version)
    assert look() == ["StartRun"]
    assert look() == ["Settle"]
    assert _ledger().open_retraining() is None


def test_an_event_older_than_the_lock_does_not_take_it_away(
    parent: Manifest, look: Look, now: datetime, golden: Callable[[str], Event], context: Any
) -> None:
    look()
    wanted = _ledger().open_retraining()
    assert wanted is not None
    sagemaker_backends[ACCOUNT][REGION].processing_jobs.clear()  # the lock is taken, and its job is not there yet
    stale = golden("tick") | {"time": (now - timedelta(days=6)).isoformat()}
    assert handler.handle(stale, context)["actions"] == ["Collect"]
    assert _ledger().open_retraining() == wanted


@pytest.mark.parametrize("rings", [True, False])
def test_too_few_labels_are_recorded_with_their_evidence(
    account: Client, parent: Manifest, look: Look, now: datetime, capsys: pytest.CaptureFixture[str], rings: bool
) -> None:
    if not rings:
        account("cloudwatch").set_alarm_state(AlarmName=f"{GROUP}-drift", StateValue="OK", StateReason="a test")
    look()
    _says(f"{now:%Y%m%d%H%M%S}", now, why="12 labelled rows, and 100 are needed")
    assert look() == ["Settle"]
    assert ('"too_few_labels":[1.0]' in capsys.readouterr().out) is rings
    decision = decisions()[-1]
    assert (decision.what, decision.why) == (What.RETRAINING_SKIPPED, "12 labelled rows, and 100 are needed")
    assert decision.evidence[0].uri.endswith("/collection.json")
    assert _ledger().open_retraining() is None


def test_a_job_that_leaves_nothing_behind_has_failed(parent: Manifest, look: Look) -> None:
    look()
    assert look() == ["Settle"]
    assert decisions()[-1].what is What.TRAINING_FAILED
    assert "wrote no collection.json" in decisions()[-1].why


@pytest.mark.parametrize(("reason", "what"), [(f"{LOST}worse", What.CHALLENGER_LOST), ("out of memory", What.TRAINING_FAILED)])
def test_a_run_that_ends_badly_is_recorded_once_with_its_reason(
    account: Client,
    parent: Manifest,
    look: Look,
    now: datetime,
    config: Config,
    golden: Callable[[str], Event],
    context: Any,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
    what: What,
) -> None:
    look()
    run = f"flowers-{_collected(f'{now:%Y%m%d%H%M%S}', now, config, parent).version}"
    look()
    arn = _fail(monkeypatch, reason)
    account("s3").put_object(Bucket="artifacts-bucket", Key=f"runs/{run}/evaluation/evaluation.json", Body=b"{}")
    ended = golden("run_ended") | {"time": now.isoformat()}
    ended["detail"]["pipelineExecutionArn"] = arn
    assert handler.handle(ended, context)["actions"] == ["Settle"]
    handler.handle(golden("tick") | {"time": (datetime.now(UTC) + HOUR).isoformat()}, context)
    (decision,) = [each for each in decisions() if each.what is what]
    assert (decision.subject, decision.why) == (run, reason)
    assert decision.evidence[0].uri == f"s3://artifacts-bucket/runs/{run}/evaluation/evaluation.json"
    (history,) = _ledger().retrainings(now - HOUR)
    assert history.outcome is (Outcome.LOST if what is What.CHALLENGER_LOST else Outcome.FAILED)


def _fail(monkeypatch: pytest.MonkeyPatch, reason: str) -> str:
    """The newest run fails; moto knows no steps, which say why. Gives its ARN."""
    (found,) = make_client("sagemaker").list_pipeline_executions(PipelineName=GROUP)["PipelineExecutionSummaries"]
    arn = found["PipelineExecutionArn"]
    pipeline = sagemaker_backends[ACCOUNT][REGION].pipelines[GROUP]
    pipeline.pipeline_executions[arn].pipeline_execution_status = "Failed"
    monkeypatch.setattr(Pipeline, "_failure", lambda _self, _arn, _reason: reason)
    return str(arn)


def test_a_champion_whose_rows_are_gone_is_not_trained_on(account: Client, parent: Manifest, look: Look) -> None:
    account("s3").delete_object(Bucket="data-bucket", Key=manifest_key("flowers", parent.version))
    assert look() == ["Skip"]
    assert "its dataset version is gone" in decisions()[-1].why


@pytest.mark.parametrize("gone", ["archive", "package", "manifest"])
def test_a_run_that_can_never_start_is_a_failed_retraining(
    account: Client, parent: Manifest, look: Look, now: datetime, config: Config, gone: str
) -> None:
    look()
    manifest = _collected(f"{now:%Y%m%d%H%M%S}", now, config, parent)
    if gone == "archive":
        account("s3").delete_object(Bucket="artifacts-bucket", Key="runs/r/model/model.tar.gz")
    elif gone == "manifest":
        account("s3").delete_object(Bucket="data-bucket", Key=manifest_key("flowers", manifest.version))
    else:  # named by an attempt before, and removed since
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{GROUP}/9"
        champion = ChampionReference(model_package_arn=arn, artifact_sha256=SHA256).model_dump_json().encode()
        key = f"runs/flowers-{manifest.version}/champion/champion.json"
        account("s3").put_object(Bucket="artifacts-bucket", Key=key, Body=champion)
    assert look() == ["StartRun"]
    (ended,) = _ledger().retrainings(now - HOUR)
    assert (ended.outcome, ended.run) == (Outcome.FAILED, None)
    assert ended.explanation.startswith("its run cannot start: ")
    assert ("no longer in the registry" if gone == "package" else "is gone") in ended.explanation
    assert "Next: " in ended.explanation
    assert (decisions()[-1].what, decisions()[-1].why) == (What.TRAINING_FAILED, ended.explanation)
    assert _ledger().open_retraining() is None


def test_what_may_pass_is_tried_again(parent: Manifest, look: Look, now: datetime, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    look()
    _collected(f"{now:%Y%m%d%H%M%S}", now, config, parent)
    client = make_client("s3")

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "later"}}, "HeadObject")

    with monkeypatch.context() as patched, pytest.raises(ClientError, match="SlowDown"):
        patched.setattr(client, "copy", lambda *_, **__: refuse())
        look()
    assert _ledger().open_retraining() is not None
    assert look() == ["StartRun"]


def test_a_lost_event_of_a_run_that_nobody_retrained_is_made_good_by_a_tick(
    parent: Manifest, golden: Callable[[str], Event], event: Callable[..., Event], context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = manifest_key("flowers", parent.version)
    version = make_client("s3").head_object(Bucket="data-bucket", Key=key)["VersionId"]
    handler.handle(event("manifest_created", key=key, version_id=version), context)
    _fail(monkeypatch, "out of memory")
    make_client("cloudwatch").set_alarm_state(AlarmName=f"{GROUP}-drift", StateValue="OK", StateReason="a test")
    handler.handle(golden("tick") | {"time": datetime.now(UTC).isoformat()}, context)
    assert _whats().count(What.TRAINING_FAILED) == 1


@pytest.mark.parametrize(("mode", "why"), [(GateMode.DRY_RUN, "would train now"), (GateMode.DISABLED, "retraining is disabled")])
def test_a_reason_not_to_train_is_recorded_once(
    parent: Manifest, look: Look, config: Config, tmp_path: Path, mode: GateMode, why: str
) -> None:
    retraining = config.retraining.model_copy(update={"mode": mode})
    (tmp_path / "project.json").write_text(config.model_copy(update={"retraining": retraining}).model_dump_json())
    runtime.forget()
    assert look() == look() == ["Skip"]
    (decision,) = decisions()
    assert decision.what is What.RETRAINING_SKIPPED
    assert decision.why.startswith("drift since ")
    assert why in decision.why
    assert _ledger().open_retraining() is None


def test_the_ledger_says_what_a_retraining_borrows(account: Client, parent: Manifest, look: Look, now: datetime) -> None:
    for days in range(3, 6):
        account("s3").delete_object(Bucket="data-bucket", Key=ground_truth_key(now - timedelta(days=days), 0, SHA256))
    assert look() == ["Begin", "Collect"]
    assert decisions()[-1].why.endswith("; 1 window early, and the next one as many later")
    lock = _ledger().open_retraining()
    assert lock is not None
    assert (lock.borrowed, lock.rings_since is not None) == (1, True)


def test_windows_with_labels_are_counted_when_they_have_ended(account: Client, now: datetime) -> None:
    s3 = account("s3")
    for stray in ("", "2026/", "notes.txt"):  # as the console makes folders, and people leave files behind
        s3.put_object(Bucket="data-bucket", Key=f"ground-truth/{stray}", Body=b"")
    for hours in (0.1, 0.2, 3, 3.2, 5, 30):
        s3.put_object(Bucket="data-bucket", Key=ground_truth_key(now - hours * HOUR, 0, SHA256), Body=b"")
    labels = Labels(s3, "data-bucket")
    assert labels.windows(now - 20 * HOUR, now, HOUR, 9) == 2
    assert labels.windows(now - 40 * HOUR, now, HOUR, 9) == 3
    assert labels.windows(now - 40 * HOUR, now, HOUR, 2) == 2
    assert labels.windows(now - 3 * HOUR, now, HOUR, 9) == 0
    assert labels.windows(now - 40 * HOUR, now + HOUR, HOUR, 9) == 4
    assert labels.windows(now - 40 * HOUR, now + 24 * HOUR, 24 * HOUR, 9) <= 3
