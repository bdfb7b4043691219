"""start_training against an account: one run a cause, with the champion that was live first."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto.sagemaker.responses import SageMakerResponse

from contracts.config import Config
from contracts.errors import DataError
from contracts.layout import manifest_key
from contracts.ledger import What
from contracts.manifest import ColumnSummary, DataFile, Fresh, Manifest
from contracts.metadata import ChampionReference
from lambdas.start_training import handler
from tests.unit.lambdas.account import ACCOUNT, GROUP, METADATA, SHA256, decisions, make_client, register, serve

Client = Callable[[str], Any]
Started = list[dict[str, Any]]
Event = dict[str, Any]


@pytest.fixture
def manifest(config: Config) -> Manifest:
    file = DataFile(bucket="data-bucket", key="uploads/flowers/a.csv", version_id="v", size=1, sha256=SHA256, rows=20)
    return Manifest(
        dataset="flowers", files=(file,), columns=(ColumnSummary(name="petal", role="feature", missing=0),), contract=config.data
    )


@pytest.fixture
def started(account: Client, monkeypatch: pytest.MonkeyPatch) -> Started:
    """The requests that reach StartPipelineExecution."""
    account("sagemaker").create_pipeline(
        PipelineName=GROUP, PipelineDefinition="{}", RoleArn=f"arn:aws:iam::{ACCOUNT}:role/pipeline", ClientRequestToken="0" * 32
    )
    requests: Started = []
    original = SageMakerResponse.start_pipeline_execution

    def record(self: Any) -> Any:
        requests.append(json.loads(self.body))
        return original(self)

    monkeypatch.setattr(SageMakerResponse, "start_pipeline_execution", record)
    return requests


@pytest.fixture
def created(account: Client, event: Callable[..., Event], manifest: Manifest) -> Event:
    """The event of the manifest's creation."""
    key = manifest_key("flowers", manifest.version)
    reply = account("s3").put_object(Bucket="data-bucket", Key=key, Body=manifest.to_json().encode())
    return event("manifest_created", key=key, version_id=reply["VersionId"])


def _champion(account: Client, run: str) -> ChampionReference:
    body = account("s3").get_object(Bucket="artifacts-bucket", Key=f"runs/{run}/champion/champion.json")["Body"].read()
    return ChampionReference.model_validate_json(body)


def _live(body: bytes) -> str:
    """A package that is live, and its archive."""
    arn = register("Approved")
    make_client("s3").put_object(Bucket="artifacts-bucket", Key="runs/r/model/model.tar.gz", Body=body)
    serve(arn)
    return arn


def test_the_first_version_is_trained_without_a_champion(
    account: Client, started: Started, created: Event, manifest: Manifest, context: Any
) -> None:
    run = f"flowers-{manifest.version}"
    result = handler.handle(created, context)
    assert result["run"] == run
    assert ":pipeline/" in result["execution_arn"]
    (request,) = started
    assert request["PipelineExecutionDisplayName"] == run
    assert {item["Name"]: item["Value"] for item in request["PipelineParameters"]} == {
        "Run": run,
        "RunUri": f"s3://artifacts-bucket/runs/{run}",
        "ManifestUri": f"s3://data-bucket/datasets/flowers/{manifest.version}/manifest.json",
        "DatasetVersion": manifest.version,
        "GitCommit": "0123456789abcdef",
    }
    assert _champion(account, run) == ChampionReference()
    (decision,) = decisions()
    assert (decision.what, decision.subject) == (What.TRAINING_STARTED, run)
    assert decision.why == f"dataset version {manifest.version} with 20 rows; there is no champion yet"


def test_the_live_model_is_the_champion(account: Client, started: Started, created: Event, manifest: Manifest, context: Any) -> None:
    arn = _live(b"archive")
    run = handler.handle(created, context)["run"]
    assert _champion(account, run) == ChampionReference(model_package_arn=arn, artifact_sha256=SHA256)
    copied = account("s3").get_object(Bucket="artifacts-bucket", Key=f"runs/{run}/champion/model.tar.gz")["Body"].read()
    assert copied == b"archive"


def test_a_live_model_that_left_the_registry_is_no_champion(account: Client, started: Started, created: Event, context: Any) -> None:
    serve("arn:aws:sagemaker:us-east-1:123456789012:model-package/flowers-dev/9")
    run = handler.handle(created, context)["run"]
    assert _champion(account, run) == ChampionReference()
    assert len(started) == 1


