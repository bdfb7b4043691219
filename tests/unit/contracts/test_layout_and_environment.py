"""Keys and environments are made and read by the same module, so what one part writes another finds."""

import re

import pytest
from pydantic import ValidationError

from contracts import layout
from contracts.environment import IngestDatasetEnvironment, PredictEnvironment
from contracts.metadata import approval_description
from contracts.pipeline import RunParameters


def test_upload_keys_round_trip() -> None:
    assert layout.parse_upload_key(layout.upload_key("churn", "a b.csv")) == ("churn", "", "a b.csv")
    assert layout.parse_upload_key(layout.upload_folder("churn", "march") + "part-1.parquet") == ("churn", "march", "part-1.parquet")
    assert layout.parse_manifest_key(layout.manifest_key("churn", "00ff")) == ("churn", "00ff")


@pytest.mark.parametrize(
    "key", ["uploads/x", "uploads//a.csv", "uploads/d/", "other/d/a.csv", "uploads/d/e/f/a.csv", "uploads/d//a.csv", "uploads/../a.csv"]
)
def test_a_key_elsewhere_is_no_upload(key: str) -> None:
    with pytest.raises(ValueError, match="is neither uploads/"):
        layout.parse_upload_key(key)


def test_an_environment_is_read_as_it_was_rendered() -> None:
    environment = IngestDatasetEnvironment(data_bucket="b", ledger_table="t")
    assert environment.render() == {"DATA_BUCKET": "b", "LEDGER_TABLE": "t"}
    assert IngestDatasetEnvironment.read(environment.render() | {"PATH": "/bin"}) == environment
    assert PredictEnvironment(endpoint_name="e").render() == {"ENDPOINT_NAME": "e"}
    assert PredictEnvironment.read({"ENDPOINT_NAME": "e"}).hash_key_secret == ""


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(ValidationError, match="ledger_table"):
        IngestDatasetEnvironment.read({"DATA_BUCKET": "b"})


def test_run_parameters_are_named_as_the_pipeline_declares_them() -> None:
    parameters = RunParameters(run="r", run_uri="s3://b/runs/r", manifest_uri="s3://b/m", dataset_version="v", git_commit="c").parameters()
    assert [p["Name"] for p in parameters] == ["Run", "RunUri", "ManifestUri", "DatasetVersion", "GitCommit"]


def test_a_reason_fits_the_registry() -> None:
    reason = approval_description("the stack failed:\n  Resource\thandler said \r\n no" + " again" * 400)
    assert reason.startswith("the stack failed: Resource handler said no again")
    assert re.fullmatch(r".{1,1024}", reason)
