"""What was needed: nothing that is called superfluous decides anything, and everything else does."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.iam.findings import findings_of
from twin.iam.pieces import WHOLE, Piece, pieces_of, without
from twin.iam.policy import Key, Principal, Statement, parse
from twin.iam.question import Question, answer
from twin.iam.record import Recorded
from twin.iam.usage import Grant, Usage, usage

ROLE = "arn:aws:iam::123456789012:role/r"
ACCOUNT = "arn:aws:iam::123456789012:root"
BUCKET = "arn:aws:s3:::data"
NAMES = Principal("AWS", frozenset({ROLE, ACCOUNT, "123456789012"}))
ITSELF = Principal("AWS", frozenset({ROLE}))
STACK = "project-dev-control"


def grants(documents: Sequence[dict[str, Any]], kind: str, holder: str, policy: str) -> list[Grant]:
    return [
        Grant(f"{STACK}/{kind}/{index}", "WorkerRole", STACK, kind, index, "", document, (Key(kind, holder, policy, index),))
        for index, document in enumerate(documents)
    ]


def account(identity: Sequence[dict[str, Any]], bucket: Sequence[dict[str, Any]], asked: Sequence[tuple[str, str]]) -> Any:
    """(grants, decisions) of an account in which a role with these statements asked for these actions."""
    own = parse(json.dumps({"Statement": list(identity)}), "Exactly", "identity", ROLE)
    on_bucket = parse(json.dumps({"Statement": list(bucket)}), "policy of bucket", "resource", BUCKET)
    decisions = [recorded(Question(NAMES, ITSELF, action, resource, (), own, on_bucket)) for action, resource in asked]
    return grants(identity, "identity", ROLE, "Exactly") + grants(bucket, "resource", BUCKET, "policy of bucket"), decisions


def recorded(question: Question, step: str = "train", *, expected: bool | None = None) -> Recorded:
    given = answer(question)
    name = given.decision.statement.name if given.decision.statement else None
    return Recorded("", step, ROLE, "call", question.reduced(), given.allowed, name, given.allowed if expected is None else expected)


ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
RESOURCES = [BUCKET, f"{BUCKET}/a", f"{BUCKET}/b"]
statements = st.builds(
    lambda effect, actions, resources: {"Effect": effect, "Action": actions, "Resource": resources},
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.lists(st.sampled_from([*ACTIONS, "s3:*", "s3:Get*"]), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from([*RESOURCES, "*", f"{BUCKET}/*"]), min_size=1, max_size=2, unique=True),
)
principals = st.lists(st.sampled_from([ROLE, ACCOUNT, "arn:aws:iam::123456789012:role/other"]), min_size=1, max_size=2, unique=True)
bucket_statements = st.builds(lambda one, names: one | {"Principal": {"AWS": names}}, statements, principals)
asked = st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(RESOURCES)), max_size=6)
accounts = st.builds(account, st.lists(statements, max_size=4), st.lists(bucket_statements, max_size=2), asked)


def decided(decisions: Sequence[Recorded], gone: Sequence[Piece]) -> list[bool]:
    def left(statement: Statement) -> list[Statement]:
        return without(statement, [piece for piece in gone if piece.key == statement.key])

    return [answer(each.question.with_statements(left)).allowed for each in decisions]


def superfluous(used: Sequence[Usage]) -> list[Piece]:
    return [found.piece for each in used for found in each.superfluous]


@given(accounts)
def test_all_that_is_superfluous_can_go_together_and_no_decision_changes(found: Any) -> None:
    known, decisions = found
    gone = superfluous(usage(known, decisions))
    assert decided(decisions, gone) == [each.allowed for each in decisions]


@given(accounts)
def test_each_piece_that_is_left_decides_something(found: Any) -> None:
    known, decisions = found
    used = usage(known, decisions)
    denies = {each.grant.keys[0] for each in used if each.grant.document["Effect"] == "Deny"}
    for each in used:
        # A Deny is needed in the account as it is, whatever else can go.
        gone = [piece for piece in superfluous(used) if each.grant.keys[0] not in denies or piece.key in denies]
        whole = Piece(each.grant.keys[0], WHOLE)
        assert bool(each.needed) is (whole not in gone)
        for piece, needed in [*each.pieces, *([(whole, each.needed)] if each.needed else [])]:
            changed = [
                decision for decision, now in zip(decisions, decided(decisions, [*gone, piece]), strict=True) if now is not decision.allowed
            ]
            assert changed == list(needed)
            assert changed


@given(accounts)
def test_every_piece_is_either_needed_or_superfluous(found: Any) -> None:
    known, decisions = found
    for each in usage(known, decisions):
        gone = {found.piece for found in each.superfluous}
        if Piece(each.grant.keys[0], WHOLE) in gone or not decisions:
            continue
        (statement,) = [one for one in decisions[0].question.statements if one.key == each.grant.keys[0]]
        assert {piece for piece, _ in each.pieces} | gone == set(pieces_of(statement))


@given(accounts)
def test_a_question_without_what_no_statement_looks_at_has_the_same_answer(found: Any) -> None:
    _, decisions = found
    for each in decisions:
        asked = Question(
            NAMES, ITSELF, each.action, each.resource, (("aws:currenttime", "x"),), each.question.identity, each.question.on_resource
        )
        assert answer(asked).allowed is answer(asked.reduced()).allowed
        assert asked.reduced() == each.question


def words(identity: Sequence[dict[str, Any]], requests: Sequence[tuple[str, str]], bucket: Sequence[dict[str, Any]] = ()) -> list[str]:
    known, decisions = account(identity, bucket, requests)
    return [finding.words for finding in findings_of(usage(known, decisions), decisions)]


def allow(action: str | list[str], resource: str | list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


READ = ("s3:GetObject", f"{BUCKET}/a")
ENDPOINTS = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/"
DESCRIBE = ("sagemaker:DescribeEndpoint", f"{ENDPOINTS}e")


def test_exactly_what_was_needed_has_no_finding() -> None:
    assert words([allow("s3:GetObject", f"{BUCKET}/*")], [READ]) == []


def test_a_statement_with_s3_star_is_found_and_named() -> None:
    assert words([allow("s3:*", f"{BUCKET}/*")], [READ]) == [
        f"role WorkerRole of stack {STACK}: s3:* on {BUCKET}/* was never needed beyond s3:GetObject"
    ]


def test_s3_star_beside_the_action_that_is_needed_is_found_as_the_one_that_can_go() -> None:
    (found,) = words([allow("s3:GetObject", f"{BUCKET}/*"), allow("s3:*", "*")], [READ])
    assert found.startswith(f"role WorkerRole of stack {STACK}: s3:* on * was never needed: what it matched (s3:GetObject on {BUCKET}/a) ")
    assert f"(s3:GetObject on {BUCKET}/*) allows too" in found


def test_s3_star_in_the_same_statement_is_found() -> None:
    (found,) = words([allow(["s3:GetObject", "s3:*"], f"{BUCKET}/*")], [READ])
    assert found.startswith(f"role WorkerRole of stack {STACK}: s3:* on {BUCKET}/* was never needed: what it matched")


def test_a_forgotten_action_is_found_with_role_action_resource_and_step() -> None:
    own = grants([allow("s3:GetObject", "*")], "trust", ROLE, "trust policy")
    _, decisions = account([allow("s3:GetObject", f"{BUCKET}/*")], [], [READ, DESCRIBE])
    found = findings_of(usage(own, decisions), decisions)[0]
    assert found.words == f"role WorkerRole of stack {STACK}: denied {DESCRIBE[0]} on {DESCRIBE[1]} in step train"
    assert (found.problem, found.stack, found.owner, found.action, found.resource) == ("denied", STACK, "WorkerRole", *DESCRIBE)


def test_a_refusal_that_the_step_wanted_is_no_finding() -> None:
    question = Question(NAMES, ITSELF, *DESCRIBE, ())
    assert findings_of([], [recorded(question, expected=True)]) == []


def test_an_action_a_pattern_and_a_principal_that_nobody_needed() -> None:
    found = words([allow(["s3:GetObject", "s3:PutObject"], [f"{BUCKET}/a", f"{BUCKET}/b"])], [READ])
    assert {each.partition(": ")[2] for each in found} == {
        f"s3:PutObject on {BUCKET}/a, {BUCKET}/b was never needed",
        f"s3:GetObject, s3:PutObject on {BUCKET}/b was never needed",
    }
    named = allow("s3:GetObject", f"{BUCKET}/*") | {"Principal": {"AWS": [ROLE, f"{ROLE}-other"]}}
    (other,) = words([], [READ], [named])
    assert other.endswith(f"s3:GetObject on {BUCKET}/* for {ROLE}-other was never needed")


def test_any_resource_is_found_where_resources_have_names() -> None:
    assert words([allow("s3:GetObject", "*")], [READ]) == [
        f"role WorkerRole of stack {STACK}: s3:GetObject on * was never needed beyond {BUCKET}/a"
    ]
    assert words([allow("s3:ListAllMyBuckets", "*")], [("s3:ListAllMyBuckets", "*")]) == []


@pytest.mark.parametrize("pattern", ["arn:*", "arn:aws:s3:::*", "arn:aws:sagemaker:*:*:endpoint/e", f"{ENDPOINTS}*", f"{ENDPOINTS}?"])
def test_a_pattern_that_names_nothing_is_found(pattern: str) -> None:
    action, resource = READ if ":s3:" in pattern or pattern == "arn:*" else DESCRIBE
    assert words([allow(action, pattern)], [(action, resource)]) == [
        f"role WorkerRole of stack {STACK}: {action} on {pattern} was never needed beyond {resource}"
    ]


@pytest.mark.parametrize(
    ("pattern", "resource"),
    [
        (f"{BUCKET}/*", f"{BUCKET}/a"),
        ("arn:aws:sqs:us-east-1:123456789012:tides-*", "arn:aws:sqs:us-east-1:123456789012:tides-a"),
        ("arn:aws:ec2:us-east-1:123456789012:network-interface/*", "arn:aws:ec2:us-east-1:123456789012:network-interface/eni-1"),
    ],
)
def test_a_pattern_that_names_something_is_not_found(pattern: str, resource: str) -> None:
    assert words([allow("s3:GetObject", pattern)], [("s3:GetObject", resource)]) == []


def test_a_deny_is_needed_by_the_refusal_that_it_makes() -> None:
    deny = allow("s3:*", f"{BUCKET}/*") | {"Effect": "Deny", "Principal": "*"}
    read = allow("s3:GetObject", f"{BUCKET}/*")
    known, decisions = account([read], [deny], [READ])
    assert superfluous(usage(known, decisions)) == [Piece(known[0].keys[0], WHOLE)]
    known, decisions = account([], [deny], [READ])
    assert superfluous(usage(known, decisions)) == [Piece(known[0].keys[0], WHOLE)]
