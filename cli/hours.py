"""Hours of the twin's clock, each a window of monitoring's: moved through instead of waited for.

the hour        traffic, and labels
+ 90 seconds    the endpoint has written what it captured
+ 10 minutes    the schedule starts monitoring the hour
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cli.observe import App
from cli.twin_clock import TwinClock
from cli.waiting import wait_for
from contracts.errors import StateError
from contracts.layout import CAPTURE, VARIANT, VERDICT, capture_prefix, monitoring_prefix
from contracts.monitoring import MonitoringVerdict

HOUR = timedelta(hours=1)
CAPTURE_DELAY = timedelta(seconds=90)
MONITORING_DELAY = timedelta(minutes=10, seconds=5)
CAPTURE_LIMIT = 30.0
MONITORING_LIMIT = 120.0
LOOK_EVERY = 0.1


def full_hour(moment: datetime) -> datetime:
    """The first full hour at or after a moment."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if hour == moment else hour + HOUR


def verdict_on(app: App, clock: TwinClock, end: datetime, requests: int, show: Callable[[str], None]) -> MonitoringVerdict:
    """What monitoring says about the hour that ends at `end`, in which at least so many requests were answered.

    The clock is moved past it. Raises StateError when the job fails, WaitTimeoutError when captures or job do not come.
    """
    show("captures")
    clock.advance_to(end + CAPTURE_DELAY)
    lines: dict[str, int] = {}
    wait_for(
        f"{requests} captured requests of the hour to {end:%H:%M}",
        lambda: _captured(app, end - HOUR, lines) >= requests or None,
        CAPTURE_LIMIT,
        interval=LOOK_EVERY,
        seen=lambda: f"{sum(lines.values())} of them",
    )
    show("monitoring")
    clock.advance_to(end + MONITORING_DELAY)
    name = f"{app.prefix}-monitor-{end:%Y%m%d%H%M}"
    job = wait_for(f"monitoring job {name}", lambda: _ended(app, name), MONITORING_LIMIT, interval=LOOK_EVERY)
    if job["ProcessingJobStatus"] != "Completed":
        why = job.get("FailureReason") or job.get("ExitMessage") or "no reason given"
        raise StateError(f"monitoring job {name} {job['ProcessingJobStatus']}: {why}")
    return MonitoringVerdict.model_validate_json(app.read(app.artifacts_bucket, monitoring_prefix(end) + VERDICT))


def _captured(app: App, start: datetime, lines: dict[str, int]) -> int:
    """Requests that were captured in an hour; `lines` remembers the files that were counted."""
    prefix = CAPTURE + capture_prefix(app.prefix, VARIANT, start)
    pages = app.s3.get_paginator("list_objects_v2").paginate(Bucket=app.artifacts_bucket, Prefix=prefix)
    for found in (each["Key"] for page in pages for each in page.get("Contents", ())):
        if found not in lines:
            lines[found] = app.read(app.artifacts_bucket, found).count(b"\n")
    return sum(lines.values())


def _ended(app: App, name: str) -> dict[str, Any] | None:
    """A job, when it has ended. SageMaker answers a ValidationException for one that has not been started."""
    try:
        job: dict[str, Any] = app.sagemaker.describe_processing_job(ProcessingJobName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"ValidationException", "ResourceNotFound"}:
            raise
        return None
    return None if job["ProcessingJobStatus"] == "InProgress" else job
