"""A stream with wrong records, duplicates and a killed consumer: what is good is answered, in order; what is wrong is in the dead letters.

CloudFormation makes and removes the stack under the project's own policies, and what the stack's policies allow is shown to be needed.
"""

import base64
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.account import twin_account
from contracts.layout import STREAM
from contracts.stream import read_dead_letter
from stacks.execution import Place, execution_policies
from tests.formats import as_parquet
from tests.scenarios import batches
from tests.scenarios.loop import AT_ONCE, CONFIG, Loop, synthesised, table, write_project
from tests.scenarios.test_execution import NAMES, hold
from twin.iam.grants import grants_of
from twin.iam.usage import usage
from twin.sagemaker import transform_run
from twin.sagemaker.transform_records import RecordError
from twin.server import ACCOUNT, TwinServer

pytestmark = pytest.mark.timeout(280)

SPEED = 120.0
OPTIONS = "stream: {enabled: true, shards: 2, batch_size: 25}\nbatch: {schedule: rate(10 minutes)}\n"
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
        """A client of the account's root."""
        return self.loop.app.account.client(service)

    def output(self, name: str) -> str:
        """An output of the stream stack."""
        return self.loop.app.output("stream", name)

    def put(self, items: list[tuple[str, bytes]]) -> list[tuple[str, str]]:
        """Send records (key, data), in order; gives the shard and sequence number of each."""
        kinesis, name = self.client("kinesis"), self.output("InputStreamName")
        sent = []
        for first in range(0, len(items), 60):
            records = [{"PartitionKey": key, "Data": data} for key, data in items[first : first + 60]]
            reply = kinesis.put_records(StreamName=name, Records=records)
            assert reply["FailedRecordCount"] == 0
            sent += [(result["ShardId"], result["SequenceNumber"]) for result in reply["Records"]]
        return sent

    def alarm(self, name: str) -> str:
        """The state of an alarm."""
        (found,) = self.client("cloudwatch").describe_alarms(AlarmNames=[f"tides-dev-{name}"])["MetricAlarms"]
        return str(found["StateValue"])

    def errors(self) -> float:
        """How often the consumer has failed."""
        now = self.loop.twin.cloud.clock.now()
        named = {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": [{"Name": "FunctionName", "Value": FUNCTION}]}
        span = {"StartTime": now - timedelta(days=1), "EndTime": now + timedelta(minutes=1), "Period": 60, "Statistics": ["Sum"]}
        points = self.client("cloudwatch").get_metric_statistics(**named, **span)["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    def put_aside(self) -> list[tuple[str, str, bytes]]:
        """(shard, sequence number, data) of the records that Lambda put aside."""
        found = []
        for body in self.objects("aws/lambda/"):
            for item in json.loads(json.loads(body)["payload"])["Records"]:
                kinesis = item["kinesis"]
                found.append((item["eventID"].partition(":")[0], kinesis["sequenceNumber"], base64.b64decode(kinesis["data"])))
        return found

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
        return [json.loads(line) for body in self.objects(f"{STREAM}tides/dt=") for line in body.splitlines()]

    def objects(self, prefix: str) -> list[bytes]:
        """The objects of the data bucket below a prefix."""
        s3, bucket = self.client("s3"), self.loop.app.output("data", "DataBucketName")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())]
        return [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]


@pytest.fixture(scope="module")
def sea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sea]:
    """A record was sent before there was a model; it waited until somebody was told of it."""
    project = write_project(tmp_path_factory.mktemp("project"), CONFIG + AT_ONCE + OPTIONS)
    assembly = synthesised(project)
    with TwinServer(tmp_path_factory.mktemp("twin"), assembly, speed=SPEED) as twin:
        hold(twin_account(twin.cloud.url, REGION), execution_policies(project.config, Place(ACCOUNT, REGION)))
        loop = Loop.deploy(twin, project, assembly)
        sea = Sea(loop)
        sea.put([("early", good(0))])
        loop.until("the alarm on records that wait", lambda: sea.alarm("stream-late") == "ALARM" or None)
        loop.accepted(table(300))
        loop.live(1)
        yield sea


def good(number: int) -> bytes:
    """A row that the model takes; no two are alike."""
    generator = random.Random(number)
    return json.dumps({"height": round(generator.gauss(0, 1), 6), "wind": number / 1000, "moon": "full"}).encode()


@contextmanager
def killing(sea: Sea, times: int) -> Iterator[None]:
    """Kills the consumer in the middle of a batch meanwhile, some times at most."""
    functions, ended = sea.loop.twin.part("functions"), threading.Event()

    def kill() -> None:
        for _ in range(times):
            while not functions.pool(FUNCTION).busy:
                if ended.wait(0.002):
                    return
            functions.pool(FUNCTION).kill()
            ended.wait(0.1)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def origin(answer: dict[str, Any]) -> tuple[str, str]:
    """Which record an answer or a dead letter is about."""
    return answer["shard"], answer["sequence_number"]


