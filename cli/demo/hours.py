"""The demo's hours: the twin's clock is moved to where a window begins and ends, and monitoring's verdict on it is read.

the hour        traffic, and the labels of its rows
+ 90 seconds    the endpoint has written what it captured
+ 10 minutes    the schedule starts monitoring the hour
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cli.demo.setting import WINDOW_HOURS
from cli.observe import App
from cli.twin_clock import TwinClock
from cli.waiting import wait_for
from contracts.errors import StateError
from contracts.layout import CAPTURE, VARIANT, VERDICT, capture_prefix, monitoring_prefix
from contracts.monitoring import MonitoringVerdict

HOUR = timedelta(hours=WINDOW_HOURS)
CAPTURE_DELAY = timedelta(seconds=90)
MONITORING_DELAY = timedelta(minutes=10, seconds=5)
RETRAINING_DELAY = timedelta(minutes=20, seconds=5)
CAPTURE_LIMIT = 30.0
MONITORING_LIMIT = 120.0
LOOK_EVERY = 0.1


class Hours:
    """One hour after the other. `start` is when the present one began."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._clock = TwinClock(app.account)
        self.start = full_hour(self._clock.now())

    def begin(self) -> None:
        """Move to the next full hour."""
        self.start = full_hour(self._clock.now())
        self._clock.advance_to(self.start)

    def end(self) -> None:
        """Move to the end of the present hour: what is sent now belongs to the next one."""
        self.start += HOUR
        self._clock.advance_to(self.start)

    def verdict(self, requests: int, show: Callable[[str], None]) -> MonitoringVerdict:
        """What monitoring says about the hour that has ended, in which at least so many requests were answered."""
        show("captures")
        self._clock.advance_to(self.start + CAPTURE_DELAY)
        wait_for(f"{requests} captured requests", lambda: self._captured() >= requests or None, CAPTURE_LIMIT, interval=LOOK_EVERY)
        show("monitoring")
        self._clock.advance_to(self.start + MONITORING_DELAY)
        name = f"{self._app.prefix}-monitor-{self.start:%Y%m%d%H%M}"
        job = wait_for(f"monitoring job {name}", lambda: self._ended(name), MONITORING_LIMIT, interval=LOOK_EVERY)
        if job["ProcessingJobStatus"] != "Completed":
            why = job.get("FailureReason") or job.get("ExitMessage") or "no reason given"
            raise StateError(f"monitoring job {name} {job['ProcessingJobStatus']}: {why}")
        return MonitoringVerdict.model_validate_json(self._read(monitoring_prefix(self.start) + VERDICT))

    def retraining_is_due(self) -> None:
        """Move to where the schedule looks whether to retrain, if no alarm made it look before."""
        self._clock.advance_to(self.start + RETRAINING_DELAY)

    def _captured(self) -> int:
        """Requests that were captured in the hour that has ended."""
        prefix = CAPTURE + capture_prefix(self._app.prefix, VARIANT, self.start - HOUR)
        pages = self._app.s3.get_paginator("list_objects_v2").paginate(Bucket=self._app.artifacts_bucket, Prefix=prefix)
        return sum(self._read(found["Key"]).count(b"\n") for page in pages for found in page.get("Contents", ()))

    def _ended(self, name: str) -> dict[str, Any] | None:
        """A job, when it has ended. SageMaker answers a ValidationException for one that has not been started."""
        try:
            job: dict[str, Any] = self._app.sagemaker.describe_processing_job(ProcessingJobName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ValidationException", "ResourceNotFound"}:
                raise
            return None
        return None if job["ProcessingJobStatus"] == "InProgress" else job

    def _read(self, key: str) -> bytes:
        return self._app.read(self._app.artifacts_bucket, key)


def full_hour(moment: datetime) -> datetime:
    """The first full hour at or after a moment."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if hour == moment else hour + HOUR
