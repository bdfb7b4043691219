"""Policy evaluation: AWS's order, wildcards, conditions."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.iam import policy
from twin.iam.conditions import arn_like, fulfilled, like
from twin.iam.errors import PolicyError
from twin.iam.policy import Decision, Principal, Request, Statement, evaluate, parse

CALLER = Principal("AWS", frozenset({"arn:aws:iam::123456789012:role/r", "123456789012"}))
BUCKET = "arn:aws:s3:::data/uploads/a.csv"


def statements(*items: dict[str, Any]) -> tuple[Statement, ...]:
    return parse(json.dumps({"Version": "2012-10-17", "Statement": list(items)}), "p")


def decide(*items: dict[str, Any], action: str = "s3:GetObject", resource: str = BUCKET, **context: str) -> Decision:
    keys = {name.replace("__", ":").lower(): value for name, value in context.items()}
    return evaluate(statements(*items), Request(CALLER, action, resource, keys))


def allow(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:*", "Resource": "*"} | elements


def deny(**elements: Any) -> dict[str, Any]:
    return allow(**elements) | {"Effect": "Deny"}


def test_silence_denies_and_names_no_statement() -> None:
    assert decide() == Decision(False, None)


@pytest.mark.parametrize(
    ("action", "allowed"),
    [("s3:GetObject", True), ("S3:getobject", True), ("s3:Get*", True), ("s3:Get?bject", True), ("s3:PutObject", False), ("*", True)],
)
def test_actions_ignore_case_and_know_wildcards(action: str, allowed: bool) -> None:
    assert decide(allow(Action=action)).allowed is allowed


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        (BUCKET, True),
        ("arn:aws:s3:::data/*", True),
        ("arn:aws:s3:::DATA/*", False),
        ("arn:aws:s3:::data", False),
        ("arn:aws:s3:::d?ta/*", True),
    ],
)
def test_resources_know_wildcards_and_case(resource: str, allowed: bool) -> None:
    assert decide(allow(Resource=resource)).allowed is allowed


def test_not_action_and_not_resource_are_the_others() -> None:
    others = {"Effect": "Allow", "NotAction": "s3:Delete*", "NotResource": "arn:aws:s3:::secret/*"}
    assert decide(others).allowed
    assert not decide(others, action="s3:DeleteObject").allowed
    assert not decide(others, resource="arn:aws:s3:::secret/a").allowed


@given(st.lists(st.sampled_from([True, False]), min_size=1, max_size=6))
def test_a_deny_anywhere_wins_in_any_order(effects: list[bool]) -> None:
    found = decide(*[allow() if effect else deny() for effect in effects])
    assert found.allowed is all(effects)
    assert found.is_explicit_deny is (not all(effects))


def test_principals_of_resource_policies() -> None:
    assert decide(allow(Principal={"AWS": "arn:aws:iam::123456789012:role/r"})).allowed
    assert decide(allow(Principal="*")).allowed
    assert not decide(allow(Principal={"AWS": "arn:aws:iam::123456789012:role/other"})).allowed
    assert not decide(allow(Principal={"Service": "lambda.amazonaws.com"})).allowed


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"aws:username": ["a", "b"]}}, {"aws:username": "b"}, True),
        ({"StringEquals": {"aws:username": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"aws:username": "a"}}, {}, True),
        ({"StringNotEquals": {"aws:username": "a"}}, {}, True),
        ({"StringNotEquals": {"aws:username": ["a", "b"]}}, {"aws:username": "b"}, False),
        ({"StringLike": {"s3:prefix": "up*"}}, {"s3:prefix": "uploads/"}, True),
        ({"StringEqualsIgnoreCase": {"aws:username": "ANN"}}, {"aws:username": "ann"}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:securetransport": "true"}, False),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:securetransport": "false"}, True),
        ({"Null": {"aws:username": "true"}}, {}, True),
        ({"Null": {"aws:username": "false"}}, {}, False),
        ({"NumericLessThan": {"s3:max-keys": "10"}}, {"s3:max-keys": "9"}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/x*"}}, {"aws:sourcearn": "arn:aws:events:us-east-1:1:rule/xy"}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:*"}}, {"aws:sourcearn": "arn:aws:events:us-east-1:1:rule/xy"}, False),
        ({"ForAnyValue:StringNotEquals": {"aws:calledvia": "a"}}, {}, False),
        ({"ForAnyValue:StringNotEqualsIfExists": {"aws:calledvia": "a"}}, {}, False),
        ({"ForAnyValue:StringNotEquals": {"aws:calledvia": "a"}}, {"aws:calledvia": ["a", "b"]}, True),
        ({"ForAnyValue:StringEquals": {"aws:calledvia": "a"}}, {"aws:calledvia": ["b", "a"]}, True),
        ({"ForAllValues:StringEquals": {"aws:calledvia": "a"}}, {"aws:calledvia": ["b", "a"]}, False),
        ({"ForAllValues:StringEquals": {"aws:calledvia": "a"}}, {}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:sourceip": "10.1.2.3"}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}, {"aws:currenttime": "2026-11-20T00:00:00+00:00"}, True),
        ({"StringEquals": {"aws:userid": "${aws:username}"}}, {"aws:userid": "a", "aws:username": "a"}, True),
        ({"StringEquals": {"a": "1"}, "StringLike": {"b": "2"}}, {"a": "1"}, False),
    ],
)
def test_conditions(condition: dict[str, Any], context: dict[str, Any], holds: bool) -> None:
    assert fulfilled(condition, context) is holds


def test_an_unknown_operator_is_not_guessed() -> None:
    with pytest.raises(PolicyError, match="BinaryEquals"):
        fulfilled({"BinaryEquals": {"a": "b"}}, {"a": "b"})


def test_an_unknown_key_does_not_allow_and_does_deny() -> None:
    condition = {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}
    assert not decide(allow(Condition=condition)).allowed
    assert decide(allow(), deny(Condition=condition)).is_explicit_deny


def test_variables_in_resources() -> None:
    mine = allow(Resource="arn:aws:s3:::data/${aws:username}/*")
    assert decide(mine, resource="arn:aws:s3:::data/ann/x", aws__username="ann").allowed
    assert not decide(mine, resource="arn:aws:s3:::data/bob/x", aws__username="ann").allowed
    assert not decide(mine, resource="arn:aws:s3:::data//x").allowed


def test_a_variable_that_the_request_lacks_allows_nothing_and_denies() -> None:
    others = {"NotResource": "arn:aws:s3:::data/${aws:username}/*", "Action": "s3:*"}
    assert not decide(others | {"Effect": "Allow"}).allowed
    assert decide(allow(), others | {"Effect": "Deny"}).is_explicit_deny
    not_mine = {"StringNotEquals": {"aws:userid": "${aws:username}"}}
    assert not decide(allow(Condition=not_mine), aws__userid="x").allowed
    assert decide(allow(), deny(Resource="arn:aws:s3:::data/${aws:PrincipalTag/team}/*")).is_explicit_deny


def test_every_known_key_is_filled_somewhere() -> None:
    sources = [path.read_text() for path in Path(policy.__file__).parents[1].rglob("*.py") if path.name != "policy.py"]
    provider = "token.actions.githubusercontent.com"  # its claims are filled by the name of the provider
    for key in policy.KNOWN_KEYS:
        name = key.removeprefix("s3:") if key.startswith("s3:x-") or key in {"s3:prefix", "s3:delimiter"} else key
        assert key.startswith(provider) or any(f'"{name}"' in source for source in sources), key


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Actions": "*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "NotPrincipal": {"AWS": "123456789012"}},
        {"Effect": "Allow", "Action": "*", "Resource": []},
        {"Effect": "Allow", "Action": "*", "NotResource": []},
        {"Effect": "Allow", "Action": "*"},
        {"Effect": "Deny", "Action": [], "Resource": "*"},
        {"Effect": "Deny", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "NotAction": "s3:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "NotResource": "arn:aws:s3:::data"},
        {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::data/${*}"},
        {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::data/${aws:username, 'nobody'}/*"},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:userid": "${}"}}},
    ],
    ids=str,
)
def test_what_is_unknown_or_malformed_is_not_guessed(statement: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        statements(statement)


def test_variables_are_known_to_one_version_alone() -> None:
    statement = allow(Resource="arn:aws:s3:::data/${aws:username}/*")
    for version in ({}, {"Version": "2008-10-17"}):
        with pytest.raises(PolicyError, match="Version 2012-10-17"):
            parse(json.dumps(version | {"Statement": statement}), "p")


@given(st.text(alphabet="ab*?:/", max_size=12), st.text(alphabet="ab:/", max_size=12))
def test_like_is_a_glob_and_nothing_else(pattern: str, value: str) -> None:
    """Against a reference that works one character at a time."""

    def glob(p: str, v: str) -> bool:
        if not p:
            return not v
        if p[0] == "*":
            return glob(p[1:], v) or (bool(v) and glob(p, v[1:]))
        return bool(v) and p[0] in {"?", v[0]} and glob(p[1:], v[1:])

    assert like(value, pattern) is glob(pattern, value)


def test_an_arns_parts_are_matched_one_by_one() -> None:
    assert arn_like("arn:aws:s3:::data/a", "arn:aws:s3:::data/*")
    assert not arn_like("arn:aws:s3:us-east-1:1:data", "arn:aws:s3:*data")
