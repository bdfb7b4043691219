"""predict: good requests go through unchanged, bad ones get 4xx, and failures of the endpoint are tried again before they are told."""

import base64
import io
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from contracts.environment import PredictEnvironment
from contracts.sticky import bucket
from lambdas.api import Reply
from lambdas.predict import handler
from lambdas.predict.adapters import Endpoint
from lambdas.predict.logic import ATTEMPTS, CONNECT_SECONDS, LONGEST_ANSWER, READ_SECONDS, predict
from lambdas.predict.outcomes import Answered, NotDeployed, Outcome, Refused, Unavailable, of_error
from lambdas.predict.request import Request, inference_id, parse

REQUEST = Request(b"{}", "application/json", "id-1")


def _event(body: str | None = "{}", content_type: str | None = "application/json", encoded: bool = False) -> dict[str, Any]:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return {"headers": headers, "body": body, "isBase64Encoded": encoded, "requestContext": {"requestId": "JKJaXmPLvHcESHA="}}


def _ask(outcomes: list[Outcome], seconds: float = 30.0) -> tuple[Reply, list[float]]:
    """The reply to a scripted endpoint, and the pauses before its attempts."""
    remaining: Iterator[Outcome] = iter(outcomes)
    pauses: list[float] = []
    left = [seconds]

    def sleep(pause: float) -> None:
        pauses.append(pause)
        left[0] -= pause

    reply = predict(REQUEST, lambda _: next(remaining), sleep, random.Random(1).uniform, lambda: left[0])
    return reply, pauses


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/jsonlines", "text/csv"])
def test_a_request_passes_unchanged(content_type: str) -> None:
    assert parse(_event("1,ü", content_type), 1) == Request("1,ü".encode(), content_type, inference_id("JKJaXmPLvHcESHA="))
    encoded = base64.b64encode(b"\x00\xff").decode()
    assert parse(_event(encoded, content_type, encoded=True), 1) == Request(b"\x00\xff", content_type, inference_id("JKJaXmPLvHcESHA="))


