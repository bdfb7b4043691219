"""Answers that are given again: only to the same input, of the version that answered last, for a while, and not too many."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.predict.cache import LONGEST_ANSWER, MOST_ANSWERS, Cache
from lambdas.predict.outcomes import Answered, NotDeployed, Outcome, Unavailable
from lambdas.predict.request import Request


class Endpoint:
    """Answers with the version that is live and a number of its own."""

    def __init__(self) -> None:
        self.version = "one"
        self.asked = 0
        self.padding = ""

    def invoke(self, request: Request) -> Outcome:
        self.asked += 1
        model = {"artifact_sha256": self.version} if self.version else {}
        return Answered(json.dumps({"said": self.asked, "to": request.body.decode(), "model": model, "padding": self.padding}).encode())


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def now() -> Iterator[list[float]]:
    yield [0.0]


def request(body: str = "a", kind: str = "text/csv", identity: str = "id") -> Request:
    return Request(body.encode(), kind, identity)


def test_the_same_input_is_answered_from_memory_whoever_asks(endpoint: Endpoint, now: list[float]) -> None:
    ask = Cache(60, lambda: now[0]).through(endpoint.invoke)
    first = ask(request())
    assert ask(request(identity="another")) == first
    assert endpoint.asked == 1
    for other in (request("b"), request(kind="application/json")):
        assert ask(other) != first
    assert endpoint.asked == 3


def test_it_is_forgotten_in_time(endpoint: Endpoint, now: list[float]) -> None:
    ask = Cache(60, lambda: now[0]).through(endpoint.invoke)
    ask(request())
    now[0] = 59.9
    ask(request())
    assert endpoint.asked == 1
    now[0] = 60.0
    ask(request())
    assert endpoint.asked == 2


def test_the_first_answer_of_another_version_ends_those_of_the_old_one(endpoint: Endpoint, now: list[float]) -> None:
    ask = Cache(60, lambda: now[0]).through(endpoint.invoke)
    old = ask(request())
    endpoint.version = "two"
    assert ask(request()) == old  # nothing has told it yet
    ask(request("b"))
    new = ask(request())
    assert isinstance(new, Answered)
    assert json.loads(new.body)["model"]["artifact_sha256"] == "two"


def test_failures_and_answers_without_a_version_are_not_kept(endpoint: Endpoint, now: list[float]) -> None:
    for outcome in (Unavailable("503"), NotDeployed(), Answered(b"[]"), Answered(b"\xff")):
        asked: list[Request] = []

        def fail(one: Request, outcome: Outcome = outcome, asked: list[Request] = asked) -> Outcome:
            asked.append(one)
            return outcome

        ask = Cache(60, lambda: now[0]).through(fail)
        assert ask(request()) == ask(request()) == outcome
        assert len(asked) == 2


def test_memory_is_bounded(endpoint: Endpoint, now: list[float]) -> None:
    ask = Cache(60, lambda: now[0]).through(endpoint.invoke)
    for number in range(MOST_ANSWERS + 1):
        ask(request(str(number)))
    asked = endpoint.asked
    ask(request("1"))
    assert endpoint.asked == asked
    ask(request("0"))
    assert endpoint.asked == asked + 1
    endpoint.padding = "x" * LONGEST_ANSWER
    ask(request("long"))
    ask(request("long"))
    assert endpoint.asked == asked + 3


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["one", "two"]), st.floats(0, 40)), max_size=30))
def test_an_answer_is_always_one_that_the_endpoint_gave_to_this_input_not_long_ago(steps: list[tuple[str, str, float]]) -> None:
    endpoint, now = Endpoint(), [0.0]
    ask, given_at = Cache(30, lambda: now[0]).through(endpoint.invoke), {}
    for body, version, pause in steps:
        endpoint.version, before = version, endpoint.asked
        now[0] += pause
        outcome = ask(request(body))
        assert isinstance(outcome, Answered)
        said = json.loads(outcome.body)
        if endpoint.asked > before:
            given_at[said["said"]] = now[0]
        assert said["to"] == body
        assert now[0] - given_at[said["said"]] < 30
