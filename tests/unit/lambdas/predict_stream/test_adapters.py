"""Whose fault it is when the endpoint does not answer, and where a dead letter's payload goes."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from contracts.stream import LONGEST_DEAD_LETTER, DeadLetter, read_dead_letter
from lambdas.predict_stream.adapters import Bucket, DeadLetters, Endpoint
from lambdas.predict_stream.logic import Answered, Refused, Request, Unavailable

REQUEST = Request(b"{}", "id-1")
SAID = json.dumps({"error": {"type": "RequestError", "message": "it does not fit", "problems": ["row 1: no", "row 2: no"]}})


class Runtime:
    """Raises, or answers with a body."""

    def __init__(self, outcome: Exception | bytes) -> None:
        self._outcome = outcome
        self.asked: dict[str, Any] = {}

    def invoke_endpoint(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return {"Body": io.BytesIO(self._outcome)}


def refused(code: str, status: int = 400, **more: Any) -> ClientError:
    """An error of InvokeEndpoint."""
    reply: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(reply, "InvokeEndpoint")


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (b'{"predictions": [{"prediction": 1}], "model": {"version": "2"}}', Answered([{"prediction": 1}], {"version": "2"})),
        (b'{"predictions": [{"prediction": 1}]}', Answered([{"prediction": 1}], {})),
        (refused("ModelError", 424, OriginalStatusCode=400, OriginalMessage=SAID), Refused("it does not fit; row 1: no; row 2: no")),
        (refused("ModelError", 424, OriginalStatusCode=422, OriginalMessage="no"), Refused("no")),
        (refused("ModelError", 424, OriginalStatusCode=500), Unavailable("the model server answered 500")),
        (refused("ModelError", 424, OriginalStatusCode=404), Unavailable("the model server answered 404")),
        (refused("ModelError", 424, OriginalStatusCode=429), Unavailable("the model server answered 429")),
        (refused("ModelError", 424), Unavailable("the model server answered 500")),
        (refused("ThrottlingException"), Unavailable("ThrottlingException")),
        (refused("InternalFailure", 500), Unavailable("InternalFailure")),
        (refused("ValidationError"), Unavailable("no model is deployed")),
        (EndpointConnectionError(endpoint_url="http://a"), Unavailable("EndpointConnectionError")),
        (ReadTimeoutError(endpoint_url="http://a"), Unavailable("ReadTimeoutError")),
    ],
)
def test_what_an_outcome_means(outcome: Exception | bytes, expected: object) -> None:
    runtime = Runtime(outcome)
    assert Endpoint(runtime, "tides-dev").ask(REQUEST) == expected
    assert (runtime.asked["EndpointName"], runtime.asked["Body"], runtime.asked["InferenceId"]) == ("tides-dev", b"{}", "id-1")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"predictions": [1]}', b'{"predictions": 1}', b"no"])
def test_an_answer_without_predictions_is_no_answer(body: bytes) -> None:
    outcome = Endpoint(Runtime(body), "tides-dev").ask(REQUEST)
    assert isinstance(outcome, Unavailable)
    assert "no predictions" in outcome.why


def test_what_time_cannot_mend_is_raised() -> None:
    with pytest.raises(ClientError, match="AccessDeniedException"):
        Endpoint(Runtime(refused("AccessDeniedException")), "tides-dev").ask(REQUEST)


class Store:
    """S3 and SQS, as far as they are used."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.messages: list[str] = []

    def put_object(self, Key: str, Body: bytes, **_: Any) -> None:  # noqa: N803 - boto3's names
        self.objects[Key] = Body

    def send_message(self, MessageBody: str, **_: Any) -> None:  # noqa: N803 - boto3's names
        self.messages.append(MessageBody)


@pytest.mark.parametrize("data", [b"short", b"\x00" * 50_000, b"\xff" * 300_000, b"x" * (LONGEST_DEAD_LETTER - 400)])
def test_a_payload_is_in_the_message_or_in_s3(data: bytes) -> None:
    store = Store()
    letter = DeadLetter("not JSON", "arn", "shard-1", "42", "key", "2026-11-20T10:00:00.000Z", data)
    DeadLetters(store, "url", Bucket(store, "bucket")).send(letter)
    (message,) = store.messages
    assert len(message.encode()) <= LONGEST_DEAD_LETTER
    read = read_dead_letter(message)
    if "data" in read:
        assert read["data"] == data
        assert store.objects == {}
    else:
        assert read["payload_uri"] == "s3://bucket/quarantine/stream/shard-1/42"
        assert store.objects == {"quarantine/stream/shard-1/42": data}
