"""predict_stream against an account: everything is delivered before Lambda is told of it, and what waits is told by its number."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contracts.stream import read_dead_letter
from lambdas.predict_stream import handler
from lambdas.predict_stream.logic import Answered, Refused, Request, Unavailable

Client = Callable[[str], Any]
Golden = Callable[[str], dict[str, Any]]
SHARD = "shardId-000000000006"
NUMBERS = [f"4959033827149025660855969253836157109592157598913658{number:04d}" for number in (1, 2, 3)]


class Endpoint:
    """Answers with the petal, or as it is told to."""

    def __init__(self, *outcomes: Refused | Unavailable) -> None:
        self._outcomes = list(outcomes)

    def ask(self, request: Request) -> Answered | Refused | Unavailable:
        if self._outcomes:
            return self._outcomes.pop(0)
        return Answered([{"prediction": row["petal"]} for row in json.loads(request.body)], {})


@pytest.fixture
def handle(account: Client, context: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """Calls the handler with an event while the endpoint answers so; gives the sequence numbers that it reports."""
    account("kinesis").create_stream(StreamName="flowers-dev-predictions", ShardCount=1)
    monkeypatch.setenv("OUTPUT_STREAM", "flowers-dev-predictions")
    monkeypatch.setenv("DEAD_LETTERS", account("sqs").create_queue(QueueName="dead-letters")["QueueUrl"])

    def call(event: dict[str, Any], *outcomes: Refused | Unavailable) -> list[str]:
        monkeypatch.setattr(handler, "endpoint", lambda: Endpoint(*outcomes))
        return [item["itemIdentifier"] for item in handler.handle(event, context)["batchItemFailures"]]

    yield call


def output(account: Client) -> list[tuple[str, list[float]]]:
    """Key and predictions of each record of the output stream."""
    kinesis = account("kinesis")
    start = {"StreamName": "flowers-dev-predictions", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    records = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**start)["ShardIterator"])["Records"]
    return [(record["PartitionKey"], [json.loads(line)["prediction"] for line in record["Data"].splitlines()]) for record in records]


def files(account: Client) -> dict[str, list[float]]:
    """The predictions in S3, by key."""
    s3 = account("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="data-bucket").get("Contents", ())]
    bodies = {key: s3.get_object(Bucket="data-bucket", Key=key)["Body"].read() for key in keys}
    return {key: [json.loads(line)["prediction"] for line in body.splitlines()] for key, body in bodies.items()}


def letters(account: Client) -> list[dict[str, Any]]:
    """The dead letters."""
    sqs = account("sqs")
    found = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName="dead-letters")["QueueUrl"], MaxNumberOfMessages=10)
    return [read_dead_letter(message["Body"]) for message in found.get("Messages", ())]


def test_a_golden_batch_is_predicted_and_the_same_again_is_the_same_file(
    handle: Callable[..., list[str]], account: Client, golden: Golden
) -> None:
    for _ in range(2):
        assert handle(golden("stream_records")) == []
    assert output(account) == [("rose-bed", [1.5, 2.5])] * 2
    assert files(account) == {f"stream/flowers/dt=2026-01-05/{SHARD}/{NUMBERS[0]}-{NUMBERS[2]}.jsonl": [1.5, 2.5]}
    first, second = letters(account)
    assert first == second
    assert (first["sequence_number"], first["partition_key"], first["data"]) == (NUMBERS[1], "pond", b"no JSON")
    assert first["arrived"] == "2026-01-05T09:30:02.123Z"


def test_an_endpoint_that_does_not_answer_keeps_the_batch(handle: Callable[..., list[str]], account: Client, golden: Golden) -> None:
    assert handle(golden("stream_records"), Unavailable("it is down")) == NUMBERS
    assert (output(account), files(account), letters(account)) == ([], {}, [])


def test_what_is_before_the_one_that_waits_is_delivered(handle: Callable[..., list[str]], account: Client, golden: Golden) -> None:
    event = golden("stream_records")
    event["Records"].insert(0, event["Records"].pop(1))  # the one that is no JSON comes first
    assert handle(event, Unavailable("it is down")) == [NUMBERS[0], NUMBERS[2]]
    assert len(letters(account)) == 1


def test_nothing_is_reported_when_a_prediction_cannot_be_delivered(
    handle: Callable[..., list[str]], account: Client, golden: Golden
) -> None:
    account("kinesis").delete_stream(StreamName="flowers-dev-predictions")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        handle(golden("stream_records"))
    assert letters(account) == []
