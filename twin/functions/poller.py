"""Reads one shard of a stream for one function, batch after batch, under the function's role, and keeps at a batch until it is done.

docs: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html (the event; a batch is sent when it is full, when its window ends, or
at 6 MB), https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html (what is given up goes to the destination; only
S3 gets the records too). Modelled: the twin looks by itself whether there are records, and asks Kinesis only then; a destination that does
not take a batch is in twin.log.
"""

import base64
import json
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from moto.kinesis.models import kinesis_backends

from twin.cloud import Cloud
from twin.functions.batches import LONGEST_PAUSE, Batch, Next, Rules, StreamRecord, after_error, after_reply, pause, read_reply, without_old
from twin.functions.limits import SYNCHRONOUS_BYTES
from twin.functions.pool import ThrottledError
from twin.functions.service import Failure, Functions
from twin.iam.errors import AccessDenied

log = logging.getLogger("twin.functions")

LOOK_EVERY = 0.05
"""Real seconds between two looks at a shard."""
_ENVELOPE = 600  # bytes of a record in an event, beside its data


class Poller:
    """One shard of one mapping (moto's record of it). `position`: the sequence number after which reading begins."""

    def __init__(self, cloud: Cloud, functions: Functions, mapping: Any, shard: str, position: int) -> None:
        self._cloud = cloud
        self._functions = functions
        self._mapping = mapping
        self._shard = shard
        self._position = position
        self._queue: deque[Batch] = deque()
        self._clients: dict[tuple[str, str], Any] = {}
        self._failures = 0
        self._stopped = threading.Event()
        self._stream = mapping.event_source_arn.rpartition("/")[2]

    def start(self) -> None:
        """Read in a thread of its own."""
        name = f"stream-{self._stream}-{self._shard}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def stop(self) -> None:
        """Read nothing more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                worked = self._mapping.enabled and self._turn()
            except (ClientError, AccessDenied, KeyError, ThrottledError) as error:
                self._says(f"PROBLEM: {error}")
                self._pause(LONGEST_PAUSE)
                worked = True
            if not worked:
                self._stopped.wait(LOOK_EVERY)

    def _pause(self, seconds: float) -> None:
        """Wait before the next attempt."""
        with self._functions.one_waits():
            self._functions.pause(seconds, self._stopped)

    def _turn(self) -> bool:
        """Send one batch. False when there is none."""
        if not self._queue and not self._read():
            return False
        batch, old = without_old(self._queue.popleft(), self._cloud.clock.now(), self._rules)
        if old.records:
            self._give_up(old, "RecordAgeExceeded", None)
        if not batch.records:
            return True
        try:
            following = self._send(batch)
        except BaseException:
            self._queue.appendleft(batch)
            raise
        self._queue.extendleft(reversed(following.again))
        if following.waits:
            self._pause(pause(self._failures))
            self._failures += 1
        else:
            self._failures = 0
        return True

    def _send(self, batch: Batch) -> Next:
        function, request_id = self._functions.find(self._mapping.function_arn), str(uuid.uuid4())
        age = (self._cloud.clock.now() - batch.records[-1].arrived).total_seconds() * 1000
        self._cloud.measure("AWS/Lambda", "IteratorAge", {"FunctionName": function.function_name}, age, unit="Milliseconds")
        reply = self._functions.run(function, json.dumps(self._event(batch, function)).encode(), request_id)
        following = (
            after_error(batch, self._rules) if reply.error is not None else after_reply(batch, read_reply(reply.payload), self._rules)
        )
        self._says("OK" if reply.error is None else "PROBLEM: Function call failed")
        if following.given_up is not None:
            self._give_up(following.given_up, "RetryAttemptsExhausted", reply.error)
        return following

    def _read(self) -> bool:
        """Read the next batch, if there is one. Raises ClientError when the function's role may not."""
        if self._last() <= self._position:
            return False
        window = float(self._mapping.max_batch_window or 0)
        self._until(lambda: self._last() - self._position >= self._mapping.batch_size, window)
        kinesis = self._client("kinesis")
        after: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._position:
            after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(self._position)}
        iterator = kinesis.get_shard_iterator(StreamName=self._stream, ShardId=self._shard, **after)["ShardIterator"]
        last = self._last()
        found = kinesis.get_records(ShardIterator=iterator, Limit=int(self._mapping.batch_size))["Records"]
        records = _within_an_event([_record(each) for each in found])
        # None when all of them were older than the stream keeps records.
        self._position = int(records[-1].sequence_number) if records else min(last, self._position + int(self._mapping.batch_size))
        if records:
            self._queue.append(Batch(tuple(records)))
        return bool(records)

    def _until(self, enough: Callable[[], bool], seconds: float) -> None:
        end = self._cloud.clock.now().timestamp() + seconds
        while not enough() and self._cloud.clock.now().timestamp() < end and not self._stopped.is_set():
            time.sleep(LOOK_EVERY)

    def _last(self) -> int:
        return newest(self._cloud, self._stream, self._shard)

    def _client(self, service: str) -> Any:
        """A client under the function's role."""
        function = self._functions.find(self._mapping.function_arn)
        if (service, function.role) not in self._clients:
            credentials = self._cloud.assume(function.role, "lambda.amazonaws.com", function.function_name)
            self._clients[service, function.role] = self._cloud.client(service, credentials)
        return self._clients[service, function.role]

    @property
    def _rules(self) -> Rules:
        mapping = self._mapping
        return Rules(
            bisects=bool(mapping.bisect_on_error),
            reports="ReportBatchItemFailures" in (mapping.function_response_types or ()),
            retries=-1 if mapping.max_retry_attempts is None else int(mapping.max_retry_attempts),
            oldest_seconds=-1 if mapping.max_record_age is None else int(mapping.max_record_age),
        )

    def _event(self, batch: Batch, function: Any) -> dict[str, Any]:
        return {"Records": [self._item(record, function) for record in batch.records]}

    def _item(self, record: StreamRecord, function: Any) -> dict[str, Any]:
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record.partition_key,
                "sequenceNumber": record.sequence_number,
                "data": base64.b64encode(record.data).decode(),
                "approximateArrivalTimestamp": round(record.arrived.timestamp(), 3),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self._shard}:{record.sequence_number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": function.role,
            "awsRegion": self._cloud.region,
            "eventSourceARN": self._mapping.event_source_arn,
        }

    def _give_up(self, batch: Batch, condition: str, error: str | None) -> None:
        function = self._functions.find(self._mapping.function_arn)
        event = json.dumps(self._event(batch, function))
        self._functions.failures.append(Failure(function.function_name, str(uuid.uuid4()), condition, event.encode()))
        log.error("%s gave up on %d records of %s: %s", function.function_name, len(batch.records), self._shard, condition)
        target = ((self._mapping.destination_config or {}).get("OnFailure") or {}).get("Destination")
        if not target:
            return
        record = self._failure_record(batch, function.function_arn, condition, error)
        try:
            if target.startswith("arn:aws:s3:::"):
                self._put_aside(target.rpartition(":")[2], record | {"payload": event})
            else:
                self._functions.send(function, target, json.dumps(record), {})
        except (ClientError, AccessDenied) as refused:
            log.error("what %s gave up did not get to %s: %s", function.function_name, target, refused)  # noqa: TRY400 - the message says it all

    def _put_aside(self, bucket: str, record: dict[str, Any]) -> None:
        """Under the function's role, and looked up first: Lambda asks for s3:ListBucket too."""
        s3, now = self._client("s3"), self._cloud.clock.now()
        key = f"aws/lambda/{self._mapping.uuid}/{self._shard}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        s3.list_objects_v2(Bucket=bucket, MaxKeys=1)
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(record).encode())

    def _failure_record(self, batch: Batch, arn: str, condition: str, error: str | None) -> dict[str, Any]:
        first, last = batch.records[0], batch.records[-1]
        record: dict[str, Any] = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": arn,
                "condition": condition,
                "approximateInvokeCount": batch.failures + (condition == "RetryAttemptsExhausted"),
            },
            "version": "1.0",
            "timestamp": _text(self._cloud.clock.now()),
            "KinesisBatchInfo": {
                "shardId": self._shard,
                "startSequenceNumber": first.sequence_number,
                "endSequenceNumber": last.sequence_number,
                "approximateArrivalOfFirstRecord": _text(first.arrived),
                "approximateArrivalOfLastRecord": _text(last.arrived),
                "batchSize": len(batch.records),
                "streamArn": self._mapping.event_source_arn,
            },
        }
        if error is not None:
            record["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": error}
        return record

    def _says(self, result: str) -> None:
        self._mapping.twin_result = result


def newest(cloud: Cloud, stream: str, shard: str) -> int:
    """The newest sequence number of a shard; 0 when it is empty, or its stream is gone."""
    found = kinesis_backends[cloud.account][cloud.region].streams.get(stream)
    return 0 if found is None else int(found.get_shard(shard).get_max_sequence_number())


def _record(item: Any) -> StreamRecord:
    return StreamRecord(item["SequenceNumber"], item["PartitionKey"], item["ApproximateArrivalTimestamp"], item["Data"])


def _within_an_event(records: list[StreamRecord]) -> list[StreamRecord]:
    """As many as fit into one event; one at least, which is then too large for any."""
    size, count = 0, 0
    for record in records:
        size += (len(record.data) + 2) // 3 * 4 + _ENVELOPE
        if count and size > SYNCHRONOUS_BYTES:
            break
        count += 1
    return records[:count]


def _text(moment: Any) -> str:
    return str(moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
