"""Parameters: defaults, constraints, previous values, SSM, rules."""

from typing import Any

import pytest

from twin.cloudformation.errors import ValidationError
from twin.cloudformation.intrinsics import Scope
from twin.cloudformation.parameters import MASK, check_rules, given, resolved, shown


def declared(**more: Any) -> dict[str, dict[str, Any]]:
    return {"P": {"Type": "String", **more}}


def supplied(value: str) -> list[dict[str, Any]]:
    return [{"ParameterKey": "P", "ParameterValue": value}]


def test_a_default_counts_when_nothing_is_given() -> None:
    assert given(declared(Default="d"), [], None) == {"P": "d"}
    assert given(declared(Default="d"), supplied("x"), None) == {"P": "x"}


def test_the_previous_value_is_used_when_asked_for() -> None:
    previous = [{"ParameterKey": "P", "UsePreviousValue": True}]
    assert given(declared(Default="d"), previous, {"P": "old"}) == {"P": "old"}
    with pytest.raises(ValidationError, match="usePreviousValue"):
        given(declared(Default="d"), previous, None)


def test_without_the_flag_an_update_goes_back_to_the_default() -> None:
    assert given(declared(Default="d"), [], {"P": "old"}) == {"P": "d"}


@pytest.mark.parametrize(
    ("declaration", "value", "names"),
    [
        (declared(), None, r"\[P\] must have values"),
        ({}, "x", r"\[P\] do not exist in the template"),
        (declared(AllowedValues=["a", "b"]), "c", "AllowedValues"),
        (declared(AllowedPattern="[a-z]+"), "a1", "pattern"),
        (declared(AllowedPattern="[a-z]+", ConstraintDescription="only letters"), "a1", "only letters"),
        (declared(MinLength=3), "ab", "length"),
        ({"P": {"Type": "Number"}}, "many", "must be a number"),
        ({"P": {"Type": "Number", "MaxValue": 5}}, "6", "MaxValue"),
        ({"P": {"Type": "AWS::EC2::VPC::Id"}}, "vpc-1", "AWS::EC2::VPC::Id"),
    ],
)
def test_a_wrong_value_is_refused(declaration: dict[str, dict[str, Any]], value: str | None, names: str) -> None:
    with pytest.raises(ValidationError, match=names):
        given(declaration, [] if value is None else supplied(value), None)


def test_lists_and_ssm_parameters_resolve() -> None:
    kinds = {"L": {"Type": "CommaDelimitedList"}, "S": {"Type": "AWS::SSM::Parameter::Value<String>"}}
    assert resolved(kinds, {"L": "a, b", "S": "/name"}, lambda name: f"value of {name}") == {"L": ["a", "b"], "S": "value of /name"}


def test_a_secret_is_masked() -> None:
    assert shown(declared(NoEcho=True), {"P": "secret"}) == {"P": MASK}
    assert shown(declared(NoEcho="true"), {"P": "secret"}) == {"P": MASK}
    assert shown(declared(), {"P": "open"}) == {"P": "open"}


def test_a_rule_that_does_not_hold_says_why() -> None:
    rule = {
        "Bootstrap": {
            "Assertions": [{"Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2"], {"Ref": "V"}]}]}, "AssertDescription": "bootstrap again"}]
        }
    }
    check_rules(rule, Scope(refs={"V": "21"}))
    with pytest.raises(ValidationError, match="Bootstrap failed: bootstrap again"):
        check_rules(rule, Scope(refs={"V": "2"}))
