"""What becomes of a batch: each record on its own merits, whatever is beside it, in order, and with few requests."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.predict_stream.logic import (
    LONGEST_REQUEST,
    Answered,
    Poison,
    Predicted,
    Record,
    Refused,
    Request,
    Unavailable,
    Waiting,
    predict,
)

ARRIVED = datetime(2026, 11, 20, 10, 0, 0, 5000, UTC)
GOOD, WRONG, DOWN = "good", "wrong", "down"
UNREADABLE = [b"", b"{", b"\xff", b"[1]", b'"text"', b"1", b"null", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a": 1} {"a": 2}', b"1" * 5000]


class Endpoint:
    """Answers rows with their own number; refuses a request with a wrong row, and is down for one with such a row."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def ask(self, request: Request) -> Answered | Refused | Unavailable:
        self.requests.append(request)
        rows = json.loads(request.body)
        kinds = {row["kind"] for row in rows}
        if DOWN in kinds:
            return Unavailable("it is down")
        if WRONG in kinds:
            return Refused("a row is wrong")
        return Answered([{"prediction": row["number"]} for row in rows], {"version": "7"})


def records(datas: Sequence[bytes]) -> list[Record]:
    """Records of one shard."""
    return [Record("shardId-000000000000", str(100 + number), f"key-{number % 3}", ARRIVED, data) for number, data in enumerate(datas)]


def row(kind: str, number: int) -> bytes:
    """A row of a kind."""
    return json.dumps({"kind": kind, "number": number}).encode()


@given(st.lists(st.sampled_from([GOOD, GOOD, GOOD, WRONG, DOWN, *UNREADABLE]), max_size=40))
def test_each_record_gets_what_it_deserves_up_to_the_first_that_waits(kinds: list[str | bytes]) -> None:
    batch = records([kind if isinstance(kind, bytes) else row(kind, number) for number, kind in enumerate(kinds)])
    results = list(predict(batch, Endpoint().ask))
    assert [result.record for result in results] == batch[: len(results)]
    assert len(results) == len(batch) or isinstance(results[-1], Waiting)
    assert not any(isinstance(result, Waiting) for result in results[:-1])
    assert any(isinstance(result, Waiting) for result in results) == (DOWN in kinds)
    assert DOWN not in kinds or len(results) <= kinds.index(DOWN) + 1
    for number, (kind, result) in enumerate(zip(kinds, results, strict=False)):
        if isinstance(result, Predicted):
            assert (kind, result.answer["prediction"]) == (GOOD, number)
        elif isinstance(result, Poison):
            assert kind == WRONG or kind in UNREADABLE
            assert result.reason


@given(st.integers(1, 200), st.data())
def test_one_wrong_record_costs_few_requests(count: int, data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, count - 1))
    endpoint = Endpoint()
    results = list(predict(records([row(WRONG if number == wrong else GOOD, number) for number in range(count)]), endpoint.ask))
    assert [number for number, result in enumerate(results) if isinstance(result, Poison)] == [wrong]
    assert len(endpoint.requests) <= 2 * math.ceil(math.log2(count)) + 1


def test_a_batch_without_faults_is_one_request_and_its_records_go_as_they_came() -> None:
    endpoint = Endpoint()
    list(predict(records([b' {"kind": "good",\n "number": 1.50}', row(GOOD, 2)]), endpoint.ask))
    (request,) = endpoint.requests
    assert request.body == b'[ {"kind": "good",\n "number": 1.50},' + row(GOOD, 2) + b"]"


def test_no_request_is_longer_than_an_endpoint_takes() -> None:
    endpoint = Endpoint()
    long = [json.dumps({"kind": GOOD, "number": number, "text": "x" * 1_000_000}).encode() for number in range(6)]
    results = list(predict(records(long), endpoint.ask))
    assert [result.answer["prediction"] for result in results if isinstance(result, Predicted)] == list(range(6))
    assert [len(request.body) <= LONGEST_REQUEST for request in endpoint.requests] == [True, True]


def test_nothing_behind_a_record_that_waits_is_asked_about() -> None:
    endpoint = Endpoint()
    list(predict(records([row(DOWN, 1), row(WRONG, 2), row(GOOD, 3), row(GOOD, 4)]), endpoint.ask))
    assert len(endpoint.requests) == 1


@given(st.lists(st.sampled_from([GOOD, GOOD, WRONG]), min_size=1, max_size=30))
def test_an_inference_id_is_of_one_record_and_the_same_again(kinds: list[str]) -> None:
    batch = records([row(kind, number) for number, kind in enumerate(kinds)])
    owners: dict[str, str] = {}
    # Lambda may send the batch again from any record.
    for part in (batch, batch, *(batch[start:] for start in range(len(batch)))):
        for result in predict(part, Endpoint().ask):
            if isinstance(result, Predicted):
                name = result.answer["inference_id"]
                assert len(name) <= 64
                assert owners.setdefault(name, result.record.sequence_number) == result.record.sequence_number


def test_another_shards_record_has_another_id() -> None:
    ids = set()
    for shard in ("shardId-000000000000", "shardId-000000000001"):
        (result,) = predict([Record(shard, "1", "key", ARRIVED, row(GOOD, 1))], Endpoint().ask)
        assert isinstance(result, Predicted)
        ids.add(result.answer["inference_id"])
    assert len(ids) == 2


@pytest.mark.parametrize("given", [0, 1, 3])
def test_predictions_that_do_not_match_the_rows_are_nobodys(given: int) -> None:
    results = list(predict(records([row(GOOD, 1), row(GOOD, 2)]), lambda _: Answered([{"prediction": 1}] * given, {})))
    assert [type(result) for result in results] == [Waiting]


def test_an_answer_says_where_it_comes_from() -> None:
    (result,) = predict(records([row(GOOD, 1)]), Endpoint().ask)
    assert isinstance(result, Predicted)
    assert result.line().endswith(b"}\n")
    said = json.loads(result.line())
    assert len(said.pop("inference_id")) == 36
    assert said == {
        "prediction": 1,
        "model": {"version": "7"},
        "partition_key": "key-0",
        "shard": "shardId-000000000000",
        "sequence_number": "100",
        "arrived": "2026-11-20T10:00:00.005Z",
    }
