"""Functions that read a stream: under their role, shard by shard, in order; and what is given up gets to its destination."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.functions.helpers import make_role, policy
from twin.server import TwinServer

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/tides"
READ = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
# Says what it got; a record "die" kills it, and one "wait" is not handled.
SOURCE = """
import base64, json, os
def handle(event, context):
    texts = [base64.b64decode(each["kinesis"]["data"]).decode() for each in event["Records"]]
    if "die" in texts:
        os._exit(1)
    done = texts.index("wait") if "wait" in texts else len(texts)
    print("GOT " + json.dumps([event["Records"][0]["eventID"].split(":")[0], texts[:done]]))
    return {"batchItemFailures": [{"itemIdentifier": each["kinesis"]["sequenceNumber"]} for each in event["Records"][done:]]}
"""
Make = Callable[..., str]
pytestmark = pytest.mark.parametrize("speed", [60.0])


class Tides:
    """A stream, and a function that may read it."""

    def __init__(self, twin: TwinServer, make: Make, shards: int = 1) -> None:
        self.twin = twin
        self.kinesis, self.functions = twin.cloud.client("kinesis"), twin.cloud.client("lambda")
        self.kinesis.create_stream(StreamName="tides", ShardCount=shards)
        self._allow("reader", *READ, "s3:PutObject", "s3:ListBucket", "sqs:SendMessage", "logs:*")
        make(SOURCE, "reader", Role="arn:aws:iam::123456789012:role/reader")

    def _allow(self, name: str, *actions: str) -> None:
        make_role(self.twin, name, "lambda.amazonaws.com", document=policy((list(actions), "*")))

    def put(self, *texts: str, key: str = "key") -> None:
        """Send records."""
        self.kinesis.put_records(StreamName="tides", Records=[{"Data": text.encode(), "PartitionKey": key} for text in texts])

    def map(self, **settings: Any) -> str:
        """Let the function read; the mapping's id."""
        given = {"StartingPosition": "TRIM_HORIZON", "FunctionResponseTypes": ["ReportBatchItemFailures"]} | settings
        made: str = self.functions.create_event_source_mapping(EventSourceArn=ARN, FunctionName="reader", **given)["UUID"]
        return made

    def got(self) -> list[list[Any]]:
        """What each invocation got: shard, texts."""
        logs = self.twin.cloud.client("logs")
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/reader", limit=10_000)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        said = sorted((event for event in events if "GOT " in event["message"]), key=lambda event: float(event["timestamp"]))
        return [json.loads(event["message"].split("GOT ")[1]) for event in said]

    def texts(self) -> list[str]:
        """All records that were got, in order."""
        return [text for _, texts in self.got() for text in texts]

    def until(self, done: Callable[[], Any]) -> Any:
        """Wait for something to be true."""
        for _ in range(400):
            if found := done():
                return found
            time.sleep(0.05)
        raise AssertionError(f"it did not come about; the function got {self.got()}")


def test_records_are_read_in_batches_from_each_shard_in_order(twin: TwinServer, function: Make) -> None:
    tides = Tides(twin, function, shards=2)
    for number in range(20):
        tides.put(str(number), key=f"key-{number % 5}")
    tides.map(BatchSize=4)
    tides.until(lambda: len(tides.texts()) == 20)
    shards = {shard for shard, _ in tides.got()}
    assert len(shards) == 2
    for shard in shards:
        own = [int(text) for name, texts in tides.got() if name == shard for text in texts]
        assert own == sorted(own)
    assert max(len(texts) for _, texts in tides.got()) == 4
    age = twin.cloud.client("cloudwatch").list_metrics(Namespace="AWS/Lambda", MetricName="IteratorAge")["Metrics"]
    assert age[0]["Dimensions"] == [{"Name": "FunctionName", "Value": "reader"}]


def test_a_batch_is_filled_within_its_window_from_the_latest_record_on(twin: TwinServer, function: Make) -> None:
    tides = Tides(twin, function)
    tides.put("before")
    tides.map(StartingPosition="LATEST", MaximumBatchingWindowInSeconds=300, BatchSize=3)
    for text in "abc":
        tides.put(text)
        time.sleep(0.1)
    tides.until(lambda: tides.got() == [["shardId-000000000000", ["a", "b", "c"]]])


