"""The bus through the EventBridge, S3 and Scheduler APIs: who gets what, when, and what happens when it cannot be delivered."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.functions.helpers import make_role, policy, queue_policy
from twin.events.faults import matching
from twin.server import TwinServer

ACCOUNT = "123456789012"
RECORD = "import json\ndef handle(event, context):\n    print('GOT ' + json.dumps(event))\n"


class Bus:
    """Queues as targets, and what they got."""

    def __init__(self, twin: TwinServer) -> None:
        self.twin = twin
        self.events = twin.cloud.client("events")
        self.sqs = twin.cloud.client("sqs")

    def queue(self, name: str, rule: str | None = None, **more: str) -> str:
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        statement: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{rule}"}},
        }
        attributes = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})} if rule else {}
        self.sqs.create_queue(QueueName=name, Attributes=attributes | more)
        return arn

    def open_to(self, topic: str, name: str, **more: str) -> str:
        """A queue that lets a topic in."""
        arn = self.queue(name, **more)
        self.sqs.set_queue_attributes(QueueUrl=f"{self.twin.cloud.url}/{ACCOUNT}/{name}", Attributes={"Policy": queue_policy(arn, topic)})
        return arn

    def rule(self, name: str, pattern: dict[str, Any], target: dict[str, Any], **settings: Any) -> str:
        arn: str = self.events.put_rule(Name=name, EventPattern=json.dumps(pattern), **settings)["RuleArn"]
        self.events.put_targets(Rule=name, Targets=[{"Id": "t"} | target])
        return arn

    def put(self, source: str = "app", detail: Any = None, **entry: Any) -> dict[str, Any]:
        fields = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail or {})} | entry
        result: dict[str, Any] = self.events.put_events(Entries=[fields])["Entries"][0]
        return result

    def got(self, name: str, attributes: bool = False) -> list[Any]:
        assert self.twin.part("events").router.wait_idle()
        found = []
        while messages := self.sqs.receive_message(
            QueueUrl=f"{self.twin.cloud.url}/{ACCOUNT}/{name}", MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            found += [message if attributes else json.loads(message["Body"]) for message in messages]
        return found


def test_a_topic_sends_only_to_queues_that_let_it_in(bus: Bus) -> None:
    sns = bus.twin.cloud.client("sns")
    one, other = (sns.create_topic(Name=name)["TopicArn"] for name in ("one", "other"))
    encrypted = {"KmsMasterKeyId": key_for(bus.twin, {})}
    for name, arn in (
        ("closed", bus.queue("closed")),
        ("open", bus.open_to(one, "open")),
        ("another", bus.open_to(other, "another")),
        ("locked", bus.open_to(one, "locked", **encrypted)),
    ):
        sns.subscribe(TopicArn=one, Protocol="sqs", Endpoint=arn)
        sns.publish(TopicArn=one, Message=name)
    bodies = {name: [message["Message"] for message in bus.got(name)] for name in ("closed", "open", "another")}
    assert bodies == {"closed": [], "open": ["open", "another", "locked"], "another": []}
    queues = bus.sqs.get_queue_attributes(QueueUrl=f"{bus.twin.cloud.url}/{ACCOUNT}/locked", AttributeNames=["All"])["Attributes"]
    assert queues["ApproximateNumberOfMessages"] == "0"  # its key knows EventBridge, and not SNS


def ticked(twin: TwinServer) -> None:
    """Wait until the schedules were looked at, and what was due has been delivered."""
    ticker = twin.part("events").ticker
    wanted = ticker.ticks + 2
    end = time.monotonic() + 10
    while ticker.ticks < wanted:
        assert time.monotonic() < end, "the ticker stands still"
        time.sleep(0.01)
    assert twin.part("events").router.wait_idle()


@pytest.fixture
def bus(twin: TwinServer) -> Bus:
    return Bus(twin)


def received(twin: TwinServer, count: int) -> list[Any]:
    """What the function `f` has got, when it is `count` events."""
    log = twin.cloud.folder / "functions" / "f.log"
    end = time.monotonic() + 10
    while time.monotonic() < end:
        lines = [line.partition("GOT ")[2] for line in log.read_text().splitlines() if "GOT " in line] if log.exists() else []
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        time.sleep(0.02)
    raise AssertionError(f"{count} events did not arrive")


def test_an_event_reaches_the_rules_it_matches_with_an_id_of_its_own(bus: Bus) -> None:
    target = {"Arn": bus.queue("q", "r")}
    bus.rule("r", {"source": ["app"], "detail": {"n": [{"numeric": [">", 1]}]}}, target)
    ids = [bus.put(detail={"n": n})["EventId"] for n in (1, 2, 3)]
    got = {event["id"]: event for event in bus.got("q")}
    assert set(got) == set(ids[1:])
    event = got[ids[1]]
    assert (event["source"], event["detail-type"], event["detail"], event["account"]) == ("app", "Test", {"n": 2}, ACCOUNT)
    assert event["time"].endswith("Z")


def test_disabled_and_scheduled_rules_get_no_events(bus: Bus) -> None:
    bus.rule("off", {"source": ["app"]}, {"Arn": bus.queue("q1", "off")}, State="DISABLED")
    bus.events.put_rule(Name="timed", ScheduleExpression="rate(1 day)")
    bus.events.put_targets(Rule="timed", Targets=[{"Id": "t", "Arn": bus.queue("q2", "timed")}])
    bus.put()
    assert bus.got("q1") == bus.got("q2") == []


def test_users_cannot_speak_for_aws_and_malformed_entries_are_answered_one_by_one(bus: Bus) -> None:
    assert bus.put("aws.s3")["ErrorCode"] == "NotAuthorizedForSourceException"
    assert bus.put(Detail="{")["ErrorCode"] == "MalformedDetail"
    assert "EventId" in bus.put()
    with pytest.raises(ClientError, match="ValidationException"):
        bus.events.put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}] * 11)


def test_a_pattern_that_eventbridge_does_not_know_is_refused(bus: Bus) -> None:
    with pytest.raises(ClientError, match="InvalidEventPatternException"):
        bus.events.put_rule(Name="r", EventPattern=json.dumps({"source": [{"sounds-like": "app"}]}))
    pattern, event = {"detail": {"a": {"x": [1], "y": [1]}}}, {"detail": {"a": [{"x": 1, "y": 2}, {"x": 2, "y": 1}]}}
    entries = {"id": "1", "source": "s", "account": "1", "time": "2026-01-01T00:00:00Z", "region": "r", "resources": [], "detail-type": "d"}
    assert bus.events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(entries | event))["Result"] is False


def test_input_transformers_as_cdk_writes_them(bus: Bus) -> None:
    transformer = {"InputPathsMap": {"detail-n": "$.detail.n"}, "InputTemplate": '{"n":<detail-n>}'}
    bus.rule("r", {"source": ["app"]}, {"Arn": bus.queue("q", "r"), "InputTransformer": transformer})
    bus.put(detail={"n": 4})
    assert bus.got("q") == [{"n": 4}]


def test_what_cannot_be_delivered_is_dead_lettered_and_listed(bus: Bus) -> None:
    closed = bus.queue("closed")
    arn = bus.rule("r", {"source": ["app"]}, {"Arn": closed, "DeadLetterConfig": {"Arn": bus.queue("dead", "r")}})
    bus.put(detail={"n": 1})
    assert bus.got("closed") == []
    [message] = bus.got("dead", attributes=True)
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["RULE_ARN"] == arn
    assert attributes["TARGET_ARN"] == closed
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    [undelivered] = bus.twin.part("events").router.undelivered
    assert undelivered.dead_letter is not None
    assert "no resource-based policy allows" in undelivered.reason


def key_for(twin: TwinServer, condition: dict[str, Any]) -> str:
    """A key that EventBridge may send with, under a condition."""
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
    events = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": condition,
    }
    key: str = twin.cloud.client("kms").create_key(Policy=json.dumps({"Statement": [root, events]}))["KeyMetadata"]["Arn"]
    return key


@pytest.mark.parametrize(("rule", "delivered"), [("r", 1), ("other-*", 0)])
def test_an_encrypted_dead_letter_queue_needs_its_key_to_trust_the_rule(bus: Bus, rule: str, delivered: int) -> None:
    key = key_for(bus.twin, {"ArnLike": {"aws:SourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{rule}"}})
    dead = bus.queue("dead", "r", KmsMasterKeyId=key)
    bus.rule("r", {"source": ["app"]}, {"Arn": bus.queue("closed"), "DeadLetterConfig": {"Arn": dead}})
    bus.put()
    assert len(bus.got("dead")) == delivered
    [undelivered] = bus.twin.part("events").router.undelivered
    assert ("kms:GenerateDataKey" in undelivered.reason) is (delivered == 0)


@pytest.mark.parametrize(("condition", "delivered"), [({}, 1), ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, 0)])
def test_an_encrypted_topics_key_knows_no_source_of_eventbridge(bus: Bus, condition: dict[str, Any], delivered: int) -> None:
    sns = bus.twin.cloud.client("sns")
    topic = sns.create_topic(Name="t", Attributes={"KmsMasterKeyId": key_for(bus.twin, condition)})["TopicArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({"Statement": [allowed]}))
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=bus.open_to(topic, "got"))
    bus.rule("r", {"source": ["app"]}, {"Arn": topic})
    bus.put()
    assert len(bus.got("got")) == delivered


def test_an_unknown_target_is_refused_by_name(bus: Bus) -> None:
    bus.rule("r", {"source": ["app"]}, {"Arn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"})
    bus.put()
    bus.twin.part("events").router.wait_idle()
    [undelivered] = bus.twin.part("events").router.undelivered
    assert "kinesis" in undelivered.reason


def test_a_function_needs_the_rules_permission(bus: Bus, twin: TwinServer, function: Callable[..., str]) -> None:
    arn = bus.rule("r", {"source": ["app"]}, {"Arn": function(RECORD)})
    bus.put(detail={"n": 1})
    twin.part("events").router.wait_idle()
    assert [item.code for item in twin.part("events").router.undelivered] == ["NO_PERMISSIONS"]
    twin.cloud.client("lambda").add_permission(
        FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal="events.amazonaws.com", SourceArn=arn
    )
    bus.put(detail={"n": 2})
    assert [event["detail"] for event in received(twin, 1)] == [{"n": 2}]


def test_s3_events_have_awss_detail(bus: Bus, twin: TwinServer) -> None:
    bus.rule("r", {"source": ["aws.s3"]}, {"Arn": bus.queue("q", "r")})
    s3 = twin.cloud.client("s3")
    s3.create_bucket(Bucket="data")
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="data", Key="silent", Body=b"x")
    s3.put_bucket_notification_configuration(Bucket="data", NotificationConfiguration={"EventBridgeConfiguration": {}})
    put = s3.put_object(Bucket="data", Key="uploads/a b+c.csv", Body=b"xy")
    s3.copy_object(Bucket="data", Key="copy", CopySource="data/silent")
    first, second = sorted(bus.got("q"), key=lambda event: event["detail"]["object"]["sequencer"])
    assert first["detail-type"] == "Object Created"
    assert first["resources"] == ["arn:aws:s3:::data"]
    assert first["detail"]["bucket"] == {"name": "data"}
    assert first["detail"]["reason"] == "PutObject"
    found = first["detail"]["object"]
    assert (found["key"], found["size"], found["version-id"]) == ("uploads/a b+c.csv", 2, put["VersionId"])
    assert found["etag"] == put["ETag"].strip('"')
    assert second["detail"]["reason"] == "CopyObject"
    assert first["id"] != second["id"]


def test_services_publish_on_the_default_bus(bus: Bus, twin: TwinServer) -> None:
    bus.rule("r", {"detail-type": ["SageMaker Model Package State Change"]}, {"Arn": bus.queue("q", "r")})
    twin.cloud.publish("aws.sagemaker", "SageMaker Model Package State Change", {"ModelApprovalStatus": "Approved"}, ["arn:x"])
    [event] = bus.got("q")
    assert (event["source"], event["resources"]) == ("aws.sagemaker", ["arn:x"])


def test_faults_drop_duplicate_and_reorder(bus: Bus, twin: TwinServer) -> None:
    bus.rule("r", {"source": [{"prefix": ""}]}, {"Arn": bus.queue("q", "r")})
    faults = twin.part("events").faults
    faults.drop(matching(source="lost"), times=1)
    faults.duplicate(matching(source="twice"))
    for source in ("lost", "lost", "twice", "once"):
        bus.put(source)
    assert sorted(event["source"] for event in bus.got("q")) == ["lost", "once", "twice", "twice"]
    faults.clear()
    faults.reorder(matching(source="app"), window=2)
    bus.put(detail={"n": 1})
    assert bus.got("q") == []
    bus.put(detail={"n": 2})
    assert sorted(event["detail"]["n"] for event in bus.got("q")) == [1, 2]
    assert [kind for kind, _ in faults.hit] == ["drop", "duplicate", "reorder", "reorder"]


@pytest.mark.parametrize("speed", [0.0])
def test_a_delayed_event_waits_for_the_twins_clock(bus: Bus, twin: TwinServer) -> None:
    bus.rule("r", {"source": ["app"]}, {"Arn": bus.queue("q", "r")})
    twin.part("events").faults.delay(matching(), seconds=60, times=1)
    bus.put()
    time.sleep(0.1)
    assert not twin.part("events").router.wait_idle(0.05)
    twin.cloud.clock.advance(61)
    assert len(bus.got("q")) == 1


@pytest.mark.parametrize("speed", [0.0])
def test_scheduled_rules_fire_every_tick_in_order(bus: Bus, twin: TwinServer) -> None:
    bus.events.put_rule(Name="r", ScheduleExpression="rate(15 minutes)")
    bus.events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": bus.queue("q", "r")}])
    ticked(twin)
    twin.cloud.clock.advance(3600)
    ticked(twin)
    events = bus.got("q")
    assert len(events) == 4
    assert {event["detail-type"] for event in events} == {"Scheduled Event"}
    assert len({event["time"] for event in events}) == 4


@pytest.mark.parametrize("speed", [0.0])
def test_scheduler_acts_under_its_role(twin: TwinServer, function: Callable[..., str]) -> None:
    arn = function(RECORD)
    role = make_role(twin, "scheduler", "scheduler.amazonaws.com")
    target = {"Arn": arn, "RoleArn": role, "Input": '{"at": "<aws.scheduler.scheduled-time>"}'}
    twin.cloud.client("scheduler").create_schedule(
        Name="tick", ScheduleExpression="rate(15 minutes)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    ticked(twin)
    twin.cloud.clock.advance(901)
    ticked(twin)
    [undelivered] = twin.part("events").router.undelivered
    assert "is not authorized to perform: lambda:InvokeFunction" in undelivered.reason
    twin.cloud.client("iam").put_role_policy(RoleName="scheduler", PolicyName="p", PolicyDocument=policy(("lambda:InvokeFunction", arn)))
    twin.cloud.clock.advance(1800)
    first, second = sorted(event["at"] for event in received(twin, 2))
    assert first < second


def test_a_universal_target_calls_the_api(bus: Bus, twin: TwinServer) -> None:
    bus.queue("q")
    role = make_role(
        twin, "scheduler", "scheduler.amazonaws.com", document=policy(("sqs:SendMessage", f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"))
    )
    body = {"QueueUrl": f"{twin.cloud.url}/{ACCOUNT}/q", "MessageBody": '"hello"'}
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "RoleArn": role, "Input": json.dumps(body)}
    moment = f"{twin.cloud.clock.now():%Y-%m-%dT%H:%M:%S}"
    twin.cloud.client("scheduler").create_schedule(
        Name="once", ScheduleExpression=f"at({moment})", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    ticked(twin)
    assert bus.got("q") == []  # a moment that has passed does not fire
    twin.cloud.client("scheduler").update_schedule(
        Name="once", ScheduleExpression="rate(1 minute)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    ticked(twin)
    twin.cloud.clock.advance(61)
    ticked(twin)
    assert bus.got("q") == ["hello"]


@pytest.mark.parametrize("speed", [60.0])
def test_a_tick_that_cannot_be_delivered_is_a_dead_letter_of_the_schedules_role(twin: TwinServer, bus: Bus) -> None:
    target = {
        "Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:gone",
        "DeadLetterConfig": {"Arn": bus.queue("letters")},
        "Input": '"tick"',
    }
    allowed = policy(("sqs:SendMessage", f"arn:aws:sqs:us-east-1:{ACCOUNT}:letters"))
    for name, document in (("may", allowed), ("may-not", None)):
        role = make_role(twin, name, "scheduler.amazonaws.com", document=document)
        twin.cloud.client("scheduler").create_schedule(
            Name=name, ScheduleExpression="rate(1 minute)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target | {"RoleArn": role}
        )
    ticked(twin)  # a rate begins when the schedule is first seen
    twin.cloud.clock.advance(90)
    ticked(twin)
    undelivered = twin.part("events").router.undelivered
    by_name = {each.rule_arn.rpartition("/")[2]: each for each in undelivered}
    assert by_name["may"].dead_letter is not None
    assert by_name["may-not"].dead_letter is None
    assert "sqs:SendMessage" in by_name["may-not"].reason
    assert set(bus.got("letters")) == {"tick"}