def test_a_record_waits_for_the_first_model(sea: Sea) -> None:
    (answer,) = sea.loop.until("the answer", lambda: sea.answers() or None)
    assert answer["prediction"] in {"yes", "no"}
    assert answer["partition_key"] == "early"
    assert sea.letters() == []


def test_every_good_record_is_answered_in_order_and_every_wrong_one_is_in_the_dead_letters(sea: Sea) -> None:
    chance = random.Random(7)
    items = [(chance.choice(KEYS), good(number)) for number in range(1, 301)]
    items += items[:20]  # sent twice
    wrong = [(chance.choice(KEYS), data) for data in WRONG for _ in range(2)]
    for item in wrong:
        items.insert(chance.randrange(len(items)), item)
    before = sea.errors()
    with killing(sea, 4):
        sent = sea.put(items)
        expected = {where for where, (_, data) in zip(sent, items, strict=True) if data not in WRONG}
        sea.loop.until("every answer", lambda: True if expected <= {origin(answer) for answer in sea.answers()} else None)
    assert sea.errors() > before, "a batch was lost with the worker that had it"

    answers = sea.answers()
    for key in KEYS:
        first = list(dict.fromkeys(origin(answer) for answer in answers if answer["partition_key"] == key))
        assert first == [where for where, (own, data) in zip(sent, items, strict=True) if own == key and data not in WRONG]
    named: dict[str, set[tuple[str, str]]] = {}
    for answer in answers:
        named.setdefault(answer["inference_id"], set()).add(origin(answer))
    assert all(len(records) == 1 for records in named.values()), "an inference id is of one record"
    assert expected <= {origin(answer) for answer in sea.written()}

    bad = {where: data for where, (_, data) in zip(sent, items, strict=True) if data in WRONG}
    letters = sea.letters()
    assert {origin(letter) for letter in letters} == set(bad)
    for letter in letters:
        assert letter["data"] == bad[origin(letter)]
        assert any(words in letter["reason"] for words in WRONG[letter["data"]].split("|")), letter["reason"]
        assert letter["stream"].endswith(":stream/tides-dev-requests")


def test_the_stream_and_the_api_predict_alike(sea: Sea) -> None:
    rows = [good(number) for number in range(1, 6)]
    reply = sea.loop.api().post(b'{"instances":[' + b",".join(rows) + b"]}").document()["predictions"]
    sent = sea.put([("same", row) for row in rows])
    sea.loop.until("the answers", lambda: True if set(sent) <= {origin(answer) for answer in sea.answers()} else None)
    said = {origin(answer): answer for answer in sea.answers()}
    for where, expected in zip(sent, reply, strict=True):
        assert {name: said[where][name] for name in ("prediction", "probability")} == {
            name: expected[name] for name in ("prediction", "probability")
        }


def test_what_the_function_cannot_do_is_put_aside_with_its_records(sea: Sea) -> None:
    functions = sea.client("lambda")
    known = functions.get_function_configuration(FunctionName=FUNCTION)["Environment"]
    (mapping,) = functions.list_event_source_mappings(FunctionName=FUNCTION)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=0)
    variables = {"Variables": known["Variables"] | {"ENDPOINT_NAME": "somebody-elses"}}
    functions.update_function_configuration(FunctionName=FUNCTION, Environment=variables)
    rows = [good(number) for number in range(400, 404)]
    sent = sea.put([("aside", row) for row in rows])
    found = sea.loop.until("what was put aside", lambda: sea.put_aside() if len(sea.put_aside()) == len(rows) else None)
    assert sorted(found) == sorted((*where, row) for where, row in zip(sent, rows, strict=True))
    functions.update_function_configuration(FunctionName=FUNCTION, Environment=known)
    functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=100)
    sent = sea.put([("aside", row) for row in rows])
    sea.loop.until("the shard to go on", lambda: True if set(sent) <= {origin(answer) for answer in sea.answers()} else None)


def test_every_statement_of_the_function_is_needed_and_nothing_else_was_asked(sea: Sea) -> None:
    cloud = sea.loop.twin.cloud
    grants = grants_of(sea.loop.twin.part("cloudformation").stacks(), cloud.account, cloud.region)
    own = [grant for grant in grants if grant.stack == "tides-dev-stream" and grant.owner.startswith("PredictStream")]
    decisions = sea.loop.twin.part("iam").decisions.latest()
    assert len(own) > 5
    superfluous = [each for used in usage(own, decisions) for each in used.superfluous]
    assert superfluous == []
    denied = {each.action for each in decisions if not each.allowed and "PredictStream" in each.caller}
    assert denied == {"sagemaker:InvokeEndpoint"}, "of somebody else's endpoint"


