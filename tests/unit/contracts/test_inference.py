"""Ids, captured records and labels: what one part writes, another reads, to the last character."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import layout
from contracts.capture import CaptureData, CaptureRecord, Encoding, EventMetadata, Payload
from contracts.config import Config, parse_config
from contracts.ground_truth import GroundTruth, label_text
from contracts.inference import LONGEST_ID, LONGEST_REQUEST_ID, is_inference_id, row_ids
from tests.unit.contracts.test_config import project

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._:-]{0,55}\Z"), st.integers(1, 500))
def test_every_row_of_a_named_request_has_a_good_id_of_its_own(request_id: str, rows: int) -> None:
    assert is_inference_id(request_id, LONGEST_REQUEST_ID)
    ids = list(row_ids(request_id, rows))
    assert len(set(ids)) == rows
    assert all(map(is_inference_id, ids))


def test_one_row_has_the_requests_id_and_many_are_numbered() -> None:
    assert list(row_ids("a", 1)) == ["a"]
    assert list(row_ids("a", 3)) == ["a-1", "a-2", "a-3"]
    assert list(row_ids("a", 0)) == []
    assert len(f"{'a' * LONGEST_REQUEST_ID}-9999999") == LONGEST_ID


@given(st.binary(), st.sampled_from(Encoding))
def test_a_payload_comes_back_as_it_was(body: bytes, encoding: Encoding) -> None:
    payload = Payload.of("INPUT", "text/csv", body, encoding)
    assert payload.body == body
    assert payload.encoding in {encoding, Encoding.BASE64}


@given(TEXT, st.none() | st.just("order-1"))
def test_a_record_is_one_line_and_comes_back(text: str, inference_id: str | None) -> None:
    data = CaptureData(endpoint_input=Payload.of("INPUT", "text/csv", text.encode(), Encoding.CSV))
    metadata = EventMetadata(event_id="e", inference_id=inference_id, inference_time=datetime(2026, 1, 5, 9, 30, 1, 999_999, UTC))
    record = CaptureRecord(capture_data=data, event_metadata=metadata)
    line = record.to_line()
    assert len(line.encode().splitlines()) == 1
    assert CaptureRecord.from_line(line) == record
    assert json.loads(line)["eventMetadata"]["inferenceTime"] == "2026-01-05T09:30:01Z"


@given(TEXT.filter(bool))
def test_a_label_is_one_line_and_comes_back(label: str) -> None:
    truth = GroundTruth.of("order-1", label)
    line = truth.to_line()
    assert len(line.encode().splitlines()) == 1
    assert (GroundTruth.from_line(line).inference_id, GroundTruth.from_line(line).label) == ("order-1", label)


def test_a_label_is_written_as_sagemaker_documents_it() -> None:
    assert json.loads(GroundTruth.of("order-1", "1").to_line()) == {
        "groundTruthData": {"data": "1", "encoding": "CSV"},
        "eventMetadata": {"eventId": "order-1"},
        "eventVersion": "0",
    }


def _regression() -> Config:
    raw = project()
    raw["data"] |= {"problem": "regression", "positive": None}
    return parse_config(raw)


@pytest.mark.parametrize(("value", "text"), [("Yes", "Yes"), (" maybe ", "maybe"), (1, "1"), (1.5, "1.5"), ("none", "none")])
def test_a_class_is_any_text_or_number(value: object, text: str) -> None:
    assert label_text(value, parse_config(project()).data) == text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "missing"),
        (None, "missing"),
        (True, "as text"),
        ([1], "not list"),
        ({}, "not dict"),
        ("\ud800", "half a character"),
        (float("nan"), "finite"),
    ],
)
def test_what_is_no_class_is_refused(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        label_text(value, parse_config(project()).data)


@pytest.mark.parametrize(("value", "text"), [(3, "3"), (0.25, "0.25"), (" 1e3 ", "1e3"), ("-4", "-4")])
def test_a_regressions_label_is_a_number(value: object, text: str) -> None:
    assert label_text(value, _regression().data) == text


@pytest.mark.parametrize("value", ["high", "", "nan", "inf", float("inf"), None, True])
def test_what_is_no_number_is_refused_for_a_regression(value: object) -> None:
    with pytest.raises(ValueError, match=r"number|missing|as text"):
        label_text(value, _regression().data)


def test_partitions_are_hours_in_utc() -> None:
    moment = datetime(2026, 1, 5, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert layout.capture_prefix("e", "AllTraffic", moment) == "e/AllTraffic/2026/01/04/22/"
    assert layout.ground_truth_key(moment, 0, "00ff") == "ground-truth/2026/01/04/22/30-00-000-0000-00ff.jsonl"


@given(st.sets(st.tuples(st.integers(0, 4_000_000_000_000), st.integers(0, 9999)), min_size=2))
def test_files_of_labels_sort_as_they_came(came: set[tuple[int, int]]) -> None:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    keys = [layout.ground_truth_key(start + timedelta(milliseconds=ms), part, f"{-ms % 251:02x}") for ms, part in sorted(came)]
    assert keys == sorted(keys)


@pytest.mark.parametrize("key", ["feedback/", "feedback/a.txt", "feedback/b/a.csv", "uploads/a.csv"])
def test_a_key_elsewhere_is_no_feedback(key: str) -> None:
    assert layout.parse_feedback_key("feedback/a b.CSV") == "a b.CSV"
    with pytest.raises(ValueError, match="is not feedback/"):
        layout.parse_feedback_key(key)
