"""What PutRecords is called with keeps every prediction, and the order within a key even when a call takes only some of its records."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.predict_stream.adapters import ATTEMPTS, OutputStream
from lambdas.predict_stream.entries import LONGEST_CALL, LONGEST_ENTRY, MOST_ENTRIES, Entry, calls
from lambdas.predict_stream.logic import Predicted, Record

ARRIVED = datetime(2026, 11, 20, 10, tzinfo=UTC)


class Kinesis:
    """Takes each record by chance, as a stream does that has reached its throughput."""

    def __init__(self, seed: int, chance: float) -> None:
        self._random = random.Random(seed)
        self._chance = chance
        self.taken: list[Entry] = []

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        results = []
        for record in Records:
            if self._random.random() < self._chance:
                self.taken.append(Entry(record["PartitionKey"], record["Data"]))
                results.append({"SequenceNumber": "1", "ShardId": StreamName})
            else:
                results.append({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "later"})
        return {"Records": results}


def predicted(key: str, number: int, padding: int = 0) -> Predicted:
    """An answer of a size."""
    return Predicted(Record("shard", str(number), key, ARRIVED, b""), {"prediction": number, "padding": "x" * padding})


def by_key(entries: list[Entry]) -> dict[str, bytes]:
    """What consumers read, key by key."""
    read: dict[str, bytes] = {}
    for entry in entries:
        read[entry.key] = read.get(entry.key, b"") + entry.data
    return read


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "ü" * 100]), st.sampled_from([0, 10, 200_000, 600_000])), max_size=30),
    st.integers(0, 2**32),
)
def test_the_order_within_a_key_is_kept_whatever_the_stream_takes_at_once(sizes: list[tuple[str, int]], seed: int) -> None:
    answers = [predicted(key, number, padding) for number, (key, padding) in enumerate(sizes)]
    kinesis = Kinesis(seed, 0.9)
    stream = OutputStream(kinesis, "out", lambda _: None)
    for call in calls(answers):
        assert len({entry.key for entry in call}) == len(call) <= MOST_ENTRIES
        assert sum(len(entry.data) + len(entry.key.encode()) for entry in call) <= LONGEST_CALL
        assert all(len(entry.data) <= LONGEST_ENTRY or entry.data.count(b"\n") == 1 for entry in call)
        stream.put(call)
    wanted: dict[str, bytes] = {}
    for answer in answers:
        wanted[answer.record.partition_key] = wanted.get(answer.record.partition_key, b"") + answer.line()
    assert by_key(kinesis.taken) == wanted


def test_many_keys_are_many_calls() -> None:
    found = list(calls([predicted(f"key-{number}", number) for number in range(1001)]))
    assert [len(call) for call in found] == [500, 500, 1]


def test_a_stream_that_takes_nothing_is_an_error_after_pauses() -> None:
    pauses: list[float] = []
    with pytest.raises(RuntimeError, match="out did not take 1 of 1 records: ProvisionedThroughputExceededException"):
        OutputStream(Kinesis(1, 0), "out", pauses.append).put([Entry("a", b"1")])
    assert len(pauses) == ATTEMPTS - 1
    assert pauses == sorted(pauses)
    assert sum(pauses) < 30
