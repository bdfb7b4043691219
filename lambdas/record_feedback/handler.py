"""record_feedback: labels of earlier predictions, from POST /feedback or a CSV file in feedback/, become ground truth.

They are filed under the time at which the API took the request, or S3 the file. Idempotent: a file of ground truth is named by that time
and its content, and written once. So a tick may read the files of the last hours again, whether their events came or were lost. A CSV file
with bad rows is no error of the function: the good rows are used, the others go to quarantine with the reasons.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse as parse_event
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.config import Config, Data
from contracts.environment import RecordFeedbackEnvironment
from contracts.events import Anything, DetailType, Event, ObjectCreated
from contracts.ground_truth import GroundTruth
from contracts.layout import FEEDBACK, parse_feedback_key
from contracts.refusal import Finding, Refusal
from contracts.tables.sources import Digested
from lambdas import runtime
from lambdas.api import JSON, Reply
from lambdas.objects import Stored
from lambdas.record_feedback.adapters import FeedbackBucket
from lambdas.record_feedback.logic import Refused, parse, read_labels

SERVICE = "record_feedback"
logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)


HOURS_BACK = timedelta(hours=3)  # of files that a tick reads again: two ticks in a row may be lost, too
NOT_YET = timedelta(minutes=15)  # a file's own event has so long


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId || id", clear_state=True, log_event=False)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Gives the API's reply (payload format 2.0), or, for files, how many labels they had and where what is wrong with them is written."""
    bucket = FeedbackBucket(runtime.client("s3"), runtime.environment(RecordFeedbackEnvironment).data_bucket)
    config = runtime.project()
    if "requestContext" in event:
        return take_request(event, config, bucket).render()
    if event.get("detail-type") == DetailType.TICK:
        return take_tick(parse_event(event=event, model=Event[Anything]).time, config.data, bucket)
    created = parse_event(event=event, model=Event[ObjectCreated]).detail.object
    return take_file(created.key, created.version_id, config.data, bucket)


def take_request(event: dict[str, Any], config: Config, bucket: FeedbackBucket) -> Reply:
    """POST /feedback: 202 with the number of labels."""
    labels = parse(event, config.data, config.api.maximum_body_kilobytes)
    if isinstance(labels, Reply):
        metrics.add_metric("requests_refused", MetricUnit.Count, 1)
        logger.warning("refused", status=labels.status, error=None if config.data.privacy.columns else labels.body[:1000])
        return labels
    _record(labels, datetime.fromtimestamp(event["requestContext"]["timeEpoch"] / 1000, UTC), bucket)
    return Reply(202, json.dumps({"count": len(labels)}), {"content-type": JSON})


def take_tick(now: datetime, data: Data, bucket: FeedbackBucket) -> dict[str, Any]:
    """The files of the last hours, once more: the event of one may have been lost."""
    taken = [take_file(key, None, data, bucket) for key in bucket.uploaded(now - HOURS_BACK, now - NOT_YET)]
    logger.info("looked at the files of the last hours", files=len(taken))
    return {"files": len(taken), "count": sum(each["count"] for each in taken)}


def take_file(key: str, version_id: str | None, data: Data, bucket: FeedbackBucket) -> dict[str, Any]:
    """A CSV file of labels. A folder marker, or a file that is gone, is nothing."""
    upload = None if key.endswith("/") else bucket.read(key, version_id)
    if upload is None:
        logger.info("nothing to do", key=key)
        metrics.add_metric("nothing_to_do", MetricUnit.Count, 1)
        return {"count": 0, "refused": None}
    file, refused, count = Digested(upload.chunks), Refused(), 0
    try:
        name = parse_feedback_key(key)
    except ValueError as error:
        name = key.rsplit("/", 1)[1]
        refused.add(f"{error}. Next: upload it to {FEEDBACK}FILE.csv", "name")
    else:
        for part, labels in enumerate(read_labels(file, data, refused)):
            _record(labels, upload.modified, bucket, part)
            count += len(labels)
        if not count and not refused.findings:
            refused.add("there is no label in the file", "empty")
    return {"count": count, "refused": _quarantined(upload, name, file, refused.findings, refused.to_csv(), bucket)}


def _quarantined(
    upload: Stored, name: str, file: Digested, findings: tuple[Finding, ...], refused_rows: str, bucket: FeedbackBucket
) -> str | None:
    sha256 = file.drain()
    if not findings:
        return None
    refusal = Refusal(
        bucket=bucket.name,
        key=upload.key,
        version_id=upload.version_id,
        sha256=sha256,
        size=file.size,
        time=upload.modified,
        findings=findings,
    )
    uri, is_new = bucket.quarantine(name, refused_rows, refusal)
    if is_new:
        count = sum(finding.count for finding in findings)
        metrics.add_metric("labels_refused", MetricUnit.Count, count)
        logger.warning("labels refused", count=count, reasons=uri)
    return uri


def _record(labels: Sequence[GroundTruth], collected: datetime, bucket: FeedbackBucket, part: int = 0) -> None:
    """Write labels down; those that were written before are not counted again."""
    if bucket.record(labels, collected, part):
        metrics.add_metric("labels_recorded", MetricUnit.Count, len(labels))
        logger.info("labels recorded", count=len(labels), collected=collected.isoformat())
