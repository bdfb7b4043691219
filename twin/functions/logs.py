"""A function's output: to a file in the state folder, to CloudWatch Logs under the function's role, and its embedded metrics to CloudWatch.

A function whose role may not write its log runs all the same, without a log and without the metrics in it
(https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html). It makes the group only where there is none.

Embedded metric format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from twin.cloud import Cloud
from twin.iam.errors import AccessDenied
from twin.logwriter import LogWriter

log = logging.getLogger("twin.functions")


@dataclass(frozen=True)
class Measurement:
    """One metric value of an embedded-metric line."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    value: float
    unit: str
    time: datetime | None


class LogStream:
    """One execution environment's log stream: `folder/<function>.log`, and CloudWatch Logs as far as the function's role may write."""

    def __init__(self, cloud: Cloud, writer: LogWriter, file: Path) -> None:
        self._cloud = cloud
        self._writer = writer
        self._file = file
        self._lock = threading.Lock()
        self._file.parent.mkdir(parents=True, exist_ok=True)

    def write(self, lines: list[str]) -> None:
        """Append lines, at the twin's time; embedded metrics among them are measured when CloudWatch Logs gets them."""
        if not lines:
            return
        now = self._cloud.clock.now()
        with self._lock:
            with self._file.open("a") as file:
                file.writelines(f"{now.isoformat(timespec='milliseconds')} {line}\n" for line in lines)
            try:
                self._writer.write(lines)
            except AccessDenied as error:
                log.warning("a function's log is lost: %s", error)
                return
        for line in lines:
            for found in embedded_metrics(line):
                moment = twin_time(found.time, datetime.now(UTC))
                self._cloud.measure(found.namespace, found.name, found.dimensions, found.value, unit=found.unit, time=moment)


def twin_time(stamp: datetime | None, laptop: datetime) -> datetime | None:
    """The moment of a metric, None for now: a stamp within a minute of the laptop's clock is the worker's "now", which is the twin's."""
    return None if stamp is None or abs((stamp - laptop).total_seconds()) < 60 else stamp


def embedded_metrics(line: str) -> Iterator[Measurement]:
    """The measurements of an embedded-metric line; none for any other line."""
    if not line.startswith("{") or '"CloudWatchMetrics"' not in line:
        return
    try:
        document = json.loads(line)
    except json.JSONDecodeError:
        return  # a line that only looks like one: it is in the log, as it is on AWS
    metadata = document.get("_aws")
    if not isinstance(metadata, dict):
        return
    time = datetime.fromtimestamp(metadata["Timestamp"] / 1000, UTC) if "Timestamp" in metadata else None
    for directive in metadata.get("CloudWatchMetrics", []):
        for dimensions in directive.get("Dimensions") or [[]]:
            named = {name: str(document[name]) for name in dimensions}
            for metric in directive.get("Metrics", []):
                values = document[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    yield Measurement(directive["Namespace"], metric["Name"], named, float(value), metric.get("Unit", "None"), time)
