"""The bus: an event, the rules it matches, and delivery to each target with retries and dead letters.

docs: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html (24 hours and 185 attempts by default, growing
pauses; a target that is missing or denied is not retried), https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html (dead
letters). The pauses double from 1 s to 5 min of twin time; AWS adds jitter and does not document them: modelled.
"""

import json
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from moto.events.models import events_backends

from twin.cloud import Cloud
from twin.events import targets
from twin.events.faults import Event, Faults
from twin.events.pattern import matches
from twin.events.transform import target_input
from twin.iam.errors import AccessDenied

log = logging.getLogger("twin.events")

THREADS = 8
MAXIMUM_AGE = 86400
MAXIMUM_ATTEMPTS = 185
LONGEST_PAUSE = 300.0


@dataclass(frozen=True)
class Undelivered:
    """An event that a target never got, and why; `dead_letter` is the queue that has it now."""

    rule_arn: str
    target_arn: str
    event: Event
    code: str
    reason: str
    dead_letter: str | None


class Router:
    """Routes events of the account's buses."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.account = cloud.account
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="events")
        self._queue = ThreadPoolExecutor(1, thread_name_prefix="events-in-order")
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._under_way = 0
        self.faults = Faults(self.later)
        self.undelivered: list[Undelivered] = []
        self.published: deque[Event] = deque(maxlen=10_000)
        """The latest events, the oldest first."""

    def publish(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        """The `cloud.publish` door: an AWS service's event, on the default bus."""
        self.put("default", self.envelope(source, detail_type, detail, resources))

    def envelope(
        self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = (), time: datetime | None = None
    ) -> dict[str, Any]:
        """An event with a unique id, at twin time (https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html)."""
        moment = time or self._cloud.clock.now()
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self._cloud.account,
            "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._cloud.region,
            "resources": list(resources),
            "detail": json.loads(json.dumps(detail, default=str)),
        }

    def put(self, bus: str, event: Event) -> None:
        """Put an event on a bus, through the faults in force."""
        if self._stopped.is_set():
            return
        self.published.append(event)
        self.faults.through(event, lambda passed: self._route(bus, passed))

    def send(self, rule: Any, event: Event) -> None:
        """Deliver an event to every target of a rule."""
        for target in list(rule.targets):
            self._submit(self._pool, partial(self._deliver, rule.arn, rule.name, target, event))

    def in_order(self, work: Callable[[], None]) -> None:
        """Do something after everything given here before."""
        self._submit(self._queue, work)

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do something after `seconds` of twin time."""

        def wait() -> None:
            if self._cloud.clock.wait(seconds, self._stopped):
                work()

        self._count(1)
        threading.Thread(target=self._run, args=(wait,), name="events-later", daemon=True).start()

    def wait_idle(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is being delivered, for at most `timeout` real seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with self._lock:
                if self._under_way == 0:
                    return True
            time.sleep(0.01)
        return False

    def stop(self) -> None:
        """Deliver nothing more."""
        self._stopped.set()
        for pool in (self._pool, self._queue):
            pool.shutdown(wait=False, cancel_futures=True)

    def _route(self, bus: str, event: Event) -> None:
        found = events_backends[self._cloud.account][self._cloud.region].event_buses.get(bus)
        for rule in list(found.rules.values()) if found else []:
            pattern = rule.event_pattern.get_pattern()
            # A rule with a schedule only has no pattern, and matches no event.
            if rule.state != "DISABLED" and pattern and matches(pattern, event):
                self.send(rule, event)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
        self._count(1)
        try:
            pool.submit(self._run, work)
        except RuntimeError:  # stopped in the meantime
            self._count(-1)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("a delivery broke")
            raise
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._under_way += change

    def _deliver(self, rule_arn: str, rule_name: str, target: Mapping[str, Any], event: Event, attempt: int = 0) -> None:
        policy = target.get("RetryPolicy") or {}
        try:
            targets.deliver(self._cloud, target, target_input(target, event, rule_arn, rule_name), rule_arn)
        except (AccessDenied, targets.UnknownTargetError, ValueError) as error:
            code = "NO_PERMISSIONS" if isinstance(error, AccessDenied) else "NO_RESOURCE"
            self._give_up(rule_arn, target, event, code, str(error), attempt)
        except ClientError as error:
            pause = min(2.0**attempt, LONGEST_PAUSE)
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in {403, 404} or "AccessDenied" in error.response["Error"]["Code"]:
                self._give_up(rule_arn, target, event, "NO_PERMISSIONS", str(error), attempt)
            elif attempt >= int(policy.get("MaximumRetryAttempts", MAXIMUM_ATTEMPTS)) or self._age(event) > int(
                policy.get("MaximumEventAgeInSeconds", MAXIMUM_AGE)
            ):
                self._give_up(rule_arn, target, event, "SDK_CLIENT_ERROR", str(error), attempt)
            else:
                log.warning("%s: attempt %d at %s failed: %s", rule_name, attempt + 1, target["Arn"], error)
                self.later(pause, lambda: self._deliver(rule_arn, rule_name, target, event, attempt + 1))

    def _age(self, event: Event) -> float:
        return (self._cloud.clock.now() - datetime.fromisoformat(event["time"])).total_seconds()

    def _give_up(self, rule_arn: str, target: Mapping[str, Any], event: Event, code: str, reason: str, attempts: int) -> None:
        log.error("%s could not deliver to %s: %s", rule_arn, target["Arn"], reason)
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if queue:
            attributes = {
                "RULE_ARN": rule_arn,
                "TARGET_ARN": target["Arn"],
                "ERROR_CODE": code,
                "ERROR_MESSAGE": reason[:1024],
                "RETRY_ATTEMPTS": str(attempts),
            }
            try:
                targets.send_to_queue(self._cloud, queue, json.dumps(event), rule_arn, attributes)
            except (AccessDenied, targets.UnknownTargetError, ClientError) as error:
                log.error("%s could not send a dead letter to %s: %s", rule_arn, queue, error)  # noqa: TRY400 - the message says it all
                reason, queue = f"{reason}; dead letter: {error}", None
        self.undelivered.append(Undelivered(rule_arn, target["Arn"], event, code, reason, queue))
