"""What fires by time: rules with a ScheduleExpression, and EventBridge Scheduler's schedules, on the twin's clock.

Every tick fires, in order, also when the clock was moved far on. A rate begins when the ticker first sees the schedule, a moment after its
creation. A schedule acts under its own role (https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html), so IAM decides as
for any caller. Its retries are 185 within 24 hours by default; the twin tries once for what IAM refuses, and as long as RetryPolicy says
for the rest.
"""

import json
import logging
import re
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from moto.events.models import events_backends
from moto.scheduler.models import scheduler_backends

from twin.cloud import Cloud
from twin.events.expressions import ExpressionError, fires
from twin.events.router import Router, Undelivered
from twin.events.targets import UnknownTargetError, start_pipeline
from twin.iam.errors import AccessDenied

log = logging.getLogger("twin.events")

POLL = 0.05
NEVER = datetime.max.replace(tzinfo=UTC)
SERVICE = "scheduler.amazonaws.com"
_UNIVERSAL = re.compile(r"^arn:aws:scheduler:::aws-sdk:([a-z0-9\-]+):([A-Za-z0-9]+)$")


class Ticker:
    """Watches the clock and fires what is due."""

    def __init__(self, cloud: Cloud, router: Router) -> None:
        self._cloud = cloud
        self._router = router
        self._stopped = threading.Event()
        self.ticks = 0
        """How often the clock was looked at: two more than now, and everything that is due now has fired."""
        self._seen: dict[tuple[str, str], tuple[datetime, datetime, datetime]] = {}  # made, looked at last, due next
        self._thread = threading.Thread(target=self._run, name="events-ticker", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Fire nothing more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(POLL):
            try:
                self.tick()
            except Exception:
                log.exception("the ticker broke on a schedule")
            self.ticks += 1

    def tick(self) -> None:
        """Fire everything that has become due."""
        now = self._cloud.clock.now()
        account, region = self._cloud.account, self._cloud.region
        rules = [rule for bus in list(events_backends[account][region].event_buses.values()) for rule in list(bus.rules.values())]
        for rule in rules:
            if rule.scheduled_expression and rule.state == "ENABLED":
                for moment in self._due(rule.arn, rule.scheduled_expression, "UTC", now):
                    self._router.send(rule, self._router.envelope("aws.events", "Scheduled Event", {}, [rule.arn], moment))
        groups = list(scheduler_backends[account][region].schedule_groups.values())
        for schedule in [schedule for group in groups for schedule in list(group.schedules.values())]:
            # What falls due while a schedule is disabled is not made up for when it is enabled again.
            due = self._due(schedule.arn, schedule.schedule_expression, schedule.schedule_expression_timezone, now)
            if schedule.state != "DISABLED":  # moto forgets the default in an update
                for moment in due:
                    self._fire(schedule, moment)

    def _due(self, arn: str, expression: str, zone: str, now: datetime) -> list[datetime]:
        key = (arn, f"{expression} {zone}")
        start, last, coming = self._seen.get(key, (now, now, now))
        if now < coming:
            return []
        try:
            due = list(fires(expression, zone, start, last, now))
            coming = next(fires(expression, zone, start, now, NEVER), NEVER)
        except ExpressionError as error:
            due, coming = [], NEVER
            log.error("%s never fires: %s", arn, error)  # noqa: TRY400 - the message says it all
        self._seen[key] = (start, now, coming)
        return due

    def _fire(self, schedule: Any, moment: datetime) -> None:
        window = (schedule.flexible_time_window or {}).get("Mode", "OFF")
        if window != "OFF":
            log.info("%s fires at the start of its flexible window", schedule.arn)
        # One thread, so that ticks that were missed together still fire in their order.
        self._router.in_order(lambda: self._deliver(schedule.arn, schedule.target, moment))

    def _deliver(self, arn: str, target: Mapping[str, Any], moment: datetime) -> None:
        text = fill(target.get("Input") or "{}", arn, moment)
        try:
            deliver(self._cloud, arn, target, text)
        except (AccessDenied, UnknownTargetError, ClientError) as error:
            log.error("%s could not reach %s: %s", arn, target["Arn"], error)  # noqa: TRY400 - the message says it all
            queue = (target.get("DeadLetterConfig") or {}).get("Arn")
            event = {"source": "aws.scheduler", "detail-type": "Scheduled", "time": moment.isoformat(), "detail": text}
            reason = str(error)
            if queue:
                try:
                    self._dead_letter(arn, target, queue, text, reason)
                except (AccessDenied, ClientError) as lost:
                    log.error("%s could not send a dead letter to %s: %s", arn, queue, lost)  # noqa: TRY400 - the message says it all
                    reason, queue = f"{reason}; dead letter: {lost}", None
            self._router.undelivered.append(Undelivered(arn, target["Arn"], event, "SCHEDULE", reason, queue))

    def _dead_letter(self, arn: str, target: Mapping[str, Any], queue: str, text: str, reason: str) -> None:
        """Under the schedule's role: https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html."""
        attributes = {"SCHEDULE_ARN": arn, "TARGET_ARN": target["Arn"], "ERROR_MESSAGE": reason[:1024]}
        named = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()}
        credentials = self._cloud.assume(target["RoleArn"], SERVICE, arn.rsplit("/", 1)[1])
        url = f"{self._cloud.url}/{self._cloud.account}/{queue.rsplit(':', 1)[1]}"
        self._cloud.client("sqs", credentials).send_message(QueueUrl=url, MessageBody=text, MessageAttributes=named)


def fill(text: str, arn: str, moment: datetime) -> str:
    """Scheduler's context attributes (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html)."""
    values = {
        "schedule-arn": arn,
        "scheduled-time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": uuid.uuid5(uuid.NAMESPACE_URL, f"{arn} {moment.isoformat()}").hex[:16],
        "attempt-number": "1",
    }
    return re.sub(r"<aws\.scheduler\.([a-z\-]+)>", lambda match: values.get(match[1], match[0]), text)


def deliver(cloud: Cloud, arn: str, target: Mapping[str, Any], text: str) -> None:
    """Call a schedule's target under its role."""
    session = arn.rsplit("/", 1)[1]
    if universal := _UNIVERSAL.match(target["Arn"]):
        credentials = cloud.assume(target["RoleArn"], SERVICE, session)
        getattr(cloud.client(universal[1], credentials), xform_name(universal[2]))(**json.loads(text))
        return
    match target["Arn"].split(":")[2]:
        case "lambda":
            credentials = cloud.assume(target["RoleArn"], SERVICE, session)
            cloud.client("lambda", credentials).invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=text.encode())
        case "sagemaker":
            start_pipeline(cloud, target, SERVICE, session)
        case "sqs":
            credentials = cloud.assume(target["RoleArn"], SERVICE, session)
            url = f"{cloud.url}/{cloud.account}/{target['Arn'].rsplit(':', 1)[1]}"
            cloud.client("sqs", credentials).send_message(QueueUrl=url, MessageBody=text)
        case _:
            raise UnknownTargetError(f"the twin does not schedule calls of {target['Arn']}")