@pytest.mark.parametrize(
    ("event", "status", "said"),
    [
        (_event(content_type=None), 415, "content-type '' is not one of"),
        (_event(content_type="application/xml"), 415, "application/xml"),
        (_event(content_type="text/csv; x=ü"), 415, "ASCII"),
        (_event(content_type="text/csv; x=\n1"), 415, "printable"),
        (_event(content_type="text/csv; x=" + "1" * 1024), 415, "at most 1024"),
        (_event() | {"headers": {"content-type": "text/csv", "x-tidewheel-user": "a" * 257}}, 400, "x-tidewheel-user must be at most 256"),
        (_event(body=None), 400, "the body is empty"),
        (_event(body="  "), 400, "the body is empty"),
        (_event(body="%%%", encoded=True), 400, "encoding"),
        (_event(body="ü", encoded=True), 400, "encoding"),
        (_event(body="x" * 1025), 413, "send fewer rows"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(event: dict[str, Any], status: int, said: str) -> None:
    reply = parse(event, 1)
    assert isinstance(reply, Reply)
    assert reply.status == status
    assert said in json.loads(reply.body)["error"]["message"]


@given(
    st.none() | st.text(st.characters()) | st.binary().map(lambda raw: base64.b64encode(raw).decode()),
    st.none() | st.text(max_size=30) | st.sampled_from(["application/json", "text/csv", "text/csv;\tü"]),
    st.booleans(),
)
def test_any_request_is_passed_on_or_refused(body: str | None, content_type: str | None, encoded: bool) -> None:
    reply = parse(_event(body, content_type, encoded), 1)
    assert isinstance(reply, Request) or 400 <= reply.status < 500


@given(st.text(max_size=200, alphabet=st.characters(exclude_categories=["Cs"])))
def test_an_inference_id_is_short_and_always_the_same(request_id: str) -> None:
    assert inference_id(request_id) == inference_id(request_id)
    assert len(inference_id(request_id)) == 36


def test_an_answer_comes_back_with_its_inference_id() -> None:
    reply, pauses = _ask([Answered(b'{"predictions": [{"prediction": 1.5}], "model": {"run": "r"}}')])
    assert (reply.status, reply.headers, pauses) == (200, {"content-type": "application/json"}, [])
    assert json.loads(reply.body) == {
        "inference_id": "id-1",
        "predictions": [{"prediction": 1.5, "inference_id": "id-1"}],
        "model": {"run": "r"},
    }


def test_each_of_many_rows_has_an_id_of_its_own() -> None:
    reply, _ = _ask([Answered(b'{"predictions": [{"prediction": "a"}, {"prediction": "b"}]}')])
    assert [row["inference_id"] for row in json.loads(reply.body)["predictions"]] == ["id-1-1", "id-1-2"]


@pytest.mark.parametrize("answer", [b"[]", b"not json", b'{"predictions": 3}', b'{"predictions": [1]}', b'{"outputs": []}'])
def test_another_images_answer_is_left_alone(answer: bytes) -> None:
    assert _ask([Answered(answer)])[0].body == answer.decode()


def _named(identity: str) -> Request | Reply:
    event = _event()
    return parse(event | {"headers": event["headers"] | {"X-Inference-Id": identity}}, 1)


@pytest.mark.parametrize("identity", ["order-17", " a ", "7" * 56, "A.b_c:d-e"])
def test_a_caller_may_name_the_request(identity: str) -> None:
    request = _named(identity)
    assert isinstance(request, Request)
    assert request.inference_id == identity.strip()


@pytest.mark.parametrize("identity", ["7" * 57, "a b", "-a", "\u00fc", "a/b", "a\nb"])
def test_a_name_that_sagemaker_or_its_rows_could_not_have_is_refused(identity: str) -> None:
    reply = _named(identity)
    assert isinstance(reply, Reply)
    assert reply.status == 400
    assert "x-inference-id must be" in reply.body


@pytest.mark.parametrize("failures", range(1, ATTEMPTS))
def test_a_failing_endpoint_is_asked_again(failures: int) -> None:
    reply, pauses = _ask([*[Unavailable("503")] * failures, Answered(b"{}")])
    assert reply.status == 200
    assert len(pauses) == failures
    assert sum(pauses) < 2


def test_an_endpoint_that_keeps_failing_is_told_as_503() -> None:
    reply, pauses = _ask([Unavailable("the model server answered 500")] * ATTEMPTS)
    assert (reply.status, reply.headers["retry-after"], len(pauses)) == (503, "5", ATTEMPTS - 1)
    assert "the model server answered 500" in reply.body


@pytest.mark.parametrize(("status", "kind"), [(429, "Throttled"), (503, "Unavailable"), (504, "TooSlow")])
def test_what_the_last_attempt_met_is_what_is_told(status: int, kind: str) -> None:
    reply, _ = _ask([*[Unavailable("first")] * (ATTEMPTS - 1), Unavailable("last", status)])
    assert (reply.status, reply.headers["retry-after"], json.loads(reply.body)["error"]["type"]) == (status, "5", kind)
    assert "last" in reply.body


@given(st.text(max_size=30), st.integers(100, 599), st.integers(0, 599), st.text(max_size=9))
def test_no_error_of_the_endpoint_is_told_as_a_success(code: str, status: int, original: int, message: str) -> None:
    outcome = of_error(code, status, original, message)
    assert (
        outcome is None or (isinstance(outcome, Refused) and 400 <= outcome.status < 500) or isinstance(outcome, Unavailable | NotDeployed)
    )


def test_it_stops_while_there_is_time_to_answer() -> None:
    reply, pauses = _ask([Unavailable("slow")] * ATTEMPTS, seconds=1.0)
    assert (reply.status, pauses) == (503, [])


@given(st.lists(st.floats(0, CONNECT_SECONDS + READ_SECONDS), min_size=ATTEMPTS, max_size=ATTEMPTS), st.integers())
def test_it_always_answers_before_the_function_is_cut_off(durations: list[float], seed: int) -> None:
    """However long the attempts take: an attempt that runs into its time-out late must not be followed by one that cannot end."""
    left = [29.0]

    def pass_time(seconds: float) -> None:
        left[0] -= seconds

    def hang(_: Request) -> Outcome:
        pass_time(durations.pop())
        return Unavailable("slow")

    assert predict(REQUEST, hang, pass_time, random.Random(seed).uniform, lambda: left[0]).status == 503
    assert left[0] > 0


def test_an_answer_that_lambda_would_not_give_back_is_told_in_time() -> None:
    quotes = b'"' * (LONGEST_ANSWER // 2)  # each takes two characters in Lambda's reply
    reply, pauses = _ask([Answered(quotes)])
    assert (reply.status, pauses) == (413, [])
    assert "send fewer rows" in reply.body
    fitting = _ask([Answered(quotes[:-1])])[0]
    assert fitting.status == 200
    assert len(json.dumps(fitting.render())) < 6 * 1024 * 1024


def test_what_the_model_server_refuses_is_passed_on_at_once() -> None:
    said = {"error": {"type": "RequestError", "message": "row 1: feature 'petal' is missing"}}
    assert _ask([Refused(422, json.dumps(said))])[0] == Reply(422, json.dumps(said), {"content-type": "application/json"})
    assert json.loads(_ask([Refused(400, "not json")])[0].body) == {"error": {"type": "ModelError", "message": "not json"}}


def test_without_an_endpoint_it_says_the_next_step() -> None:
    reply, pauses = _ask([NotDeployed()])
    assert (reply.status, pauses) == (503, [])
    assert "no model is deployed yet. Next: " in reply.body


@pytest.fixture
def endpoint() -> Iterator[tuple[Endpoint, Stubber]]:
    client = boto3.client("sagemaker-runtime", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    with Stubber(client) as stubber:
        yield Endpoint(client, "flowers-dev"), stubber


@pytest.mark.parametrize(
    ("code", "status", "original", "expected"),
    [
        ("ModelError", 424, {"OriginalStatusCode": 400, "OriginalMessage": "bad"}, Refused(400, "bad")),
        ("ModelError", 424, {"OriginalStatusCode": 422, "OriginalMessage": "bad"}, Refused(422, "bad")),
        ("ModelError", 424, {"OriginalStatusCode": 500, "OriginalMessage": "died"}, Unavailable("the model server answered 500")),
        ("ServiceUnavailable", 503, {}, Unavailable("ServiceUnavailable")),
        ("InternalFailure", 500, {}, Unavailable("InternalFailure")),
        ("InternalDependencyException", 530, {}, Unavailable("InternalDependencyException")),
        ("ThrottlingException", 400, {}, Unavailable("ThrottlingException", 429)),
        ("RequestLimitExceeded", 503, {}, Unavailable("RequestLimitExceeded", 429)),
        ("SomethingNew", 429, {}, Unavailable("SomethingNew", 429)),
        ("SomethingNew", 502, {}, Unavailable("SomethingNew")),
        ("ModelNotReadyException", 429, {}, Unavailable("ModelNotReadyException")),
        ("ModelError", 424, {"OriginalStatusCode": 429, "OriginalMessage": ""}, Unavailable("the model server answered 429", 429)),
        ("ModelError", 424, {"OriginalStatusCode": 408, "OriginalMessage": ""}, Unavailable("the model server answered 408")),
        ("ModelError", 424, {"OriginalStatusCode": 504, "OriginalMessage": ""}, Unavailable("the model server answered 504", 504)),
        ("ModelError", 424, {"OriginalStatusCode": 0, "OriginalMessage": ""}, Unavailable("the model server did not answer in time", 504)),
        ("ValidationError", 400, {}, NotDeployed()),
    ],
)
def test_every_error_of_the_endpoint_has_its_outcome(
    endpoint: tuple[Endpoint, Stubber], code: str, status: int, original: dict[str, Any], expected: Outcome
) -> None:
    asked, stubber = endpoint
    stubber.add_client_error("invoke_endpoint", code, http_status_code=status, modeled_fields=original)
    assert asked.invoke(REQUEST) == expected


def test_a_missing_permission_is_not_hidden(endpoint: tuple[Endpoint, Stubber]) -> None:
    asked, stubber = endpoint
    stubber.add_client_error("invoke_endpoint", "AccessDeniedException", http_status_code=400)
    with pytest.raises(ClientError):
        asked.invoke(REQUEST)


@pytest.mark.parametrize(("error", "status"), [(EndpointConnectionError(endpoint_url="x"), 503), (ReadTimeoutError(endpoint_url="x"), 504)])
def test_a_broken_connection_is_a_failed_attempt(error: Exception, status: int) -> None:
    class Broken:
        def invoke_endpoint(self, **request: Any) -> None:
            raise error

    assert Endpoint(Broken(), "flowers-dev").invoke(REQUEST) == Unavailable(type(error).__name__, status)


def test_the_handler_answers_a_golden_request(
    endpoint: tuple[Endpoint, Stubber], monkeypatch: pytest.MonkeyPatch, context: Any, golden: Any
) -> None:
    asked, stubber = endpoint
    event = golden("predict_request")
    body = b'{"predictions": [{"prediction": "rose"}]}'
    expected = {
        "EndpointName": "flowers-dev",
        "Body": event["body"].encode(),
        "ContentType": "application/json",
        "Accept": "application/json",
        "InferenceId": inference_id("JKJaXmPLvHcESHA="),
    }
    stubber.add_response(
        "invoke_endpoint", {"Body": StreamingBody(io.BytesIO(body), len(body)), "ContentType": "application/json"}, expected
    )
    monkeypatch.setattr(handler, "ask", lambda: asked.invoke)
    monkeypatch.setattr(handler, "concealer", lambda: None)
    monkeypatch.setattr(handler, "project", lambda: {"api": {"maximum_body_kilobytes": 5120}})
    monkeypatch.setattr(handler, "variables", lambda: PredictEnvironment(endpoint_name="flowers-dev"))
    event["headers"]["x-tidewheel-user"] = "anna"
    reply = handler.handle(event, context)
    assert reply["headers"]["x-tidewheel-bucket"] == f"{int(bucket('anna', 'flowers-dev') * 10**6) / 10**6:.6f}"
    assert (reply["statusCode"], json.loads(reply["body"])["predictions"][0]["prediction"]) == (200, "rose")
    assert reply["headers"]["x-inference-id"] == expected["InferenceId"]


@pytest.mark.parametrize(
    ("chosen", "told"), [("order-17", "order-17"), ("a/b", inference_id("JKJaXmPLvHcESHA=")), ("", inference_id("JKJaXmPLvHcESHA="))]
)
def test_every_refusal_names_its_request(monkeypatch: pytest.MonkeyPatch, context: Any, golden: Any, chosen: str, told: str) -> None:
    monkeypatch.setattr(handler, "concealer", lambda: None)
    monkeypatch.setattr(handler, "project", lambda: {"api": {"maximum_body_kilobytes": 5120}})
    monkeypatch.setattr(handler, "ask", lambda: lambda _: Refused(400, "no"))
    for content_type in ("text/plain", "application/json"):
        event = golden("predict_request")
        event["headers"] |= {"content-type": content_type, "x-inference-id": chosen}
        reply = handler.handle(event, context)
        assert reply["statusCode"] in {400, 415}
        assert reply["headers"]["x-inference-id"] == told


HEAVY = ("pandas", "numpy", "sklearn", "contracts.config", "aws_lambda_powertools.utilities.parser", "aws_xray_sdk")


def test_a_cold_start_imports_nothing_heavy() -> None:
    program = f"import sys, lambdas.predict.handler; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"
