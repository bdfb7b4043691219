"""What limits whom: boundaries and session policies, beside policies of resources."""

import json
from typing import Any

import pytest

from twin.iam.policy import Principal, Statement, parse
from twin.iam.question import Question, answer

SESSION = "arn:aws:sts::123456789012:assumed-role/r/s"
ROLE = "arn:aws:iam::123456789012:role/r"
ACCOUNT = "123456789012"
OBJECT = "arn:aws:s3:::data/a"


def statements(effect: str, action: str, **more: Any) -> tuple[Statement, ...]:
    return parse(json.dumps({"Statement": {"Effect": effect, "Action": action, "Resource": "*"} | more}), "p")


def allowed(*limits: tuple[Statement, ...], identity: tuple[Statement, ...] = (), named: str = "", must_be_named: bool = False) -> bool:
    """May a session read an object, whose policy allows it to somebody?"""
    return answer(
        Question(
            principal=Principal("AWS", frozenset({SESSION, ROLE, ACCOUNT})),
            itself=Principal("AWS", frozenset({SESSION, ROLE})),
            session=Principal("AWS", frozenset({SESSION})),
            action="s3:GetObject",
            resource=OBJECT,
            context=(),
            identity=identity,
            on_resource=statements("Allow", "s3:GetObject", Principal={"AWS": named}) if named else (),
            limits=limits,
            must_be_named=must_be_named,
        ).reduced()
    ).allowed


READ, OTHER = statements("Allow", "s3:GetObject"), statements("Allow", "s3:PutObject")


@pytest.mark.parametrize(("named", "is_limited"), [(SESSION, False), (ROLE, True), ("*", True)])
def test_only_who_is_named_as_a_session_is_not_limited(named: str, is_limited: bool) -> None:
    assert allowed(named=named)
    assert allowed(READ, named=named)
    assert allowed(OTHER, named=named) is not is_limited
    assert allowed(READ, OTHER, named=named) is not is_limited
    assert allowed(OTHER, named=named, must_be_named=True) is not is_limited


def test_an_explicit_deny_in_a_limit_ends_it_for_a_session_too() -> None:
    assert not allowed(READ, statements("Deny", "s3:*"), named=SESSION)


def test_the_account_is_not_yet_its_roles() -> None:
    assert not allowed(named=ACCOUNT)
    assert allowed(READ, named=ACCOUNT, identity=READ)
    assert not allowed(OTHER, named=ACCOUNT, identity=READ)
