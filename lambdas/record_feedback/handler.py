"""record_feedback: labels of earlier predictions, from POST /feedback or a CSV file in feedback/, become ground truth.

The hour under which they are filed is the event's: when the API took the request, or S3 the file. Idempotent: a file of ground truth is
named by that time and its content, so the same event twice writes the same file. A CSV file with bad rows is no error of the function:
the good rows are used, the others go to quarantine with the reasons.
"""

import json
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse as parse_event
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.config import Config, Data
from contracts.environment import RecordFeedbackEnvironment
from contracts.events import Event, ObjectCreated
from contracts.layout import FEEDBACK, parse_feedback_key
from contracts.refusal import Finding, Refusal
from contracts.tables.sources import Digested
from lambdas import runtime
from lambdas.api import JSON, Reply
from lambdas.record_feedback.adapters import FeedbackBucket
from lambdas.record_feedback.logic import Refused, parse, read_labels

SERVICE = "record_feedback"
logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId || id", clear_state=True, log_event=False)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Gives the API's reply (payload format 2.0), or, for a file, how many labels it had and where what is wrong with it is written."""
    bucket = FeedbackBucket(runtime.client("s3"), runtime.environment(RecordFeedbackEnvironment).data_bucket)
    config = runtime.project()
    if "requestContext" in event:
        return take_request(event, config, bucket).render()
    return take_file(parse_event(event=event, model=Event[ObjectCreated]), config.data, bucket)


def take_request(event: dict[str, Any], config: Config, bucket: FeedbackBucket) -> Reply:
    """POST /feedback: 202 with the number of labels."""
    labels = parse(event, config.data, config.api.maximum_body_kilobytes)
    if isinstance(labels, Reply):
        metrics.add_metric("requests_refused", MetricUnit.Count, 1)
        logger.warning("refused", status=labels.status, error=None if config.data.privacy.columns else labels.body[:1000])
        return labels
    uri = bucket.record(labels, datetime.fromtimestamp(event["requestContext"]["timeEpoch"] / 1000, UTC))
    _recorded(len(labels), uri)
    return Reply(202, json.dumps({"count": len(labels)}), {"content-type": JSON})


def take_file(event: Event[ObjectCreated], data: Data, bucket: FeedbackBucket) -> dict[str, Any]:
    """A CSV file of labels. A folder marker, or a file that is gone, is nothing."""
    key, version_id = event.detail.object.key, event.detail.object.version_id
    chunks = None if key.endswith("/") else bucket.read(key, version_id)
    if chunks is None:
        logger.info("nothing to do", key=key)
        metrics.add_metric("nothing_to_do", MetricUnit.Count, 1)
        return {"count": 0, "refused": None}
    file, refused, count = Digested(chunks), Refused(), 0
    try:
        name = parse_feedback_key(key)
    except ValueError as error:
        name = key.rsplit("/", 1)[1]
        refused.add(f"{error}. Next: upload it to {FEEDBACK}FILE.csv", "name")
    else:
        for part, labels in enumerate(read_labels(file, data, refused)):
            _recorded(len(labels), bucket.record(labels, event.time, part))
            count += len(labels)
        if not count and not refused.findings:
            refused.add("there is no label in the file", "empty")
    return {"count": count, "refused": _quarantined(event, name, file, refused.findings, refused.to_csv(), bucket)}


def _quarantined(
    event: Event[ObjectCreated], name: str, file: Digested, findings: tuple[Finding, ...], refused_rows: str, bucket: FeedbackBucket
) -> str | None:
    sha256 = file.drain()
    if not findings:
        return None
    refusal = Refusal(
        bucket=event.detail.bucket.name,
        key=event.detail.object.key,
        version_id=event.detail.object.version_id,
        sha256=sha256,
        size=file.size,
        time=event.time,
        findings=findings,
    )
    uri = bucket.quarantine(name, refused_rows, refusal)
    count = sum(finding.count for finding in findings)
    metrics.add_metric("labels_refused", MetricUnit.Count, count)
    logger.warning("labels refused", count=count, reasons=uri)
    return uri


def _recorded(count: int, uri: str) -> None:
    metrics.add_metric("labels_recorded", MetricUnit.Count, count)
    logger.info("labels recorded", count=count, uri=uri)