def test_tables_that_wait_are_predicted_by_themselves(sea: Sea, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other; a row on which the model fails is found by further jobs, and a table that is none has its reason."""
    answered = transform_run.Run._ask

    def ask(self: transform_run.Run, instance: Any, payload: bytes) -> bytes:
        if any(json.loads(line)["height"] == 77 for line in payload.splitlines()):
            raise RecordError("it cannot compute with that")
        return answered(self, instance, payload)

    monkeypatch.setattr(transform_run.Run, "_ask", ask)
    loop, lines = sea.loop, table(90, seed=6).splitlines()
    lines[5], lines[6] = "high,0,new,yes", "77,0,new,yes"
    uris = [
        batches.wait_here(loop, "a.csv", "\n".join(lines).encode()),
        batches.wait_here(loop, "b.csv", b"height,moon\n1,new\n"),
        batches.wait_here(loop, "c.parquet", as_parquet(table(30))),
        batches.wait_here(loop, "d.csv", b""),
    ]
    found = loop.until("the summaries", lambda: each if len(each := batches.summaries(loop)) == len(uris) else None)
    counts = [tuple(found[uri][name] for name in ("rows", "predicted", "rejected", "failed")) for uri in uris]
    assert counts == [(90, 88, 1, 1), (0, 0, 0, 0), (30, 30, 0, 0), (0, 0, 0, 0)]
    assert "no column wind" in found[uris[1]]["problem"]
    assert "is empty" in found[uris[3]]["problem"]
    assert len(found[uris[0]]["jobs"]) == 3
    predicted = batches.result(loop, found[uris[0]], "predictions.csv")
    assert [int(row["row"]) for row in predicted] == [number for number in range(2, 92) if number not in {6, 7}]
    assert {row["prediction"] for row in predicted} == {"yes", "no"}
    missing = batches.result(loop, found[uris[0]], "missing.csv")
    assert [(row["row"], row["state"]) for row in missing] == [("6", "rejected"), ("7", "failed")]
    assert "high" not in missing[0]["why"], "cells are not told where nobody asked for them"
    decided = {each.subject: str(each.what) for each in loop.app.decisions() if each.what.startswith("batch_")}
    assert decided == dict(zip(uris, ["batch_incomplete", "batch_incomplete", "batch_predicted", "batch_incomplete"], strict=True))
    again = batches.wait_here(loop, "c.parquet", as_parquet(table(40)))
    loop.until("the new version", lambda: (again, 40) in [(each["source"], each["rows"]) for each in batches.told(loop)] or None)
    loop.until("everything to be cleared", lambda: not batches.left_in_s3(loop) or None)
    assert loop.app.sagemaker.list_models(NameContains="-batch-")["Models"] == []


def test_every_statement_of_start_batch_is_needed_and_nothing_else_was_asked(sea: Sea) -> None:
    sea.client("lambda").invoke(FunctionName="tides-dev-start-batch", InvocationType="Event", Payload=b"{}")
    queue = {"QueueUrl": sea.loop.app.output("batch", "DeadLettersUrl")}
    sea.loop.until("the dead letter of an event that is none", lambda: sea.client("sqs").receive_message(**queue).get("Messages"))
    cloud = sea.loop.twin.cloud
    grants = grants_of(sea.loop.twin.part("cloudformation").stacks(), cloud.account, cloud.region)
    own = [grant for grant in grants if grant.stack == "tides-dev-batch" and grant.owner.startswith("StartBatch")]
    decisions = sea.loop.twin.part("iam").decisions.latest()
    assert len(own) > 10
    assert [each for used in usage(own, decisions) for each in used.superfluous] == []
    assert {each.action for each in decisions if not each.allowed and "StartBatch" in each.caller} == set()


def test_cloudformation_needs_every_statement_for_streams(sea: Sea) -> None:
    cloudformation = sea.loop.app.account.assume(NAMES.role_arn("deploy"), "tests").client("cloudformation")
    cloudformation.delete_stack(StackName="tides-dev-stream", RoleARN=NAMES.role_arn("cfn-exec"))
    sea.loop.twin.part("cloudformation").wait("tides-dev-stream")
    asked = [each for each in sea.loop.twin.part("iam").decisions.latest() if each.caller == NAMES.role_arn("cfn-exec")]
    assert [(each.action, each.resource) for each in asked if not each.allowed] == []
    needed = {each.statement for each in asked}
    assert {sid for sid in ("Streams", "StreamEncryption", "Mappings") if any(sid in str(name) for name in needed)} == {
        "Streams",
        "StreamEncryption",
        "Mappings",
    }
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sea.client("kinesis").describe_stream_summary(StreamName="tides-dev-requests")