def test_the_same_event_again_is_the_same_run_with_the_same_champion(
    account: Client, started: Started, created: Event, manifest: Manifest, context: Any
) -> None:
    handler.handle(created, context)
    _live(b"live since then")
    run = handler.handle(created, context)["run"]
    assert _champion(account, run) == ChampionReference()
    files = account("s3").list_objects_v2(Bucket="artifacts-bucket", Prefix=f"runs/{run}/champion/")["Contents"]
    assert [file["Key"].rsplit("/", 1)[1] for file in files] == ["champion.json"]
    first, second = started
    assert first == second
    assert 32 <= len(first["ClientRequestToken"]) <= 128
    assert len(decisions()) == 1


def test_a_run_on_fresh_rows_asks_the_former_champions_too(
    account: Client,
    started: Started,
    event: Callable[..., Event],
    manifest: Manifest,
    context: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digests = [f"{number:064x}" for number in range(8)]
    versions = [register("Approved", METADATA | {"ArtifactSha256": digest}) for digest in digests]
    describe = make_client("sagemaker").describe_model_package

    def moved(ModelPackageName: str) -> Any:  # noqa: N803 - AWS's name
        found = describe(ModelPackageName=ModelPackageName)
        if ModelPackageName == versions[5]:
            found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] = "s3://artifacts-bucket/runs/gone/model/model.tar.gz"
        return found

    monkeypatch.setattr(make_client("sagemaker"), "describe_model_package", moved)
    register("Rejected", METADATA | {"ArtifactSha256": "f" * 64})
    register("Approved", {})  # made by hand
    make_client("s3").put_object(Bucket="artifacts-bucket", Key="runs/r/model/model.tar.gz", Body=b"archive")
    serve(versions[-1])
    start = datetime(2026, 11, 20, 10, tzinfo=UTC)
    fresh = manifest.model_copy(update={"fresh": Fresh(rows=5, start=start, end=start + timedelta(hours=1))})
    key = manifest_key("flowers", fresh.version)
    reply = account("s3").put_object(Bucket="data-bucket", Key=key, Body=fresh.to_json().encode())
    run = handler.handle(event("manifest_created", key=key, version_id=reply["VersionId"]), context)["run"]
    champion = _champion(account, run)
    assert champion.model_package_arn == versions[-1]
    # The first and the newest ones, of which one was made by hand, and one has lost its archive.
    assert [former.artifact_sha256 for former in champion.formers] == [digests[0], digests[4], digests[6]]
    assert decisions()[-1].why.endswith("the champion is version 8, without version 6, whose archive is gone")
    files = account("s3").list_objects_v2(Bucket="artifacts-bucket", Prefix=f"runs/{run}/champion/former-")["Contents"]
    assert [file["Key"].rsplit("/", 2)[1] for file in files] == ["former-1", "former-2", "former-3"]


def test_another_cause_is_another_run(account: Client, started: Started, created: Event, manifest: Manifest, context: Any) -> None:
    run = handler.handle(created, context)["run"]
    by_a_person = created | {"source": "tidewheel.cli", "id": "person-1"}
    other = handler.handle(by_a_person, context)["run"]
    assert handler.handle(by_a_person, context)["run"] == other
    assert other.startswith(f"{run}-")
    assert len({request["ClientRequestToken"] for request in started}) == 2


@pytest.mark.filterwarnings("ignore:No application metrics")  # a start that fails counts nothing; its error is counted by Lambda
@pytest.mark.parametrize("case", ["changed", "another dataset", "no manifest", "another key"])
def test_what_is_not_the_manifest_that_it_says_starts_nothing(
    account: Client, started: Started, event: Callable[..., Event], manifest: Manifest, context: Any, case: str
) -> None:
    key = manifest_key("flowers", manifest.version)
    content = manifest
    if case == "changed":
        content = manifest.model_copy(update={"parents": ("somebody",)})
    if case == "another dataset":
        content = manifest.model_copy(update={"dataset": "trees"})
        key = manifest_key("trees", content.version)
    key = "datasets/flowers/manifest.json" if case == "another key" else key
    body = b"{}" if case == "no manifest" else content.to_json().encode()
    version = account("s3").put_object(Bucket="data-bucket", Key=key, Body=body)["VersionId"]
    with pytest.raises(DataError):
        handler.handle(event("manifest_created", key=key, version_id=version), context)
    assert started == []
    assert decisions() == []
