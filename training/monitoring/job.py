"""What a monitoring job is told, by its environment: Model Monitor's contract for containers of one's own, and a few variables of ours.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-inputs.html

    dataset_source                        folder of the captures, or (ours) an S3 URI of one with a folder for each hour
    dataset_format                        if given: sagemakerCaptureJson
    start_time, end_time                  the window; start <= inference time < end, ISO 8601, UTC when no zone is named
    baseline_statistics                   the champion's statistics.json
    baseline_constraints                  its constraints.json
    model_package                         ours, instead of these two: the champion's ARN, whose baseline is found in the registry
    analysis_type                         MODEL_QUALITY: the captures are only those that have a label, so only the quality is judged
    output_path                           folder for what the job writes
    publish_cloudwatch_metrics            Enabled: metrics are written for CloudWatch
    sagemaker_endpoint_name, sagemaker_monitoring_schedule_name    their dimensions
    ground_truth_source                   ours, optional: folder of the labels, or an S3 URI like that of the captures
    quality_start_time, quality_end_time  ours, optional: whose answers are judged by labels, which come late; by default the window
    model_signature, model_evaluation     ours, optional: by default signature.json and evaluation.json beside statistics.json
    thresholds                            ours, optional: contracts.monitoring.Thresholds as JSON
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from contracts.errors import StateError
from contracts.layout import EVALUATION
from contracts.monitoring import Thresholds, Window
from contracts.signature import SIGNATURE
from training.monitoring.captures import Span
from training.monitoring.fetch import SCHEME
from training.paths import Paths


@dataclass(frozen=True)
class MonitorJob:
    """One window to look at; and a span of time, of the answers whose quality is judged. Sources are folders, or S3 URIs.

    `labelled_only`: the captures are a sample by who got a label, which says nothing about drift.
    """

    window: Window
    quality: Span
    source: Path | str
    output: Path
    statistics: Path
    constraints: Path
    signature: Path
    evaluation: Path
    ground_truth: Path | str | None
    publish: bool
    labelled_only: bool
    thresholds: Thresholds

    @classmethod
    def of(cls, environment: Mapping[str, str], paths: Paths) -> Self:
        """Raises StateError naming the variable that is missing or wrong."""
        _check_format(environment.get("dataset_format", ""))
        statistics = paths.at(_get(environment, "baseline_statistics"))
        truth = environment.get("ground_truth_source")
        start, end = _span(environment, "start_time", "end_time")
        own = bool(environment.get("quality_start_time") or environment.get("quality_end_time"))
        return cls(
            window=Window(
                start=start,
                end=end,
                endpoint=environment.get("sagemaker_endpoint_name", ""),
                schedule=environment.get("sagemaker_monitoring_schedule_name", ""),
            ),
            quality=_span(environment, "quality_start_time", "quality_end_time") if own else Span(start, end),
            source=_source(_get(environment, "dataset_source"), paths),
            output=paths.at(_get(environment, "output_path")),
            statistics=statistics,
            constraints=paths.at(_get(environment, "baseline_constraints")),
            signature=paths.at(environment.get("model_signature") or str(statistics.with_name(SIGNATURE))),
            evaluation=paths.at(environment.get("model_evaluation") or str(statistics.with_name(EVALUATION))),
            ground_truth=_source(truth, paths) if truth else None,
            publish=environment.get("publish_cloudwatch_metrics", "Enabled") == "Enabled",
            labelled_only=environment.get("analysis_type") == "MODEL_QUALITY",
            thresholds=Thresholds.model_validate_json(environment.get("thresholds") or "{}"),
        )


def _get(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise StateError(f"the environment variable {name} is not set. Next: give the job what training/monitoring/job.py lists")
    return value


def _source(text: str, paths: Paths) -> Path | str:
    return text if text.startswith(SCHEME) else paths.at(text)


def _span(environment: Mapping[str, str], first: str, last: str) -> Span:
    start, end = _time(environment, first), _time(environment, last)
    if start >= end:
        raise StateError(f"the window is empty: {first} {start} is not before {last} {end}")
    return Span(start, end)


def _time(environment: Mapping[str, str], name: str) -> datetime:
    text = _get(environment, name)
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise StateError(f"{name} is {text!r}, which is no ISO 8601 time such as 2026-11-20T10:00:00Z") from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _check_format(text: str) -> None:
    try:
        given = json.loads(text or '{"sagemakerCaptureJson": {}}')
    except json.JSONDecodeError as error:
        raise StateError(f"dataset_format is not JSON: {error}") from None
    if "sagemakerCaptureJson" not in given:
        raise StateError(f"dataset_format is {text}, and only sagemakerCaptureJson, an endpoint's data capture, can be read")
