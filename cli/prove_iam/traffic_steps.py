"""Traffic: predicted, captured, labelled, watched."""

from datetime import datetime, timedelta
from typing import Any

from cli.api import PredictionApi
from cli.hours import CAPTURE_DELAY, HOUR, MONITORING_DELAY, full_hour
from cli.observe import MODEL_PATH, OPENAPI_PATH
from cli.prove_iam.data_steps import vanished
from cli.prove_iam.endpoint_steps import with_live
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from contracts.errors import StateError
from contracts.inference import row_ids
from contracts.layout import CAPTURE, FEEDBACK, GROUND_TRUTH, QUARANTINE, VERDICT, monitoring_prefix

REQUEST = 150
"""Rows of an hour, in one request: enough for a window to be judged, and for two of them to outnumber the table."""
Labels = list[dict[str, str]]


def predicted(session: Session, count: int, **kind: bool) -> Labels:
    """Ask for predictions; the rows' labels, as POST /feedback takes them. `kind` of rows: see rows.py."""
    rows = session.rows(count, **kind)
    reply = session.post(session.app.api_url, {"instances": [row.record for row in rows]})
    names = [each["inference_id"] for each in reply["predictions"]]
    return [{"inference_id": name, "label": row.label} for name, row in zip(names, rows, strict=True)]


def written(session: Session, bucket: str, prefix: str, known: frozenset[str]) -> frozenset[str]:
    """Wait for an object below a prefix that was not there before."""
    return session.reach(f"an object below {prefix}", lambda: objects(session, bucket, prefix) - known or None)


def objects(session: Session, bucket: str, prefix: str) -> frozenset[str]:
    """The keys below a prefix."""
    pages = session.app.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return frozenset(found["Key"] for page in pages for found in page.get("Contents", []))


def captured_hour(session: Session, **kind: bool) -> datetime:
    """An hour with predictions and their labels; its end, a minute ago, when everything is captured."""
    start = full_hour(session.now())
    session.advance_to(start + timedelta(minutes=1))
    known = objects(session, session.app.artifacts_bucket, CAPTURE)
    session.post(session.app.feedback_url, {"labels": predicted(session, REQUEST, **kind)})
    session.advance_to(start + HOUR + CAPTURE_DELAY)
    written(session, session.app.artifacts_bucket, CAPTURE, known)
    return start + HOUR


def _predict(session: Session) -> None:
    known, since = objects(session, session.app.artifacts_bucket, CAPTURE), session.now()
    predicted(session, 2)
    session.logged("predict", since)
    session.twin.cloud.clock.advance(CAPTURE_DELAY.total_seconds())
    written(session, session.app.artifacts_bucket, CAPTURE, known)


def _describe(session: Session) -> None:
    since = session.now()
    # What it told before it keeps for a while.
    session.twin.part("functions").pool(f"{session.app.prefix}-describe-model").kill()
    told = _got(session, MODEL_PATH)
    if told["version"] is None or told["notes"]:
        raise StateError(f"GET {MODEL_PATH} told of version {told['version']}: {', '.join(told['notes'])}")
    session.logged("describe-model", since)


def _describe_api(session: Session) -> None:
    _got(session, OPENAPI_PATH)


def _got(session: Session, path: str) -> Any:
    answer = PredictionApi(session.app.account, session.app.base_url + path).get()
    if answer.status != 200:
        raise StateError(f"GET {path} answered {answer.status}: {answer.body[:300].decode(errors='replace')}")
    return answer.document()


def _labels_by_api(session: Session) -> None:
    known = objects(session, session.app.data_bucket, GROUND_TRUTH)
    labels = [{"inference_id": name, "label": session.rows(1)[0].label} for name in row_ids(session.name("request"), 2)]
    session.post(session.app.feedback_url, {"labels": labels})
    written(session, session.app.data_bucket, GROUND_TRUTH, known)


def _labels_by_file(session: Session) -> None:
    known = objects(session, session.app.data_bucket, GROUND_TRUTH)
    _put_labels(session, f"{session.name('request')},{session.rows(1)[0].label}\n")
    written(session, session.app.data_bucket, GROUND_TRUTH, known)


