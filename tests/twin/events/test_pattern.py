"""Event patterns, as EventBridge documents them: each case is a pattern, an event, and whether they match."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.events.pattern import PatternError, matches, validate

EVENT = {
    "source": "aws.s3",
    "account": "123456789012",
    "detail": {
        "bucket": {"name": "data"},
        "object": {"key": "uploads/a.CSV", "size": 5, "tags": ["x", "y"], "none": None, "flag": True},
        "items": [{"id": 1, "state": "old"}, {"id": 2, "state": "new"}],
        "ip": "10.0.0.7",
    },
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"source": ["aws.s3"]}, True),
        ({"source": ["aws.ec2", "aws.s3"]}, True),
        ({"source": ["aws.ec2"]}, False),
        ({"missing": ["x"]}, False),
        ({"source": ["aws.s3"], "detail": {"bucket": {"name": ["data"]}}}, True),
        ({"source": ["aws.s3"], "detail": {"bucket": {"name": ["other"]}}}, False),
        ({"detail": {"object": {"key": [{"prefix": "uploads/"}]}}}, True),
        ({"detail": {"object": {"key": [{"suffix": ".csv"}]}}}, False),
        ({"detail": {"object": {"key": [{"suffix": {"equals-ignore-case": ".csv"}}]}}}, True),
        ({"detail": {"object": {"key": [{"prefix": {"equals-ignore-case": "UPLOADS"}}]}}}, True),
        ({"detail": {"object": {"key": [{"equals-ignore-case": "UPLOADS/A.csv"}]}}}, True),
        ({"detail": {"object": {"key": [{"wildcard": "uploads/*.CSV"}]}}}, True),
        ({"detail": {"object": {"key": [{"wildcard": "datasets/*"}]}}}, False),
        ({"detail": {"object": {"key": [{"anything-but": {"prefix": "uploads/"}}]}}}, False),
        ({"detail": {"object": {"key": [{"anything-but": ["b", "c"]}]}}}, True),
        ({"detail": {"missing": [{"anything-but": "b"}]}}, False),
        ({"detail": {"object": {"size": [{"numeric": [">", 0, "<=", 5]}]}}}, True),
        ({"detail": {"object": {"size": [{"numeric": ["<", 5]}]}}}, False),
        ({"detail": {"object": {"size": [5]}}}, True),
        ({"detail": {"object": {"size": ["5"]}}}, False),
        ({"detail": {"object": {"flag": [True]}}}, True),
        ({"detail": {"object": {"flag": [1]}}}, False),
        ({"detail": {"object": {"none": [None]}}}, True),
        ({"detail": {"object": {"tags": ["y"]}}}, True),
        ({"detail": {"object": {"tags": ["z"]}}}, False),
        ({"detail": {"object": {"size": [{"exists": True}]}}}, True),
        ({"detail": {"object": {"gone": [{"exists": False}]}}}, True),
        ({"detail": {"object": {"size": [{"exists": False}]}}}, False),
        ({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}, True),
        ({"detail": {"ip": [{"cidr": "10.0.1.0/24"}]}}, False),
        ({"detail": {"items": {"id": [2], "state": ["new"]}}}, True),
        ({"detail": {"items": {"id": [1], "state": ["new"]}}}, False),
        ({"$or": [{"source": ["aws.ec2"]}, {"account": ["123456789012"]}]}, True),
        ({"$or": [{"source": ["aws.ec2"]}, {"account": ["1"]}]}, False),
        ({"source": ["aws.ec2"], "$or": [{"account": ["123456789012"]}, {"account": ["1"]}]}, False),
    ],
)
def test_matches(pattern: dict[str, Any], expected: bool) -> None:
    validate(pattern)
    assert matches(pattern, EVENT) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"source": []},
        {"source": "aws.s3"},
        {"source": [{"sounds-like": "s3"}]},
        {"n": [{"numeric": ["~", 1]}]},
        {"$or": [{"a": ["b"]}]},
    ],
)
def test_what_eventbridge_refuses(pattern: dict[str, Any]) -> None:
    with pytest.raises(PatternError):
        validate(pattern)


leaves = st.text("ab", max_size=3) | st.integers(0, 3) | st.booleans()
events = st.recursive(leaves, lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, min_size=1, max_size=3), max_leaves=8)


def exact(event: Any) -> Any:
    """The pattern that spells an event out."""
    return {name: exact(value) if isinstance(value, dict) else [value] for name, value in event.items()}


@given(st.dictionaries(st.sampled_from("xyz"), events, min_size=1))
def test_an_event_matches_its_own_pattern_and_more_fields_do_not_matter(event: dict[str, Any]) -> None:
    assert matches(exact(event), event)
    assert matches(exact(event), event | {"more": 1})
    assert not matches(exact(event) | {"more": [1]}, event)
