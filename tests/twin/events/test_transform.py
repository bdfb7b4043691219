"""What a target gets of an event."""

import json
from typing import Any

import pytest

from twin.events.transform import at_path, fill, target_input

EVENT = {"id": "1", "time": "2026-11-20T00:00:00Z", "detail": {"bucket": {"name": 'da"ta'}, "size": 5, "items": [{"a": 1}], "e-tag": "x"}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", EVENT),
        ("$.detail.size", 5),
        ("$.detail.items[0].a", 1),
        ("$.detail['e-tag']", "x"),
        ("$.detail.e-tag", "x"),
        ("$.detail.items[3]", None),
        ("$.no.where", None),
    ],
)
def test_paths(path: str, value: Any) -> None:
    assert at_path(path, EVENT) == value


def test_a_path_that_is_not_understood_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\$\.\.size"):
        at_path("$..size", EVENT)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ({}, json.dumps(EVENT)),
        ({"Input": '{"a": 1}'}, '{"a": 1}'),
        ({"InputPath": "$.detail.size"}, "5"),
        ({"InputTransformer": {"InputPathsMap": {"n": "$.detail.size"}, "InputTemplate": '{"n": <n>}'}}, '{"n": 5}'),
        ({"InputTransformer": {"InputPathsMap": {"b": "$.detail.bucket.name"}, "InputTemplate": '{"b": <b>}'}}, '{"b": "da\\"ta"}'),
        (
            {"InputTransformer": {"InputPathsMap": {"b": "$.detail.bucket.name"}, "InputTemplate": '{"b": "in <b>!"}'}},
            '{"b": "in da\\"ta!"}',
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"i": "$.detail.items"}, "InputTemplate": '{"i":<i>,"r":"<aws.events.rule-name>"}'}},
            '{"i":[{"a": 1}],"r":"r"}',
        ),
        ({"InputTransformer": {"InputPathsMap": {"m": "$.detail.no"}, "InputTemplate": '{"m": <m>, "t": "<m>"}'}}, '{"m": null, "t": ""}'),
    ],
)
def test_target_input(target: dict[str, Any], text: str) -> None:
    assert target_input(target, EVENT, "arn", "r") == text


def test_an_unknown_variable_stays() -> None:
    assert fill("<a> <b>", {"a": 1}) == "1 <b>"
