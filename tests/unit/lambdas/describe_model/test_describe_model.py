"""describe_model: what is live, from endpoint, registry and reports; and what it says when something of that is missing."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto.sagemaker.models import sagemaker_backends
from openapi_spec_validator import OpenAPIV31SpecValidator

from contracts.config import Config
from contracts.evaluation import Evaluation, Gate, GateMode, Metric, Problem
from contracts.live_model import LiveModel
from contracts.signature import Signature
from lambdas.describe_model import handler
from lambdas.describe_model.handler import KEPT_SECONDS, Kept
from tests.unit.lambdas.account import ACCOUNT, REGION, SHA256, register, serve

Client = Callable[[str], Any]
FOLDER = "runs/flowers-1/evaluation/"
URI = f"s3://artifacts-bucket/{FOLDER}evaluation.json"
REPORT = Evaluation(
    problem=Problem.BINARY,
    metric=Metric.ROC_AUC,
    metrics={Metric.ROC_AUC: 0.95},
    baseline={Metric.ROC_AUC: 0.5},
    gate=Gate(passed=True, mode=GateMode.ENABLED),
    dataset_version="0123456789abcdef",
    rows=70,
    artifact_sha256=SHA256,
)


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is kept from one test to the next."""
    monkeypatch.setattr(handler, "kept", Kept(handler.read, iter(range(0, 10**6, 100)).__next__))
    yield


def ask(route: str, context: Any) -> tuple[int, Any]:
    event = {"routeKey": route, "requestContext": {"requestId": "r-1", "domainName": "abc.example.com"}}
    reply = handler.handle(event, context)
    return reply["statusCode"], json.loads(reply["body"])


def put(account: Client, name: str, content: str) -> None:
    account("s3").put_object(Bucket="artifacts-bucket", Key=FOLDER + name, Body=content.encode())


def test_the_live_version_is_told_whole(account: Client, config: Config, context: Any) -> None:
    put(account, "evaluation.json", REPORT.model_dump_json())
    put(account, "signature.json", Signature.of(config.data, ("lily", "rose")).model_dump_json())
    serve(register("Approved", evaluation_uri=URI))
    status, told = ask("GET /model", context)
    assert status == 200
    model = LiveModel.model_validate(told)
    assert (model.name, model.version, model.status, model.approval) == ("flowers-dev", 1, "InService", "Approved")
    assert (model.dataset_version, model.artifact_sha256, model.metric) == ("0123456789abcdef", SHA256, Metric.ROC_AUC)
    assert (model.metrics, model.holdout_rows, model.notes) == ({Metric.ROC_AUC: 0.95}, 70, ())
    assert model.since is not None
    assert model.signature == Signature.of(config.data, ("lily", "rose"))
    status, described = ask("GET /openapi.json", context)
    OpenAPIV31SpecValidator(described).validate()
    assert (status, described["info"]["version"], described["servers"]) == (200, "1", [{"url": "https://abc.example.com"}])
    assert described["components"]["schemas"]["Prediction"]["properties"]["prediction"]["enum"] == ["lily", "rose"]


def test_before_the_first_model_there_is_none_to_tell_of_but_an_api(account: Client, context: Any) -> None:
    status, told = ask("GET /model", context)
    assert (status, told["error"]["type"]) == (404, "NotDeployed")
    status, described = ask("GET /openapi.json", context)
    assert (status, described["info"]["version"]) == (200, "0")
    assert set(described["components"]["schemas"]["Record"]["properties"]) == {"petal", "colour", "wild", "seen"}


def test_what_cannot_be_read_is_said(account: Client, context: Any) -> None:
    put(account, "signature.json", "{}")
    serve(register("Approved", metadata={"DatasetVersion": "1"}, evaluation_uri=URI))
    status, told = ask("GET /model", context)
    assert (status, told["signature"], told["metrics"], told["version"]) == (200, None, {}, 1)
    metadata, evaluation, signature = told["notes"]
    assert metadata.startswith("its metadata is not what this project's pipeline writes: Run, GitCommit")
    assert evaluation == "its evaluation.json cannot be read: NoSuchKey"
    assert signature == "its signature.json cannot be read: Field required"


def test_a_package_that_names_no_report_is_told_without(account: Client, context: Any) -> None:
    serve(register("Approved"))
    assert ask("GET /model", context)[1]["notes"] == ["it names no evaluation.json", "it names no signature.json"]


def test_a_version_that_was_deleted_while_it_serves_is_told_as_such(account: Client, context: Any) -> None:
    arn = register("Approved")
    serve(arn)
    del sagemaker_backends[ACCOUNT][REGION].model_packages[arn]  # moto knows no DeleteModelPackage
    status, told = ask("GET /model", context)
    assert (status, told["version"], told["status"]) == (200, None, "InService")
    assert told["notes"] == [f"what is live was deployed from {arn}, which is not in the registry any more"]
    assert ask("GET /openapi.json", context)[0] == 200


def test_it_is_read_anew_after_some_seconds_and_not_before() -> None:
    now, reads = [0.0], [0]

    def read() -> None:
        reads[0] += 1

    kept = Kept(read, lambda: now[0])
    found = []
    for moment in (0.0, KEPT_SECONDS, KEPT_SECONDS + 0.1, 2 * KEPT_SECONDS):
        now[0] = moment
        kept.get()
        found.append(reads[0])
    assert found == [1, 1, 2, 2]
