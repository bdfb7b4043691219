"""What fails is not lost: dead letters of functions, rules and schedules, and people who hear of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from cli.hours import HOUR
from cli.prove_iam.session import Session
from cli.prove_iam.step import Act, Step
from contracts.config import Config

FUNCTIONS = ("ingest-dataset", "start-training", "start-monitoring", "approve-model", "reconcile-endpoint", "record-feedback")
RULES = (
    "upload-created",
    "manifest-created",
    "window-alarm",
    "job-ended",
    "run-ended",
    "model-registered",
    "model-changed",
    "endpoint-changed",
    "deployment-changed",
    "stack-changed",
    "rollback-alarm-ended",
    "window-failed",
    "feedback-created",
)
SCHEDULES = {"tick": "reconcile-endpoint", "approval": "approve-model", "retraining": "start-training", "feedback": "record-feedback"}
"""And the function that each wakes. The schedule of windows wakes start_monitoring, which has a step of its own."""
REHEARSAL = "tidewheel.rehearsal"
NOBODY = "-that-nobody-made"
_TO_NOBODY = ("*TickRole*", "lambda:InvokeFunction")
"""What a schedule's role is refused that is to wake nobody."""
Message = dict[str, Any]


def letter(session: Session, queue_arn: str, says: Callable[[Message], bool]) -> Message:
    """Wait for a message in a queue, and take it out; what came before it is dropped."""
    sqs = session.client("sqs")
    url = sqs.get_queue_url(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"]

    def look() -> Message | None:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return next((message for message in found if says(message)), None)

    return session.reach(f"a message in {queue_arn.rpartition(':')[2]}", look, given_up_is_well=True)


def _ask(function: str, session: Session) -> None:
    """Ask a function something that it cannot read: it says so in its log, and is traced."""
    since = session.traceable(function)
    session.client("lambda").invoke(FunctionName=f"{session.app.prefix}-{function}", Payload=b'{"nonsense": true}')
    session.logged(function, since)
    session.traced(function, since)


def _fail(function: str, session: Session) -> None:
    """An event that a function cannot read: two retries, and then it is a dead letter."""
    full, mark = f"{session.app.prefix}-{function}", session.name("nonsense")
    client = session.client("lambda")
    client.invoke(FunctionName=full, InvocationType="Event", Payload=json.dumps({"nonsense": mark}).encode())
    queue = client.get_function_event_invoke_config(FunctionName=full)["DestinationConfig"]["OnFailure"]["Destination"]
    letter(session, queue, lambda message: mark in message["Body"])


@contextmanager
def _rehearsed(session: Session, rule: str, target: Callable[[str], str]) -> Iterator[str]:
    """A rule that takes events of the rehearsal, for a target that may be another one; its ARN."""
    events, name = session.client("events"), f"{session.app.prefix}-{rule}"
    known = events.describe_rule(Name=name)
    (own,) = events.list_targets_by_rule(Rule=name)["Targets"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [REHEARSAL]}), State="ENABLED")
    events.put_targets(Rule=name, Targets=[own | {"Arn": target(own["Arn"])}])
    try:
        yield known["Arn"]
    finally:
        events.put_rule(Name=name, EventPattern=known["EventPattern"], State="DISABLED")
        events.put_targets(Rule=name, Targets=[own])


def _rehearse(session: Session, detail: dict[str, Any]) -> None:
    session.client("events").put_events(Entries=[{"Source": REHEARSAL, "DetailType": "Rehearsal", "Detail": json.dumps(detail)}])


def _undeliverable(rule: str, session: Session) -> None:
    events = session.client("events")
    (target,) = events.list_targets_by_rule(Rule=f"{session.app.prefix}-{rule}")["Targets"]
    mark = session.name("rehearsal")
    with _rehearsed(session, rule, lambda arn: arn + NOBODY):
        _rehearse(session, {"mark": mark})
        letter(session, target["DeadLetterConfig"]["Arn"], lambda message: f'"{mark}"' in message["Body"])


def _undeliverable_tick(name: str, session: Session) -> None:
    full, since = f"{session.app.prefix}-{name}", f"{session.now():%Y-%m-%dT%H:%M:%SZ}"
    known = session.client("scheduler").get_schedule(Name=full)
    target = known["Target"]
    session.schedule(full, "ENABLED", Target=target | {"Arn": target["Arn"] + NOBODY})
    try:
        session.twin.cloud.clock.advance(HOUR.total_seconds())
        letter(session, target["DeadLetterConfig"]["Arn"], lambda message: _ticked(message, known["Arn"], since))
    finally:
        session.schedule(full, "DISABLED", Target=target)


