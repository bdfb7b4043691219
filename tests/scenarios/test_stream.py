"""A stream with wrong records, duplicates and a killed consumer: what is good is answered, in order; what is wrong is in the dead letters.

CloudFormation makes and removes the stack under the project's own policies, and what the stack's policies allow is shown to be needed.
"""

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.account import twin_account
from contracts.layout import STREAM
from contracts.stream import read_dead_letter
from stacks.execution import Place, execution_policies
from tests.scenarios.loop import AT_ONCE, CONFIG, Loop, synthesised, table, write_project
from tests.scenarios.test_execution import NAMES, hold
from twin.iam.grants import grants_of
from twin.iam.usage import usage
from twin.server import ACCOUNT, TwinServer

pytestmark = pytest.mark.timeout(280)

SPEED = 60.0
REGION = "us-east-1"
FUNCTION = "tides-dev-predict-stream"
KEYS = ["north", "south", "east", "west", "isle"]
# What no retry can mend, and words of the reason that the dead letter gives.
WRONG = {
    b"not JSON at all": "not JSON",
    b"\xff\xfe\x00": "UTF-8",
    b'["height", 0.1]': "list",
    b"[" * 5000: "not JSON|nested",
    b'{"height": 0.1, "wind": 0.2}': "'moon' is missing",
    b'{"height": "tall", "wind": 0.2, "moon": "full"}': "not a number",
    b'{"height": NaN, "wind": 0.2, "moon": "full"}': "NaN|JSON|number",
    b'{"height": 0.1, "wind": 0.2, "moon": "full", "note": "' + b"x" * 300_000 + b'"}': "'note' is unknown",
}


@dataclass
class Sea:
    """The app with a live model, and both ends of its stream."""

    loop: Loop

    def client(self, service: str) -> Any:
        return self.loop.app.account.client(service)

    def output(self, name: str) -> str:
        return self.loop.app.output("stream", name)

    def put(self, items: list[tuple[str, bytes]]) -> None:
        """Send records (key, data), in order."""
        kinesis, name = self.client("kinesis"), self.output("InputStreamName")
        for first in range(0, len(items), 100):
            records = [{"PartitionKey": key, "Data": data} for key, data in items[first : first + 100]]
            assert kinesis.put_records(StreamName=name, Records=records)["FailedRecordCount"] == 0

    def answers(self) -> list[dict[str, Any]]:
        """Every answer on the output stream, shard after shard, in its order."""
        kinesis, name = self.client("kinesis"), self.output("OutputStreamName")
        found = []
        for shard in kinesis.list_shards(StreamName=name)["Shards"]:
            iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
            for record in kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]:
                lines = [json.loads(line) for line in record["Data"].splitlines()]
                assert {line["partition_key"] for line in lines} == {record["PartitionKey"]}
                found += lines
        return found

    def letters(self) -> list[dict[str, Any]]:
        """Takes what is in the dead letters."""
        found, sqs = [], self.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self.output("DeadLettersUrl"), MaxNumberOfMessages=10).get("Messages"):
            found += [read_dead_letter(message["Body"]) for message in messages]
        for letter in found:
            if "payload_uri" in letter:
                bucket, _, key = letter["payload_uri"].removeprefix("s3://").partition("/")
                letter["data"] = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return found

    def written(self) -> list[dict[str, Any]]:
        """Every answer in S3."""
        s3, bucket = self.client("s3"), self.loop.app.output("data", "DataBucketName")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=f"{STREAM}tides/dt=").get("Contents", ())]
        bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)
        return [json.loads(line) for body in bodies for line in body.splitlines()]


@pytest.fixture(scope="module")
def sea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sea]:
    project = write_project(tmp_path_factory.mktemp("project"), CONFIG + AT_ONCE + "stream: {enabled: true, shards: 2, batch_size: 25}\n")
    assembly = synthesised(project)
    with TwinServer(tmp_path_factory.mktemp("twin"), assembly, speed=SPEED) as twin:
        hold(twin_account(twin.cloud.url, REGION), execution_policies(project.config, Place(ACCOUNT, REGION)))
        loop = Loop.deploy(twin, project, assembly)
        loop.accepted(table(300))
        loop.live(1)
        yield Sea(loop)


def good(number: int) -> bytes:
    """A row that the model takes; no two are alike."""
    generator = random.Random(number)
    return json.dumps({"height": round(generator.gauss(0, 1), 6), "wind": number / 1000, "moon": "full"}).encode()


def test_a_record_is_answered(sea: Sea) -> None:
    sea.put([("first", good(1))])
    (answer,) = sea.loop.until("the answer", lambda: sea.answers() or None)
    assert answer["prediction"] in {"yes", "no"}
    assert answer["partition_key"] == "first"