def test_a_record_that_kills_the_function_is_put_aside_with_its_payload(twin: TwinServer, function: Make) -> None:
    tides = Tides(twin, function)
    s3 = twin.cloud.client("s3")
    s3.create_bucket(Bucket="aside")
    tides.put("a", "b", "die", "c")
    destination = {"OnFailure": {"Destination": "arn:aws:s3:::aside"}}
    identity = tides.map(MaximumRetryAttempts=1, BisectBatchOnFunctionError=True, DestinationConfig=destination)
    tides.until(lambda: tides.texts() == ["a", "b", "c"])
    (item,) = s3.list_objects_v2(Bucket="aside")["Contents"]
    assert item["Key"].startswith(f"aws/lambda/{identity}/shardId-000000000000/")
    record = json.loads(s3.get_object(Bucket="aside", Key=item["Key"])["Body"].read())
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert (record["KinesisBatchInfo"]["batchSize"], record["KinesisBatchInfo"]["startSequenceNumber"]) == (1, "3")
    assert [each["kinesis"]["data"] for each in json.loads(record["payload"])["Records"]] == ["ZGll"]
    assert [failure.reason for failure in twin.part("functions").failures] == ["RetryAttemptsExhausted"]


def test_a_queue_gets_no_payload(twin: TwinServer, function: Make) -> None:
    tides = Tides(twin, function)
    sqs = twin.cloud.client("sqs")
    url = sqs.create_queue(QueueName="aside")["QueueUrl"]
    tides.put("die", "a")
    tides.map(
        MaximumRetryAttempts=0, BatchSize=1, DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:aside"}}
    )
    tides.until(lambda: tides.texts() == ["a"])
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["KinesisBatchInfo"]["shardId"] == "shardId-000000000000"
    assert "payload" not in json.loads(message["Body"])


def test_what_waits_keeps_its_place_until_it_is_too_old(twin: TwinServer, function: Make) -> None:
    tides = Tides(twin, function)
    tides.map(MaximumRecordAgeInSeconds=7200)
    tides.put("a", "wait")
    tides.until(lambda: tides.texts() == ["a"])
    functions = twin.part("functions")
    tides.until(lambda: functions.pausing == functions.waiting == 1)
    tides.put("b")
    twin.cloud.clock.advance(1800)
    time.sleep(0.3)
    assert tides.texts() == ["a"]
    twin.cloud.clock.advance(5400)
    tides.put("c")
    tides.until(lambda: "c" in tides.texts())
    assert twin.part("functions").failures[0].reason == "RecordAgeExceeded"


def test_a_killed_worker_gets_its_batch_again(twin: TwinServer, function: Make) -> None:
    tides = Tides(twin, function)
    tides.map()
    tides.put("a")
    tides.until(lambda: tides.texts() == ["a"])
    for number in range(10):
        tides.put(str(number))
        twin.part("functions").pool("reader").kill()
    tides.until(lambda: set(map(str, range(10))) <= set(tides.texts()))
    first = list(dict.fromkeys(tides.texts()))
    assert first == ["a", *map(str, range(10))]


def test_a_disabled_mapping_reads_nothing_and_a_removed_one_neither(twin: TwinServer, function: Make) -> None:
    tides = Tides(twin, function)
    identity = tides.map(Enabled=False)
    tides.put("a")
    time.sleep(0.3)
    assert tides.got() == []
    tides.functions.update_event_source_mapping(UUID=identity, Enabled=True)
    tides.until(lambda: tides.texts() == ["a"])
    assert tides.functions.get_event_source_mapping(UUID=identity)["LastProcessingResult"] == "OK"
    tides.functions.delete_event_source_mapping(UUID=identity)
    tides.put("b")
    time.sleep(0.3)
    assert tides.texts() == ["a"]
    assert tides.functions.list_event_source_mappings(FunctionName="reader")["EventSourceMappings"] == []


def test_the_functions_role_must_be_able_to_read(twin: TwinServer, function: Make) -> None:
    tides = Tides(twin, function)
    iam = twin.cloud.client("iam")
    for missing in READ:
        document = policy(([action for action in READ if action != missing], ARN))
        iam.put_role_policy(RoleName="reader", PolicyName="inline", PolicyDocument=document)
        with pytest.raises(ClientError, match=f"Cannot access stream tides.*{missing}"):
            tides.map()
    assert tides.functions.list_event_source_mappings()["EventSourceMappings"] == []


def test_one_mapping_is_enough_and_some_are_refused_by_name(twin: TwinServer, function: Make) -> None:
    tides = Tides(twin, function)
    tides.map()
    with pytest.raises(ClientError, match="already mapped"):
        tides.map()
    for settings in ({"StartingPosition": "AT_TIMESTAMP"}, {"ParallelizationFactor": 2}, {"TumblingWindowInSeconds": 5}):
        with pytest.raises(ClientError, match="event source mappings"):
            tides.map(**settings)
    with pytest.raises(ClientError, match="a change of a stream's shards"):
        tides.kinesis.update_shard_count(StreamName="tides", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
