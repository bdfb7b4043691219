"""record_feedback against an account: ground truth of good labels, reasons for bad ones; the same feedback twice is written once."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.config import Config, parse_config
from contracts.ground_truth import GroundTruth
from contracts.refusal import Refusal
from contracts.tables.sources import Digested
from lambdas.api import Reply
from lambdas.record_feedback import handler, logic
from tests.unit.contracts.test_config import project

Client = Callable[[str], Any]
Golden = Callable[[str], dict[str, Any]]
HOUR = "ground-truth/2026/01/05/09/"


def _keys(account: Client, prefix: str) -> list[str]:
    return [item["Key"] for item in account("s3").list_objects_v2(Bucket="data-bucket", Prefix=prefix).get("Contents", [])]


def _read(account: Client, key: str) -> str:
    content: bytes = account("s3").get_object(Bucket="data-bucket", Key=key)["Body"].read()
    return content.decode()


def _labels(account: Client) -> dict[str, str]:
    lines = [line for key in _keys(account, "ground-truth/") for line in _read(account, key).splitlines()]
    return {truth.inference_id: truth.label for truth in map(GroundTruth.from_line, lines)}


def _send(golden: Golden, context: Any, document: Any, **changes: Any) -> dict[str, Any]:
    body = document if isinstance(document, str) else json.dumps(document)
    reply: dict[str, Any] = handler.handle(golden("feedback_request") | {"body": body} | changes, context)
    return reply


def test_a_golden_request_becomes_ground_truth_of_its_hour(account: Client, golden: Golden, context: Any) -> None:
    for _ in range(2):
        reply = handler.handle(golden("feedback_request"), context)
        assert (reply["statusCode"], json.loads(reply["body"])) == (202, {"count": 2})
    (key,) = _keys(account, "ground-truth/")
    assert key.startswith(HOUR)
    assert _labels(account) == {"order-1": "rose", "order-2": "tulip"}


def test_a_correction_is_read_after_what_it_corrects(account: Client, golden: Golden, context: Any) -> None:
    for milliseconds, label in ((0, "rose"), (1, "tulip"), (2, "rose"), (61_000, "iris")):
        event = golden("feedback_request")
        event["requestContext"]["timeEpoch"] += milliseconds
        handler.handle(event | {"body": json.dumps({"inference_id": "a", "label": label})}, context)
    assert len(_keys(account, HOUR)) == 4
    assert _labels(account) == {"a": "iris"}


def test_one_label_needs_no_list_and_may_come_in_base64(account: Client, golden: Golden, context: Any) -> None:
    body = base64.b64encode(json.dumps({"inference_id": "a", "label": 1}).encode()).decode()
    assert _send(golden, context, body, isBase64Encoded=True)["statusCode"] == 202
    assert _labels(account) == {"a": "1"}


@pytest.mark.parametrize(
    ("document", "status", "said"),
    [
        ("{", 400, "not JSON"),
        ("[" * 100_000, 400, "not JSON"),
        ([], 400, "must be"),
        ({"labels": 3}, 400, "must be"),
        ({"labels": []}, 400, "0 labels"),
        ({"labels": [{}] * (logic.MOST_LABELS + 1)}, 413, "10001 labels"),
        ("", 400, "the body is empty"),
        ({"inference_id": "a"}, 422, "label 1: must be"),
        ({"inference_id": "a", "label": "x", "when": 1}, 422, "label 1: must be"),
        ({"labels": [{"inference_id": "a", "label": "x"}, {"inference_id": "b c", "label": "x"}]}, 422, "label 2: inference_id 'b c'"),
        ({"inference_id": "a" * 65, "label": "x"}, 422, "at most 64"),
        ({"inference_id": 3, "label": "x"}, 422, "inference_id '3'"),
        ({"inference_id": "a", "label": None}, 422, "label 1: label is missing"),
        ({"inference_id": "a", "label": True}, 422, "as text"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong_and_nothing_is_written(
    account: Client, golden: Golden, context: Any, document: Any, status: int, said: str
) -> None:
    reply = _send(golden, context, document)
    assert reply["statusCode"] == status
    error = json.loads(reply["body"])["error"]
    assert said in "; ".join([error["message"], *error.get("problems", [])])
    assert _keys(account, "") == []


def test_another_content_type_is_refused(account: Client, golden: Golden, context: Any) -> None:
    assert _send(golden, context, "a,b", headers={"Content-Type": "text/csv"})["statusCode"] == 415


PARSED = parse_config(project())
KEYS = st.sampled_from(["labels", "inference_id", "label"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda more: st.lists(more, max_size=3) | st.dictionaries(KEYS, more)
)


@given(st.text() | VALUES.map(json.dumps))
def test_any_body_is_used_or_refused(body: str) -> None:
    event = {"headers": {"content-type": "application/json"}, "body": body}
    found = logic.parse(event, PARSED.data, 5120)
    assert isinstance(found, tuple) or (isinstance(found, Reply) and 400 <= found.status < 500)


@pytest.fixture
def upload(account: Client, event: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Upload a file of labels, and give the event that it causes."""

    def put(content: str, key: str = "feedback/labels.csv") -> dict[str, Any]:
        version = account("s3").put_object(Bucket="data-bucket", Key=key, Body=content.encode())["VersionId"]
        return event("upload_created", key=key, version_id=version) | {"time": "2026-01-05T09:59:59Z"}

    return put


