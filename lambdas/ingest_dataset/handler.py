"""ingest_dataset: makes a dataset version of a good upload, and puts a bad one into quarantine with every reason.

A bad table is not an error of the function: it returns normally, so the event is not tried again. Idempotent by construction: the
manifest is written once under the version, which is made of the content; quarantine is named by content too; decisions carry the event's
time. The upload itself stays where it is: datasets name its object version. What is too large to be read in time is refused unread, and
not copied; nor is a table with private columns, so that expiring uploads expires all of it; nor a folder, of which only the reason is kept.

A file in a folder waits for the folder's marker (contracts/folder.py). Such a file is nothing to decide about, unless it comes late.
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
from contracts.folder import FOLDER_MARKER, length_problem, name_problem
from contracts.layout import LARGEST_UPLOAD_BYTES, UploadKey, parse_upload_key, upload_folder, upload_key
from contracts.ledger import Decision, Evidence, What
from contracts.refusal import Finding, Refusal
from contracts.tables.formats import Format, format_of
from lambdas import runtime
from lambdas.ingest_dataset.adapters import DataBucket
from lambdas.ingest_dataset.folders import is_late, read_folder
from lambdas.ingest_dataset.logic import Report, check, make_manifest, read_only
from lambdas.ingest_dataset.reading import Source
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
    """Decide about one upload. None for a folder without marker, for a file that waits for one, and for an object that is gone."""
    key = event.detail.object.key
    if key.endswith("/"):
        return None
    try:
        upload = parse_upload_key(key)
    except ValueError as error:
        return _refused(event, (Finding(problem=f"{error}. Next: upload it to {upload_key(data.dataset, 'FILE.csv')}"),), ())
    if not upload.folder:
        return _ingest_file(event, upload, data, bucket)
    if upload.name == FOLDER_MARKER:
        return _ingest_folder(event, upload, data, bucket)
    if is_late(bucket, upload_folder(upload.dataset, upload.folder), upload.name):
        problem = f"it came after {FOLDER_MARKER}, so no version holds it yet. Next: write {FOLDER_MARKER} again when all files are there"
        return _refused(event, (Finding(problem=problem),), ())
    return None


def _ingest_file(event: Event[ObjectCreated], upload: UploadKey, data: Data, bucket: DataBucket) -> Decision | None:
    created = event.detail.object
    if created.size > LARGEST_UPLOAD_BYTES:
        problem = f"the file has {created.size} bytes, and at most {LARGEST_UPLOAD_BYTES} can be read. Next: upload fewer rows"
        return _refused(event, (Finding(problem=problem),), ())
    file = bucket.read(created.key, created.version_id)
    if file is None:
        return None
    source = Source(bucket.name, created.key, file.version_id, format_of(upload.name) or Format.CSV, file.chunks)
    misplaced = _misplaced(upload, data)
    report = read_only(source) if misplaced else check([source], data)
    findings = misplaced or report.findings
    if not findings:
        return _accept(event, report, data, bucket, created.key)
    refusal = _refusal(event, report.sha256(is_folder=False), report.size, findings)
    if not data.privacy.columns and not length_problem(upload.name):  # else the copy's key may be too long
        bucket.keep(upload.dataset, upload.name, refusal)
    return _quarantined(event, refusal, upload, bucket)


def _ingest_folder(event: Event[ObjectCreated], upload: UploadKey, data: Data, bucket: DataBucket) -> Decision | None:
    created = event.detail.object
    marker = bucket.read(created.key, created.version_id)
    if marker is None:
        return None
    prefix = upload_folder(upload.dataset, upload.folder)
    folder = read_folder(bucket, prefix, marker.chunks)
    problems = [*folder.problems, *([problem] if (problem := length_problem(upload.folder)) else [])]
    misplaced = (*_wrong_dataset(upload, data), *(Finding(problem=problem) for problem in problems))
    if misplaced:
        return _refused(event, misplaced, ())
    report = check(folder.sources(bucket), data, is_folder=True)
    if not report.findings:
        return _accept(event, report, data, bucket, f"the {len(report.files)} files of {prefix}")
    refusal = _refusal(event, report.sha256(is_folder=True), report.size, report.findings)
    return _quarantined(event, refusal, upload, bucket)


def _misplaced(upload: UploadKey, data: Data) -> tuple[Finding, ...]:
    """What is wrong with the upload's name."""
    problem = name_problem(upload.name)
    return (*_wrong_dataset(upload, data), *([Finding(problem=problem)] if problem else []))


def _wrong_dataset(upload: UploadKey, data: Data) -> tuple[Finding, ...]:
    if upload.dataset == data.dataset:
        return ()
    return (Finding(problem=f"dataset {upload.dataset!r} is not this project's, which is {data.dataset!r}"),)


def _accept(event: Event[ObjectCreated], report: Report, data: Data, bucket: DataBucket, what: str) -> Decision:
    manifest = make_manifest(report, data)
    uri, new = bucket.write_manifest(manifest)
    ignored = [column.name for column in report.columns if column.role == "ignored"]
    why = f"{report.rows} rows of {what} keep the data contract"
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


def _refusal(event: Event[ObjectCreated], sha256: str, size: int, findings: tuple[Finding, ...]) -> Refusal:
    created = event.detail
    return Refusal(
        bucket=created.bucket.name,
        key=created.object.key,
        version_id=created.object.version_id,
        sha256=sha256,
        size=size,
        time=event.time,
        findings=findings,
    )


def _quarantined(event: Event[ObjectCreated], refusal: Refusal, upload: UploadKey, bucket: DataBucket) -> Decision:
    uri = bucket.quarantine(upload.dataset, refusal)
    return _refused(event, refusal.findings, (Evidence(uri=uri, sha256=_sha256(refusal.model_dump_json(indent=2))),))


def _refused(event: Event[ObjectCreated], findings: tuple[Finding, ...], evidence: tuple[Evidence, ...]) -> Decision:
    why = "; ".join(str(finding) for finding in findings)
    return Decision(time=event.time, what=What.DATASET_REFUSED, subject=event.detail.object.key, why=why, by=SERVICE, evidence=evidence)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