def _ticked(message: Message, schedule: str, since: str) -> bool:
    """Whether a dead letter is a schedule's, of a tick after `since`: several ticks may be due at once, and all become letters."""
    sender = message.get("MessageAttributes", {}).get("SCHEDULE_ARN", {}).get("StringValue")
    return bool(sender == schedule and json.loads(message["Body"])["time"] > since)


def _tick(name: str, function: str, session: Session) -> None:
    since = session.now()
    with session.ticking(name):
        session.twin.cloud.clock.advance(HOUR.total_seconds())
        session.logged(function, since)


def _listening(session: Session) -> str:
    """The ARN of a queue that hears what people hear."""
    if "people" not in session.notes:
        topic = session.app.output("control", "AlertsTopicArn")
        url = session.client("sqs").create_queue(QueueName=f"{session.app.prefix}-people")["QueueUrl"]
        attributes = session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed | {"Condition": {"ArnEquals": {"aws:SourceArn": topic}}}]})
        session.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        session.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"])
        session.notes["people"] = attributes["QueueArn"]
    arn: str = session.notes["people"]
    return arn


def _alarm(session: Session) -> None:
    queue, mark = _listening(session), session.name("alarm")
    for state in ("OK", "ALARM"):
        session.app.cloudwatch.set_alarm_state(AlarmName=f"{session.app.prefix}-dead-letters", StateValue=state, StateReason=mark)
    letter(session, queue, lambda message: mark in message["Body"])


def _notice(session: Session) -> None:
    queue, mark = _listening(session), session.name("job")
    with _rehearsed(session, "window-failed", lambda arn: arn):
        _rehearse(session, {"ProcessingJobName": mark, "FailureReason": "a rehearsal"})
        letter(session, queue, lambda message: mark in message["Body"])


def _listen(session: Session) -> None:
    _listening(session)


def _steps(prefix: str, what: str, act: Callable[[str, Session], None], names: tuple[str, ...], *refusals: tuple[str, str]) -> list[Step]:
    def about(name: str) -> Act:
        return partial(act, name)

    return [Step(f"{prefix} {name}", what.format(name), about(name), refusals=refusals, gives_up=True) for name in names]


FUNCTION_STEPS = tuple(
    Step(f"function {name}", f"{name} is asked something it cannot read: that is in its log, and in a trace", partial(_ask, name))
    for name in (*FUNCTIONS, "predict", "describe-model")
)
TICK_STEPS = tuple(
    Step(f"tick {name}", f"the schedule {name} wakes {function}", partial(_tick, name, function)) for name, function in SCHEDULES.items()
)
# Before all functions are made to fail: then alarms ring by themselves.
ALERT_STEPS = (
    Step("alarm", "an alarm rings, and people hear of it", _alarm, ready=_listen),
    Step("notice", "a window that nobody looked at is told to people", _notice, ready=_listen),
)
FAILURE_STEPS = (
    *_steps("dead letter of", "{} fails three times, and its event is a dead letter", _fail, FUNCTIONS),
    *_steps("undelivered by", "what rule {} cannot deliver is a dead letter", _undeliverable, RULES),
    *_steps(
        "undelivered tick",
        "what schedule {} cannot deliver is a dead letter",
        _undeliverable_tick,
        (*SCHEDULES, "window"),
        _TO_NOBODY,
    ),
)


def has_schedule(config: Config) -> bool:
    """Whether there are batches by a schedule."""
    return config.batch.schedule is not None


BATCH_FAILURE_STEPS = tuple(
    replace(step, when=has_schedule)
    for step in (
        Step("function start-batch", "start-batch is asked something it cannot read", partial(_ask, "start-batch")),
        *_steps("dead letter of", "{} fails three times, and its event is a dead letter", _fail, ("start-batch",)),
        *_steps("undelivered by", "what rule {} cannot deliver is a dead letter", _undeliverable, ("batch-job-ended",)),
        *_steps(
            "undelivered tick",
            "what schedule {} cannot deliver is a dead letter",
            _undeliverable_tick,
            ("batch",),
            _TO_NOBODY,
        ),
    )
)