def test_a_file_of_labels_becomes_ground_truth(account: Client, upload: Any, context: Any) -> None:
    event = upload('when,label,inference_id\n1, rose ,a\n2,"tulip, red",b-1\n\n')
    for _ in range(2):
        assert handler.handle(event, context) == {"count": 2, "refused": None}
    (key,) = _keys(account, "ground-truth/")
    uploaded = account("s3").head_object(Bucket="data-bucket", Key="feedback/labels.csv")["LastModified"]
    assert key.startswith(f"ground-truth/{uploaded:%Y/%m/%d/%H/%M-%S}-000-0000-")
    assert _labels(account) == {"a": "rose", "b-1": "tulip, red"}
    assert _keys(account, "quarantine/") == []


def test_bad_rows_are_reported_and_good_ones_used(account: Client, upload: Any, context: Any) -> None:
    event = upload("inference_id,label\na,rose\n,tulip\nb c,rose\nd,\ne,rose,1\nf,tulip\n")
    result = handler.handle(event, context)
    assert _labels(account) == {"a": "rose", "f": "tulip"}
    rows, reasons = _keys(account, "quarantine/feedback/")
    assert (result["count"], result["refused"]) == (2, f"s3://data-bucket/{reasons}")
    refusal = Refusal.model_validate_json(_read(account, reasons))
    assert [(finding.column, finding.row, finding.count) for finding in refusal.findings] == [
        ("inference_id", 3, 2),
        ("label", 5, 1),
        (None, 6, 1),
    ]
    listed = _read(account, rows).splitlines()
    assert listed[0] == "row,inference_id,label,problem"
    assert [line.split(",")[0] for line in listed[1:]] == ["3", "4", "5", "6"]


@pytest.mark.parametrize(
    ("content", "key", "said"),
    [
        ("", "feedback/labels.csv", "must name this column once, and has it 0 times"),
        ("inference_id,label\n", "feedback/labels.csv", "there is no label in the file"),
        ("inference_id,inference_id,label\na,b,c\n", "feedback/labels.csv", "has it 2 times"),
        ('inference_id,label\na,"rose\n', "feedback/labels.csv", "not valid CSV"),
        ("inference_id,label\na,rose\n", "feedback/labels.txt", "is not feedback/<file>.csv"),
    ],
)
def test_a_file_without_labels_is_refused_with_the_reason(
    account: Client, upload: Any, context: Any, content: str, key: str, said: str
) -> None:
    result = handler.handle(upload(content, key), context)
    assert result["count"] == 0
    refusal = Refusal.model_validate_json(_read(account, result["refused"].removeprefix("s3://data-bucket/")))
    assert said in "; ".join(map(str, refusal.findings))


def test_a_file_whose_event_was_lost_is_recorded_by_a_tick_and_no_file_twice(
    account: Client, upload: Any, golden: Golden, context: Any
) -> None:
    upload("inference_id,label\na,rose\n,tulip\n")
    uploaded = account("s3").head_object(Bucket="data-bucket", Key="feedback/labels.csv")["LastModified"]

    def tick(after: timedelta) -> dict[str, Any]:
        reply: dict[str, Any] = handler.handle(golden("tick") | {"time": (uploaded + after).isoformat()}, context)
        return reply

    nothing = {"files": 0, "count": 0}
    assert [tick(after) for after in (timedelta(minutes=5), timedelta(hours=4))] == [nothing, nothing]
    assert _labels(account) == {}
    late = upload("inference_id,label\nb,rose\n", "feedback/late.csv")
    assert tick(timedelta(minutes=40)) == {"files": 2, "count": 2}
    assert _labels(account) == {"a": "rose", "b": "rose"}
    before = _versions(account)
    assert tick(timedelta(minutes=100)) == {"files": 2, "count": 2}
    assert handler.handle(late, context)["count"] == 1
    assert _versions(account) == before


def _versions(account: Client) -> list[str]:
    """Every version of what was written, by key."""
    found = account("s3").list_object_versions(Bucket="data-bucket")["Versions"]
    return sorted(each["Key"] for each in found if not each["Key"].startswith("feedback/"))


def test_a_folder_marker_and_a_file_that_is_gone_are_nothing(account: Client, upload: Any, context: Any) -> None:
    gone = upload("inference_id,label\na,rose\n")
    account("s3").delete_object(Bucket="data-bucket", Key="feedback/labels.csv", VersionId=gone["detail"]["object"]["version-id"])
    for event in (gone, upload("", "feedback/")):
        assert handler.handle(event, context) == {"count": 0, "refused": None}


def test_a_long_file_is_written_in_parts(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    monkeypatch.setattr(logic, "LABELS_A_FILE", 10)
    table = "inference_id,label\n" + "".join(f"id-{number},rose\n" for number in range(25))
    parts = list(logic.read_labels(Digested([table.encode()]), config.data, logic.Refused()))
    assert [len(part) for part in parts] == [10, 10, 5]


def test_the_last_of_a_long_files_labels_counts(account: Client, upload: Any, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logic, "LABELS_A_FILE", 1)
    handler.handle(upload("inference_id,label\n" + "".join(f"a,kind-{number}\n" for number in range(12))), context)
    assert _labels(account) == {"a": "kind-11"}


def test_what_is_listed_of_refused_rows_is_bounded(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    monkeypatch.setattr(logic, "MOST_LISTED", 3)
    refused = logic.Refused()
    table = "inference_id,label\n" + "a b,rose\n" * 10
    assert list(logic.read_labels(Digested([table.encode()]), config.data, refused)) == []
    assert len(refused.listed) == 3
    assert refused.findings[0].count == 10
