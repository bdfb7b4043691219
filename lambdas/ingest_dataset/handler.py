"""ingest_dataset: makes a dataset version of a good upload, and puts a bad one into quarantine with every reason.

A bad table is not an error of the function: it returns normally, so the event is not tried again. Idempotent by construction: the
manifest is written once under the version, which is made of the content; quarantine is named by content too; decisions carry the event's
time. The upload itself stays where it is: datasets name its object version. What is too large to be read in time is refused unread, and
not copied; nor is a table with private columns, so that expiring uploads expires all of it.
"""

import hashlib
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.config import Data
from contracts.environment import IngestDatasetEnvironment
from contracts.events import Event, ObjectCreated
from contracts.layout import LARGEST_UPLOAD_BYTES, parse_upload_key, upload_key
from contracts.ledger import Decision, Evidence, What
from contracts.names import trick_in
from contracts.refusal import Finding, Refusal
from lambdas import runtime
from lambdas.ingest_dataset.adapters import DataBucket
from lambdas.ingest_dataset.logic import Report, check, digest, make_manifest
from lambdas.ledger import Ledger

SERVICE = "ingest_dataset"
logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)


@logger.inject_lambda_context(correlation_id_path="id", clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Gives the decision and its subject, or None when there was nothing to decide."""
    created: Event[ObjectCreated] = parse(event=event, model=Event[ObjectCreated])
    variables = runtime.environment(IngestDatasetEnvironment)
    decision = ingest(created, runtime.project().data, DataBucket(runtime.client("s3"), variables.data_bucket))
    if decision is None:
        logger.info("nothing to do", key=created.detail.object.key)
        metrics.add_metric("nothing_to_do", MetricUnit.Count, 1)
        return {"decision": None}
    Ledger(runtime.client("dynamodb"), variables.ledger_table).record(decision)
    logger.info("decided", what=decision.what, subject=decision.subject, why=decision.why)
    metrics.add_metric(decision.what, MetricUnit.Count, 1)
    return {"decision": decision.what, "subject": decision.subject}


def ingest(event: Event[ObjectCreated], data: Data, bucket: DataBucket) -> Decision | None:
    """Decide about one upload. None for a folder marker, and for an object that is gone."""
    key, version_id = event.detail.object.key, event.detail.object.version_id
    if key.endswith("/"):
        return None
    try:
        dataset, file_name = parse_upload_key(key)
    except ValueError as error:
        finding = Finding(problem=f"{error}. Next: upload it to {upload_key(data.dataset, 'FILE.csv')}")
        return _refused(event, (finding,), ())
    if event.detail.object.size > LARGEST_UPLOAD_BYTES:
        problem = f"the file has {event.detail.object.size} bytes, and at most {LARGEST_UPLOAD_BYTES} can be read. Next: upload fewer rows"
        return _refused(event, (Finding(problem=problem),), ())
    chunks = bucket.read(key, version_id)
    if chunks is None:
        return None
    misplaced = _misplaced(dataset, file_name, data)
    report = Report(*digest(chunks), rows=0, columns=(), findings=misplaced) if misplaced else check(chunks, data)
    if not report.findings:
        return _accept(event, report, data, bucket)
    refusal = Refusal(
        bucket=event.detail.bucket.name,
        key=key,
        version_id=version_id,
        sha256=report.sha256,
        size=report.size,
        time=event.time,
        findings=report.findings,
    )
    if not data.privacy.columns:
        bucket.keep(dataset, file_name, refusal)
    uri = bucket.quarantine(dataset, refusal)
    return _refused(event, report.findings, (Evidence(uri=uri, sha256=_sha256(refusal.model_dump_json(indent=2))),))


def _misplaced(dataset: str, file_name: str, data: Data) -> tuple[Finding, ...]:
    """What is wrong with the upload's name."""
    findings = []
    if dataset != data.dataset:
        findings.append(Finding(problem=f"dataset {dataset!r} is not this project's, which is {data.dataset!r}"))
    if not file_name.lower().endswith(".csv"):
        findings.append(Finding(problem=f"{file_name!r} is not a .csv file"))
    if trick := trick_in(file_name):
        findings.append(Finding(problem=f"the name {file_name!r} {trick}. Next: rename the file"))
    return tuple(findings)


def _accept(event: Event[ObjectCreated], report: Report, data: Data, bucket: DataBucket) -> Decision:
    key = event.detail.object.key
    manifest = make_manifest(report, data, event.detail.bucket.name, key, event.detail.object.version_id)
    uri, new = bucket.write_manifest(manifest)
    ignored = [column.name for column in report.columns if column.role == "ignored"]
    why = f"{report.rows} rows of {key} keep the data contract"
    why += f"; ignored columns: {', '.join(ignored[:10])}{', ...' if len(ignored) > 10 else ''}" if ignored else ""
    why += "" if new else "; the same content is a version already, so nothing is new"
    evidence = Evidence(uri=uri, sha256=_sha256(manifest.to_json()) if new else None)
    return Decision(
        time=event.time,
        what=What.DATASET_ACCEPTED,
        subject=f"{manifest.dataset}/{manifest.version}",
        why=why,
        by=SERVICE,
        evidence=(evidence,),
    )


def _refused(event: Event[ObjectCreated], findings: tuple[Finding, ...], evidence: tuple[Evidence, ...]) -> Decision:
    why = "; ".join(str(finding) for finding in findings)
    return Decision(time=event.time, what=What.DATASET_REFUSED, subject=event.detail.object.key, why=why, by=SERVICE, evidence=evidence)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
