"""What becomes of a batch: nothing is lost or done out of order, and a record that kills the function goes alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.functions.batches import (
    LONGEST_PAUSE,
    Batch,
    Rules,
    StreamRecord,
    after_error,
    after_reply,
    first_failure,
    pause,
    without_old,
)

START = datetime(2026, 11, 20, tzinfo=UTC)


def batch(count: int, failures: int = 0) -> Batch:
    """Records 0, 1, ... that arrived a second apart."""
    return Batch(tuple(StreamRecord(str(n), "key", START + timedelta(seconds=n), b"") for n in range(count)), failures)


def rules(**changed: Any) -> Rules:
    """As a mapping has them that halves and reports."""
    return Rules(**({"bisects": True, "reports": True, "retries": 3, "oldest_seconds": -1} | changed))


@pytest.mark.parametrize(
    ("reply", "first"),
    [
        (None, None),
        ({}, None),
        ("text", None),
        ({"batchItemFailures": None}, None),
        ({"batchItemFailures": []}, None),
        ({"batchItemFailures": [{"itemIdentifier": "2"}]}, 2),
        ({"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "1"}]}, 1),
        ({"batchItemFailures": [{"itemIdentifier": "0"}]}, 0),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, -1),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, -1),
        ({"batchItemFailures": [{"identifier": "1"}]}, -1),
        ({"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "9"}]}, -1),
        ({"batchItemFailures": ["1"]}, -1),
    ],
)
def test_a_reply_says_from_where_to_go_on(reply: Any, first: int | None) -> None:
    assert first_failure(reply, ["0", "1", "2"]) == first


def test_a_reply_says_nothing_where_it_is_not_asked_for() -> None:
    assert after_reply(batch(3), {"batchItemFailures": [{"itemIdentifier": "1"}]}, rules(reports=False)).again == ()


@given(st.integers(1, 40), st.sets(st.integers(0, 39)), st.integers(0, 4), st.booleans())
def test_a_record_that_kills_the_function_goes_alone_when_batches_are_halved(
    count: int, deadly: set[int], retries: int, bisects: bool
) -> None:
    todo, done, gone, attempts = [batch(count)], list[str](), list[str](), 0
    while todo:
        head, attempts = todo.pop(0), attempts + 1
        if any(int(record.sequence_number) in deadly for record in head.records):
            following = after_error(head, rules(retries=retries, bisects=bisects))
            gone += [record.sequence_number for record in following.given_up.records] if following.given_up else []
            todo = [*following.again, *todo]
        else:
            done += [record.sequence_number for record in head.records]
    wrong = {str(n) for n in deadly if n < count}
    assert done == sorted(done, key=int)
    assert gone == sorted(gone, key=int)
    assert set(done) | set(gone) == {str(n) for n in range(count)}
    if bisects:
        assert set(gone) == wrong
    else:
        assert len(gone) == (count if wrong else 0)
    assert attempts <= (2 * count if bisects else 1) * (retries + 1)


@given(st.integers(1, 30), st.lists(st.integers(1, 5), min_size=60), st.integers(1, 3))
def test_a_function_that_does_a_part_each_time_gets_to_the_end(count: int, parts: list[int], retries: int) -> None:
    todo, done = [batch(count)], list[str]()
    for part in parts:
        if not todo:
            break
        head = todo.pop(0)
        handled, left = head.records[:part], head.records[part:]
        done += [record.sequence_number for record in handled]
        reply = {"batchItemFailures": [{"itemIdentifier": record.sequence_number} for record in left]}
        following = after_reply(head, reply, rules(retries=retries))
        assert following.given_up is None
        assert following.waits is bool(left)
        todo = list(following.again)
    assert done == [str(n) for n in range(count)]


@pytest.mark.parametrize("retries", [0, 2])
def test_a_batch_whose_first_record_never_succeeds_is_given_up_after_its_retries(retries: int) -> None:
    head, attempts = batch(2), 0
    while True:
        attempts += 1
        following = after_reply(head, {"batchItemFailures": [{"itemIdentifier": "0"}]}, rules(retries=retries))
        if following.given_up:
            break
        (head,) = following.again
    assert attempts == retries + 1
    assert len(following.given_up.records) == 2


def test_without_an_end_it_is_never_given_up() -> None:
    assert after_error(batch(1, failures=10_000), rules(retries=-1)).given_up is None


@pytest.mark.parametrize(("oldest", "kept"), [(-1, 5), (10, 5), (7, 2), (0, 0)])
def test_what_is_too_old_is_taken_out(oldest: int, kept: int) -> None:
    young, old = without_old(batch(5, failures=2), START + timedelta(seconds=10), rules(oldest_seconds=oldest))
    assert (len(young.records), len(old.records), young.failures) == (kept, 5 - kept, 2)
    assert old.records + young.records == batch(5).records


def test_pauses_grow_to_a_minute() -> None:
    pauses = [pause(failures) for failures in range(2000)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1.0, LONGEST_PAUSE)
