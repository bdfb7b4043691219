"""ingest_dataset against an account: a dataset version, or quarantine with the reasons; the same event twice is one decision."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from contracts.config import Config
from contracts.layout import LARGEST_UPLOAD_BYTES, manifest_key
from contracts.ledger import What
from contracts.manifest import Manifest
from contracts.refusal import Refusal
from lambdas.ingest_dataset import handler
from tests.unit.lambdas.account import decisions
from tests.unit.lambdas.ingest_dataset.test_logic import GOOD, text

Client = Callable[[str], Any]
Upload = Callable[..., dict[str, Any]]


@pytest.fixture
def upload(account: Client, event: Callable[..., dict[str, Any]]) -> Upload:
    """Upload a table, and give the event that it causes."""

    def put(content: bytes, key: str = "uploads/flowers/batch.csv", time: str = "2026-01-05T08:30:00Z") -> dict[str, Any]:
        version = account("s3").put_object(Bucket="data-bucket", Key=key, Body=content)["VersionId"]
        return event("upload_created", key=key, version_id=version) | {"time": time}

    return put


def _keys(account: Client, prefix: str) -> list[str]:
    return [item["Key"] for item in account("s3").list_objects_v2(Bucket="data-bucket", Prefix=prefix).get("Contents", [])]


def _read(account: Client, key: str) -> bytes:
    content: bytes = account("s3").get_object(Bucket="data-bucket", Key=key)["Body"].read()
    return content


def test_a_good_upload_becomes_a_dataset_version(account: Client, upload: Upload, context: Any, config: Config) -> None:
    event = upload(text(*GOOD))
    result = handler.handle(event, context)
    (key,) = _keys(account, "datasets/")
    manifest = Manifest.from_json(_read(account, key))
    assert key == manifest_key("flowers", manifest.version)
    assert result == {"decision": What.DATASET_ACCEPTED, "subject": f"flowers/{manifest.version}"}
    assert (manifest.rows, manifest.contract) == (20, config.data)
    assert manifest.files[0].version_id == event["detail"]["object"]["version-id"]
    (decision,) = decisions()
    assert decision.evidence[0].uri == f"s3://data-bucket/{key}"
    assert decision.evidence[0].sha256 == hashlib.sha256(_read(account, key)).hexdigest()


def test_the_object_version_of_the_event_is_read_not_the_newest(account: Client, upload: Upload, context: Any) -> None:
    event = upload(text(*GOOD))
    upload(b"overwritten")
    assert handler.handle(event, context)["decision"] == What.DATASET_ACCEPTED


def test_the_same_event_twice_is_one_decision_and_the_same_content_twice_is_one_version(
    account: Client, upload: Upload, context: Any
) -> None:
    event = upload(text(*GOOD))
    handler.handle(event, context)
    (key,) = _keys(account, "datasets/")
    before = _read(account, key)
    handler.handle(event, context)
    assert len(decisions()) == 1
    handler.handle(upload(text(*GOOD), "uploads/flowers/again.csv", "2026-01-05T09:00:00Z"), context)
    assert _keys(account, "datasets/") == [key]
    assert _read(account, key) == before
    assert "nothing is new" in decisions()[1].why


def test_a_bad_upload_goes_to_quarantine_with_the_reason(account: Client, upload: Upload, context: Any) -> None:
    content = text(*GOOD, "21,tall,red,no,,rose")
    event = upload(content)
    for _ in range(2):
        assert handler.handle(event, context)["decision"] == What.DATASET_REFUSED
    assert _keys(account, "datasets/") == []
    copied, reason = _keys(account, "quarantine/")
    assert copied == f"quarantine/flowers/{hashlib.sha256(content).hexdigest()[:16]}/batch.csv"
    assert _read(account, copied) == content
    refusal = Refusal.model_validate_json(_read(account, reason))
    assert [str(finding) for finding in refusal.findings] == ["column 'petal': 'tall' is not a number (row 22)"]
    (decision,) = decisions()
    assert (decision.subject, decision.why) == ("uploads/flowers/batch.csv", "column 'petal': 'tall' is not a number (row 22)")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("uploads/trees/batch.csv", "dataset 'trees' is not this project's, which is 'flowers'"),
        ("uploads/flowers/batch.parquet", "the file is not valid Parquet: Parquet magic bytes not found in footer"),
        ("uploads/flowers/batch.xlsx", "'batch.xlsx' is no table. Next: one of .csv, .csv.gz, .jsonl, "),
        ("uploads/flowers/very/deep/batch.csv", "nor uploads/<dataset>/<folder>/<file>. Next: upload it to uploads/flowers/FILE.csv"),
        (f"uploads/flowers/{'b' * 990}.csv", "has 994 bytes, and at most 255 are possible. Next: shorten it"),
        (f"uploads/flowers/{'b' * 256}/_SUCCESS", "has 256 bytes, and at most 255 are possible. Next: shorten it"),
    ],
)
def test_a_misplaced_upload_is_refused(account: Client, upload: Upload, context: Any, key: str, why: str) -> None:
    assert handler.handle(upload(text(*GOOD), key), context)["decision"] == What.DATASET_REFUSED
    assert why in decisions()[0].why
    assert _keys(account, "datasets/") == []


def test_what_cannot_be_read_in_time_is_refused_unread(account: Client, upload: Upload, context: Any) -> None:
    event = upload(text(*GOOD))
    event["detail"]["object"]["size"] = LARGEST_UPLOAD_BYTES + 1
    assert handler.handle(event, context)["decision"] == What.DATASET_REFUSED
    assert "at most 2147483648 can be read. Next: upload fewer rows" in decisions()[0].why
    assert _keys(account, "datasets/") == _keys(account, "quarantine/") == []


def test_a_folder_marker_is_nothing(account: Client, upload: Upload, context: Any) -> None:
    assert handler.handle(upload(b"", "uploads/flowers/"), context) == {"decision": None}
    assert decisions() == []


def test_an_object_that_is_gone_is_nothing(account: Client, upload: Upload, context: Any) -> None:
    event = upload(text(*GOOD))
    account("s3").delete_object(Bucket="data-bucket", Key="uploads/flowers/batch.csv", VersionId=event["detail"]["object"]["version-id"])
    assert handler.handle(event, context) == {"decision": None}
