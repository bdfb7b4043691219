"""Each intrinsic function, as its page in the CloudFormation reference describes it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.cloudformation.errors import ValidationError
from twin.cloudformation.intrinsics import Scope, check_functions
from twin.cloudformation.references import Reference, references


def scope(**refs: Any) -> Scope:
    return Scope(
        refs={"AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012", "Name": "n", "Empty": "", "List": ["a", "b", "c"], **refs},
        mappings={"Sizes": {"dev": {"type": "small"}}},
        conditions={
            "Yes": {"Fn::Equals": ["a", "a"]},
            "No": {"Fn::Not": [{"Condition": "Yes"}]},
            "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
            "Either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]},
            "HasName": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Empty"}, ""]}]},
        },
        attributes={"Bucket": {"Arn": "arn:aws:s3:::b", "Outputs.Url": "u"}},
        imports=lambda name: f"imported {name}",
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Name"}, "n"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn:aws:s3:::b"),
        ({"Fn::GetAtt": "Bucket.Outputs.Url"}, "u"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Name"}, 3, True]]}, "a-n-3-true"),
        ({"Fn::Join": [",", {"Ref": "List"}]}, "a,b,c"),
        ({"Fn::Sub": "${Name}/${Bucket.Arn}/${!Name}/${AWS::Region}"}, "n/arn:aws:s3:::b/${Name}/eu-west-1"),
        ({"Fn::Sub": ["${X}-${Name}", {"X": {"Ref": "Name"}}]}, "n-n"),
        ({"Fn::Select": ["1", {"Ref": "List"}]}, "b"),
        ({"Fn::Split": [",", "x,y"]}, ["x", "y"]),
        ({"Fn::If": ["Yes", "then", "else"]}, "then"),
        ({"Fn::If": ["Both", "then", "else"]}, "else"),
        ({"Fn::If": ["Either", "then", "else"]}, "then"),
        ({"Fn::If": ["HasName", {"Ref": "NotThere"}, "else"]}, "else"),
        ({"Fn::FindInMap": ["Sizes", "dev", "type"]}, "small"),
        ({"Fn::FindInMap": ["Sizes", "prod", "type", {"DefaultValue": "large"}]}, "large"),
        ({"Fn::ImportValue": {"Fn::Sub": "${Name}-x"}}, "imported n-x"),
        ({"Fn::GetAZs": ""}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::Base64": "hello"}, "aGVsbG8="),
        ({"Fn::Length": {"Ref": "List"}}, 3),
        ({"Fn::ToJsonString": {"a": {"Ref": "Name"}}}, '{"a":"n"}'),
        ({"Fn::Cidr": ["10.0.0.0/24", 2, 5]}, ["10.0.0.0/27", "10.0.0.32/27"]),
        ({"a": {"Ref": "AWS::NoValue"}, "b": ["x", {"Ref": "AWS::NoValue"}]}, {"b": ["x"]}),
        ({"a": {"Fn::If": ["No", "x", {"Ref": "AWS::NoValue"}]}}, {}),
    ],
)
def test_a_function_gives_its_value(value: Any, expected: Any) -> None:
    assert scope().resolve(value) == expected


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"Ref": "Nowhere"}, "Nowhere"),
        ({"Fn::GetAtt": ["Nowhere", "Arn"]}, "Nowhere"),
        ({"Fn::GetAtt": ["Bucket", "Colour"]}, "Colour"),
        ({"Fn::Select": [3, {"Ref": "List"}]}, "index 3"),
        ({"Fn::FindInMap": ["Sizes", "prod", "type"]}, "Sizes::prod::type"),
        ({"Fn::If": ["Maybe", 1, 2]}, "Maybe"),
        ({"Fn::Join": ["", [{"Ref": "List"}]]}, "must resolve to a string"),
        ({"Fn::Transform": {"Name": "AWS::Include"}}, "Fn::Transform"),
    ],
)
def test_what_cannot_be_resolved_is_named(value: Any, names: str) -> None:
    with pytest.raises(ValidationError, match=names):
        scope().resolve(value)


def test_unknown_functions_and_dynamic_references_are_found_anywhere() -> None:
    value = {"a": [{"b": {"Fn::Rot13": "x"}}], "c": "{{resolve:ssm:/x}}", "d": {"Fn::Sub": "fine"}}
    found = list(check_functions(value, "here"))
    assert len(found) == 2
    assert "Fn::Rot13" in found[0]
    assert "{{resolve:ssm:/x}}" in found[1]


def test_condition_functions_are_no_property_values() -> None:
    assert list(check_functions({"Fn::Equals": ["a", "b"]}, "here"))
    assert not list(check_functions({"Fn::Equals": ["a", "b"]}, "here", in_condition=True))


def test_references_are_found_in_every_form() -> None:
    value = [{"Ref": "A"}, {"Fn::GetAtt": ["B", "Arn"]}, {"Fn::Sub": ["${C} ${D.Arn} ${!E} ${F}", {"F": {"Ref": "G"}}]}]
    assert set(references(value)) == {
        Reference("A", None),
        Reference("B", "Arn"),
        Reference("C", None),
        Reference("D", "Arn"),
        Reference("G", None),
    }


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="abc $"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "Condition", "Fn", "Key"]), inner, max_size=3),
    max_leaves=12,
)


@given(plain)
def test_plain_data_is_left_alone(value: Any) -> None:
    assert scope().resolve(value) == value


@given(st.lists(st.text(alphabet="abc"), min_size=1))
def test_splitting_undoes_joining(parts: list[str]) -> None:
    assert scope().resolve({"Fn::Split": ["/", {"Fn::Join": ["/", parts]}]}) == parts
