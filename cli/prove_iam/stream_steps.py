"""A stream, where the project has one: a record is predicted, a wrong one is a dead letter, and what cannot be done is put aside."""

import json
from collections.abc import Callable
from typing import Any

from cli.prove_iam.endpoint_steps import with_live
from cli.prove_iam.failure_steps import letter
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from cli.prove_iam.traffic_steps import objects, written
from contracts.config import Config
from contracts.layout import PUT_ASIDE, QUARANTINE, STREAM
from contracts.stream import LONGEST_DEAD_LETTER

FUNCTION = "predict-stream"
ELSEWHERE = "an-endpoint-of-somebody-else"


def has_stream(config: Config) -> bool:
    """Whether these steps have anything to be about."""
    return config.stream.enabled


def _put(session: Session, data: bytes) -> str:
    """Send a record; its partition key, which no other has."""
    key = session.name("key")
    session.client("kinesis").put_record(StreamName=session.app.output("stream", "InputStreamName"), PartitionKey=key, Data=data)
    return key


def _row(session: Session) -> bytes:
    (row,) = session.rows(1)
    return json.dumps(row.record).encode()


def _answers(session: Session, key: str) -> list[bytes] | None:
    """What the output stream has under a partition key."""
    kinesis, name = session.client("kinesis"), session.app.output("stream", "OutputStreamName")
    records = []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        start = {"StreamName": name, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        found = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**start)["ShardIterator"])["Records"]
        records += [record["Data"] for record in found if record["PartitionKey"] == key]
    return records or None


def _predict(session: Session) -> None:
    since, known = session.traceable(FUNCTION), objects(session, session.app.data_bucket, STREAM)
    key = _put(session, _row(session))
    session.reach("a prediction on the output stream", lambda: _answers(session, key))
    written(session, session.app.data_bucket, STREAM, known)
    session.logged(FUNCTION, since)
    session.traced(FUNCTION, since)


def _dead_letter(session: Session, data: bytes) -> None:
    key = _put(session, data)
    url = session.app.output("stream", "DeadLettersUrl")
    arn = session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    letter(session, arn, lambda message: f'"{key}"' in message["Body"])


def _wrong(session: Session) -> None:
    _dead_letter(session, b"no JSON")


def _long(session: Session) -> None:
    known = objects(session, session.app.data_bucket, f"{QUARANTINE}{STREAM}")
    _dead_letter(session, b"x" * LONGEST_DEAD_LETTER)
    written(session, session.app.data_bucket, f"{QUARANTINE}{STREAM}", known)


def _put_aside(session: Session) -> None:
    """The function asks an endpoint that it may not ask, and nothing is tried again."""
    functions, name = session.client("lambda"), f"{session.app.prefix}-{FUNCTION}"
    known = objects(session, session.app.data_bucket, PUT_ASIDE)
    own = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    _configure(functions, name, own | {"ENDPOINT_NAME": ELSEWHERE}, 0)
    try:
        _put(session, _row(session))
        session.reach("a batch that is put aside", _newer(session, known), given_up_is_well=True)
    finally:
        _configure(functions, name, own, session.project.config.stream.retries)


def _newer(session: Session, known: frozenset[str]) -> Callable[[], frozenset[str] | None]:
    return lambda: objects(session, session.app.data_bucket, PUT_ASIDE) - known or None


def _configure(functions: Any, name: str, variables: dict[str, str], retries: int) -> None:
    (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=retries)
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


STREAM_STEPS = (
    Step("stream", "a record of the stream is predicted", _predict, ready=with_live, when=has_stream),
    Step("wrong record", "a record that can never be predicted is a dead letter", _wrong, when=has_stream),
    Step("long wrong record", "such a record that is too long for a message is in quarantine", _long, when=has_stream),
    Step(
        "record put aside",
        "a record that the function cannot handle is put aside with what is in it",
        _put_aside,
        refusals=(("*-PredictStreamRole*", "sagemaker:InvokeEndpoint"),),
        gives_up=True,
        when=has_stream,
    ),
)