def _labels_by_tick(session: Session) -> None:
    known = objects(session, session.app.data_bucket, GROUND_TRUTH)
    _put_labels(session, f"{session.name('request')},{session.rows(1)[0].label}\n")
    with session.ticking("feedback"):
        session.advance_to(session.now() + HOUR + HOUR / 2)  # the file's own event has its time first
        written(session, session.app.data_bucket, GROUND_TRUTH, known)


def _refused_labels(session: Session) -> None:
    prefix = f"{QUARANTINE}{FEEDBACK}"
    known = objects(session, session.app.data_bucket, prefix)
    _put_labels(session, f",{session.name('nobody')}\n")
    written(session, session.app.data_bucket, prefix, known)


def _put_labels(session: Session, lines: str) -> None:
    key = f"{FEEDBACK}{session.name('labels')}.csv"
    session.app.s3.put_object(Bucket=session.app.data_bucket, Key=key, Body=f"inference_id,label\n{lines}".encode())


def _vanish(session: Session) -> None:
    answer = vanished(session, "record-feedback", f"{FEEDBACK}{session.name('gone')}.csv")
    if answer.get("count") != 0:
        raise StateError(f"record_feedback made of a file that is gone: {answer}")


def _with_hour(session: Session) -> None:
    with_live(session)
    session.notes["hour"] = captured_hour(session)


def _monitor(session: Session) -> None:
    end = session.notes["hour"]
    name, key = f"{session.app.prefix}-monitor-{end:%Y%m%d%H%M}", monitoring_prefix(end) + VERDICT
    with session.ticking("window"):
        session.advance_to(end + MONITORING_DELAY)
        session.reach(f"monitoring job {name}", lambda: job_ended(session, name))
    if key not in objects(session, session.app.artifacts_bucket, key):
        raise StateError(f"the monitoring job wrote no {key}")
    session.job_observed(name, end)


def _monitor_again(session: Session) -> None:
    end = session.notes["hour"]
    name = f"{session.app.prefix}-monitor-{end:%Y%m%d%H%M}"
    with session.ticking("window"):
        session.advance_to(end + MONITORING_DELAY)
        session.reach(f"monitoring job {name}", lambda: _stopped(session, name))
        session.advance_to(end + HOUR + MONITORING_DELAY)
        session.reach(f"monitoring job {name}-1", lambda: job_ended(session, f"{name}-1"))


def _stopped(session: Session, name: str) -> bool | None:
    """Whether a Processing job was stopped; stops it when it goes on."""
    found = session.app.sagemaker.list_processing_jobs(NameContains=name)["ProcessingJobSummaries"]
    if found and found[0]["ProcessingJobStatus"] == "InProgress":
        session.app.sagemaker.stop_processing_job(ProcessingJobName=name)
    return True if found and found[0]["ProcessingJobStatus"] == "Stopped" else None


def job_ended(session: Session, name: str) -> bool | None:
    """Whether a Processing job has completed. Raises StateError when it failed."""
    found = session.app.sagemaker.list_processing_jobs(NameContains=name)["ProcessingJobSummaries"]
    status = found[0]["ProcessingJobStatus"] if found else "InProgress"
    if status in {"Failed", "Stopped"}:
        job = session.app.sagemaker.describe_processing_job(ProcessingJobName=name)
        raise StateError(f"job {name} {status}: {job.get('FailureReason')}")
    return True if status == "Completed" else None


TRAFFIC_STEPS = (
    Step("predict", "rows are predicted through the API, and captured", _predict, ready=with_live),
    Step("describe", "what is live is told through the API", _describe, ready=with_live),
    Step("describe the API", "the API tells what it takes and gives", _describe_api, ready=with_live),
    Step("labels by API", "labels come by POST /feedback", _labels_by_api),
    Step("labels by file", "labels come as a CSV file", _labels_by_file, rules=("feedback-created",)),
    Step("labels by tick", "a CSV file of labels whose event was lost is found by the schedule", _labels_by_tick),
    Step("refused labels", "a CSV file of labels is refused, and goes to quarantine", _refused_labels, rules=("feedback-created",)),
    Step("vanished labels", "a CSV file of labels is gone before it is read: there is nothing to record", _vanish),
    Step("monitor", "an hour of traffic has ended, and is looked at", _monitor, ready=_with_hour),
    Step("monitor again", "the job that looks at an hour is stopped, and the next tick starts another", _monitor_again, ready=_with_hour),
)
