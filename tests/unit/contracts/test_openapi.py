"""The API's document: valid OpenAPI 3.1, and its schemas agree with what the parts of the API really take and give."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from contracts.config import Config, parse_config
from contracts.errors import RequestError
from contracts.evaluation import Metric
from contracts.live_model import LiveModel
from contracts.openapi import document
from contracts.signature import Signature

FEATURES = {"petal": "numeric", "colour": "categorical", "wild": "boolean", "seen": "datetime"}
URL = "https://abc.execute-api.us-east-1.amazonaws.com"
JWT = {"authorization": "jwt", "jwt": {"issuer": "https://id.example.com/", "audience": ["tides"]}}
TARGETS: Mapping[str, dict[str, Any]] = {
    "binary": {"problem": "binary", "positive": "rose"},
    "multiclass": {"problem": "multiclass"},
    "regression": {"problem": "regression"},
}


def config(target: str = "binary", **changes: Any) -> Config:
    data = {"dataset": "flowers", "target": "kind", "id": "id", "features": FEATURES, **TARGETS[target], **changes.pop("data", {})}
    return parse_config({"project": "flowers", "data": data, **changes})


def live(of: Config, classes: tuple[str, ...]) -> LiveModel:
    return LiveModel(
        name=of.prefix,
        version=3,
        status="InService",
        approval="Approved",
        since=None,
        dataset_version="0123456789abcdef",
        artifact_sha256="ab" * 32,
        runtime=None,
        metric=Metric.ROC_AUC,
        metrics={Metric.ROC_AUC: 0.9},
        holdout_rows=70,
        signature=Signature.of(of.data, classes),
    )


CASES = {
    "binary": (config(), ("lily", "rose")),
    "multiclass": (config("multiclass"), ("lily", "rose", "tulip")),
    "regression": (config("regression"), ()),
    "jwt": (config(api=JWT), ("lily", "rose")),
    "private": (config(data={"privacy": {"drop": ["name"], "hash": ["colour", "id"]}}), ("lily", "rose")),
}


def validator(described: dict[str, Any], name: str) -> Draft202012Validator:
    """Of one schema of a document."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": described["components"]})


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("deployed", [True, False])
def test_the_document_is_valid(name: str, deployed: bool) -> None:
    project, classes = CASES[name]
    described = document(project, live(project, classes) if deployed else None, URL)
    OpenAPIV31SpecValidator(json.loads(json.dumps(described))).validate()
    assert described["servers"] == [{"url": URL}]
    assert ("No model is deployed yet" in described["info"]["description"]) is not deployed


def test_classes_and_features_are_the_live_models_own() -> None:
    project, classes = CASES["multiclass"]
    described = document(project, live(project, classes), URL)
    said = {"prediction": "rose", "probabilities": {"lily": 0.2, "rose": 0.7, "tulip": 0.1}, "inference_id": "a-1"}
    check = validator(described, "Prediction")
    assert check.is_valid(said)
    assert not check.is_valid(said | {"prediction": "oak"})
    assert not check.is_valid(said | {"probabilities": {"rose": 1}})


def test_private_columns_may_be_sent_and_need_not() -> None:
    project, classes = CASES["private"]
    check = validator(document(project, live(project, classes), URL), "Record")
    row = {"petal": 1.5, "colour": None, "wild": True, "seen": "2026-01-31"}
    assert check.is_valid(row)
    assert check.is_valid(row | {"name": "Ann", "id": 7})
    assert not check.is_valid(row | {"town": "Ulm"})


@pytest.mark.parametrize(("name", "status"), [("binary", "403"), ("jwt", "401")])
def test_who_gets_in_is_told(name: str, status: str) -> None:
    project, classes = CASES[name]
    described = document(project, live(project, classes), URL)
    for path in described["paths"].values():
        for operation in path.values():
            assert status in operation["responses"]
    (guard,) = described["components"]["securitySchemes"].values()
    found = guard.get("openIdConnectUrl", guard.get("name"))
    assert found == {"binary": "Authorization", "jwt": "https://id.example.com/.well-known/openid-configuration"}[name]


def test_what_describe_model_answers_is_what_the_document_says() -> None:
    project, classes = CASES["binary"]
    model = live(project, classes)
    assert validator(document(project, model, URL), "LiveModel").is_valid(json.loads(model.model_dump_json()))


_CELLS = {
    "petal": st.none() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False),
    "colour": st.none() | st.text(max_size=5),
    "wild": st.none() | st.booleans(),
    "seen": st.none() | st.dates().map(str) | st.datetimes().map(lambda moment: moment.isoformat()),
}
_ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=1)


@given(st.fixed_dictionaries(_CELLS))
def test_every_record_of_the_features_kinds_fits_document_and_model(row: dict[str, Any]) -> None:
    project, classes = CASES["binary"]
    model = live(project, classes)
    assert validator(DOCUMENT, "Record").is_valid(row)
    assert model.signature is not None
    assert len(model.signature.parse_records([row])) == 1


@given(st.dictionaries(st.sampled_from([*FEATURES, "town"]), _ANYTHING))
def test_what_the_document_does_not_allow_the_model_refuses_or_reads_as_a_boolean(row: dict[str, Any]) -> None:
    project, classes = CASES["binary"]
    if validator(DOCUMENT, "Record").is_valid(row):
        return
    try:
        Signature.of(project.data, classes).parse_records([row])
    except RequestError:
        return
    row["wild"] = True  # 0, 1, "yes" and such are taken besides
    assert validator(DOCUMENT, "Record").is_valid(row)


DOCUMENT = document(CASES["binary"][0], live(*CASES["binary"]), URL)
