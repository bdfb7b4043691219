"""Functions that run: synchronous and asynchronous invocation, with Lambda's retries, destinations and metrics.

docs: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html (two retries, after one and two minutes; 6 hours at
most), https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html (the record sent to a destination).
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends

from twin.cloud import Cloud
from twin.functions import permission
from twin.functions.limits import answer_within_limit
from twin.functions.pool import Pool, ThrottledError, fingerprint
from twin.functions.tracing import Tracer
from twin.functions.worker_process import Reply
from twin.iam.errors import AccessDenied

log = logging.getLogger("twin.functions")

RETRY_DELAYS = (60.0, 120.0)
THROTTLE_DELAY = 60.0
MAXIMUM_AGE = 21600


@dataclass(frozen=True)
class Failure:
    """An asynchronous event that was given up, for tests and people: nothing fails silently."""

    function: str
    request_id: str
    reason: str
    payload: bytes


class Functions:
    """The installed part."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._folder = cloud.folder / "functions"
        self.tracer = Tracer(cloud)
        self._pools: dict[str, tuple[str, Pool]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._waiting = 0
        self._pausing = 0
        self._running = 0
        self._ends: list[Callable[[], None]] = []
        self.failures: list[Failure] = []

    @property
    def waiting(self) -> int:
        """Asynchronous events that are not done yet, and batches of streams between two attempts."""
        with self._lock:
            return self._waiting

    @property
    def pausing(self) -> int:
        """Those of them that are between two attempts: nothing but time is missing."""
        with self._lock:
            return self._pausing

    def pause(self, seconds: float, stopped: threading.Event) -> None:
        """Wait between two attempts, in twin time."""
        with self._lock:
            self._pausing += 1
        try:
            self._cloud.clock.wait(seconds, stopped)
        finally:
            with self._lock:
                self._pausing -= 1

    @contextmanager
    def one_waits(self) -> Iterator[None]:
        """Something waits for its next attempt meanwhile."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    @property
    def running(self) -> int:
        """Invocations that are worked on at this moment, synchronous ones included."""
        with self._lock:
            return self._running

    def find(self, name_or_arn: str) -> Any:
        """moto's record of a function. Raises KeyError."""
        try:
            return lambda_backends[self._cloud.account][self._cloud.region].get_function(name_or_arn)
        except UnknownFunctionException as error:
            raise KeyError(f"Function not found: {name_or_arn}") from error

    def run(self, function: Any, payload: bytes, request_id: str) -> Reply:
        """Run a function once, now. Raises pool.ThrottledError."""
        dimensions = {"FunctionName": function.function_name}
        started = time.monotonic()
        self._count(1)
        try:
            reply = self._pool(function).run(request_id, payload)
        except ThrottledError:
            self._cloud.measure("AWS/Lambda", "Throttles", dimensions, 1.0, unit="Count")
            raise
        finally:
            self._count(-1)
        reply = answer_within_limit(reply)
        elapsed = (time.monotonic() - started) * 1000
        self.tracer.trace(function, request_id, elapsed / 1000, failed=reply.error is not None)
        for name, value, unit in (
            ("Invocations", 1.0, "Count"),
            ("Errors", float(reply.error is not None), "Count"),
            ("Duration", elapsed, "Milliseconds"),
        ):
            self._cloud.measure("AWS/Lambda", name, dimensions, value, unit=unit)
        return reply

    def invoke(self, function_arn: str, payload: bytes, principal: str, source_arn: str | None) -> tuple[bytes, str | None]:
        """The `cloud.invoke` door: a service's synchronous invocation."""
        function = self.find(function_arn)
        permission.check(self._cloud, function, principal, source_arn)
        reply = self.run(function, payload, str(uuid.uuid4()))
        return reply.payload, reply.error

    def invoke_async(self, function_arn: str, payload: bytes, principal: str, source_arn: str | None) -> None:
        """The `cloud.invoke_async` door: a service's asynchronous invocation."""
        function = self.find(function_arn)
        permission.check(self._cloud, function, principal, source_arn)
        self.queue(function, payload, str(uuid.uuid4()))

    def notify(self, function: Any, principal: str, source_arn: str, payload: bytes) -> None:
        """A notification of S3 or SNS: queued, or listed as a failure when the function does not permit it."""
        request_id = str(uuid.uuid4())
        try:
            permission.check(self._cloud, function, principal, source_arn)
        except AccessDenied as error:
            log.error("%s", error)  # noqa: TRY400 - the message says it all
            self.failures.append(Failure(function.function_name, request_id, str(error), payload))
            return
        self.queue(function, payload, request_id)

    def queue(self, function: Any, payload: bytes, request_id: str) -> None:
        """Take an asynchronous event; it runs in a thread of its own."""
        with self._lock:
            self._waiting += 1
        name = f"async-{function.function_name}"
        threading.Thread(target=self._work, args=(function, payload, request_id), name=name, daemon=True).start()

    def pool(self, name_or_arn: str) -> Pool:
        """The workers of a function, for fault injection."""
        return self._pool(self.find(name_or_arn))

    def before_stop(self, end: Callable[[], None]) -> None:
        """Have this done first when the part stops."""
        self._ends.append(end)

    def stop(self) -> None:
        """Give up waiting events and end every worker."""
        self._stopped.set()
        for end in self._ends:
            end()
        with self._lock:
            pools = [pool for _, pool in self._pools.values()]
            self._pools.clear()
        for pool in pools:
            pool.retire()
            pool.kill()

    def _count(self, change: int) -> None:
        with self._lock:
            self._running += change

    def _pool(self, function: Any) -> Pool:
        with self._lock:
            mark = fingerprint(function)
            kept = self._pools.get(function.function_arn)
            if kept is not None and kept[0] == mark:
                return kept[1]
            pool = Pool(self._cloud, function, self._folder)
            self._pools[function.function_arn] = (mark, pool)
        if kept is not None:
            kept[1].retire()
        return pool

    def _work(self, function: Any, payload: bytes, request_id: str) -> None:
        try:
            self._attempts(function, payload, request_id)
        except Exception as error:
            log.exception("the asynchronous invocation %s of %s broke", request_id, function.function_name)
            self.failures.append(Failure(function.function_name, request_id, repr(error), payload))
        finally:
            with self._lock:
                self._waiting -= 1

    def _attempts(self, function: Any, payload: bytes, request_id: str) -> None:
        config = function.event_invoke_config[-1].config if function.event_invoke_config else {}
        retries = int(config.get("MaximumRetryAttempts", len(RETRY_DELAYS)))
        accepted = self._cloud.clock.now()
        maximum_age = float(config.get("MaximumEventAgeInSeconds", MAXIMUM_AGE))
        attempts = 0
        while not self._stopped.is_set():
            if (self._cloud.clock.now() - accepted).total_seconds() > maximum_age:
                return self._finish(function, config, payload, request_id, attempts, None, "EventAgeExceeded")
            try:
                reply = self.run(function, payload, request_id)
            except ThrottledError:
                self.pause(THROTTLE_DELAY, self._stopped)
                continue
            attempts += 1
            if reply.error is None:
                return self._finish(function, config, payload, request_id, attempts, reply, "Success")
            log.warning("%s failed (attempt %d): %s", function.function_name, attempts, reply.payload.decode()[:500])
            if attempts > retries:
                return self._finish(function, config, payload, request_id, attempts, reply, "RetriesExhausted")
            self.pause(RETRY_DELAYS[attempts - 1], self._stopped)
        return None

    def _finish(
        self, function: Any, config: dict[str, Any], payload: bytes, request_id: str, attempts: int, reply: Reply | None, condition: str
    ) -> None:
        succeeded = condition == "Success"
        destinations = config.get("DestinationConfig") or {}
        target = (destinations.get("OnSuccess" if succeeded else "OnFailure") or {}).get("Destination")
        if target:
            record = destination_record(function.function_arn, self._cloud.clock.now(), payload, request_id, attempts, reply, condition)
            self.send(function, target, json.dumps(record), {})
        if succeeded:
            return
        self.failures.append(Failure(function.function_name, request_id, condition, payload))
        log.error("%s gave up on %s after %d attempts: %s", function.function_name, request_id, attempts, condition)
        dead_letter = (function.twin_extras.get("DeadLetterConfig") or {}).get("TargetArn")
        if dead_letter:
            message = json.loads(reply.payload).get("errorMessage", "") if reply else condition
            self.send(
                function, dead_letter, payload.decode(), {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": message[:1024]}
            )

    def send(self, function: Any, target: str, body: str, attributes: dict[str, str]) -> None:
        """Send under the function's own role, as Lambda does."""
        credentials = self._cloud.assume(function.role, "lambda.amazonaws.com", function.function_name)
        service, name = target.split(":")[2], target.rsplit(":", 1)[1]
        named = {key: {"DataType": "String", "StringValue": value or "-"} for key, value in attributes.items()}
        client = self._cloud.client(service, credentials) if service in {"sqs", "sns"} else None
        if service == "sqs" and client is not None:
            url = f"{self._cloud.url}/{self._cloud.account}/{name}"
            client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=named)
        elif service == "sns" and client is not None:
            client.publish(TopicArn=target, Message=body, MessageAttributes=named)
        else:
            raise AccessDenied(
                f"the twin cannot send a failed event of {function.function_name} to {target}: only SQS and SNS are emulated"
            )


def destination_record(
    arn: str, now: datetime, payload: bytes, request_id: str, attempts: int, reply: Reply | None, condition: str
) -> dict[str, Any]:
    """The document that Lambda sends to a destination."""
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{arn}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": json.loads(payload),
    }
    if reply is not None:
        record["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST"}
        if reply.error:
            record["responseContext"]["functionError"] = reply.error
        record["responsePayload"] = json.loads(reply.payload)
    return record
