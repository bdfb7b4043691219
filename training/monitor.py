"""monitor: a window of captured traffic against the champion's baseline; the analyzer of both monitoring backends.

Inputs: environment variables (training/monitoring/job.py). Outputs, in the output folder: statistics.json of the window,
constraint_violations.json, verdict.json and report.html; and metrics for CloudWatch. Drift is a result, not a failure.
"""

import argparse
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from contracts import layout
from contracts.baseline import Constraints, Statistics
from contracts.errors import StateError
from contracts.evaluation import Evaluation
from contracts.monitoring import (
    CheckType,
    Counts,
    DriftVerdict,
    MetricVerdict,
    MonitoringVerdict,
    Violation,
    Violations,
)
from contracts.signature import Signature
from training.monitoring.captures import Span
from training.monitoring.champion import fetch_baseline
from training.monitoring.checks import Checker, check_labels
from training.monitoring.fetch import fetch
from training.monitoring.job import MonitorJob
from training.monitoring.judge import ANSWERS, judge_features, judge_quality, judge_window
from training.monitoring.labels import Labels
from training.monitoring.outputs import describe, metric_lines
from training.monitoring.publish import put_metrics
from training.monitoring.report import render
from training.monitoring.scan import Scanner, WindowSummary, scan_window
from training.paths import Paths

METRICS_FILE = "metrics.jsonl"

log = logging.getLogger(__name__)
Model = TypeVar("Model", bound=BaseModel)


def main(paths: Paths, options: list[str]) -> None:
    """Run the job. Raises StateError for what the job is not given, or given wrongly."""
    parser = argparse.ArgumentParser(prog="monitor")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that read; the result does not depend on it")
    parser.add_argument(
        "--namespace", help="put the metrics there, by endpoint; Model Monitor puts those of its schedules into its own too"
    )
    given = parser.parse_args(options)
    with TemporaryDirectory() as temporary:
        job = MonitorJob.of(_with_baseline(os.environ, Path(temporary)), paths)
        verdict = run(job, given.workers, paths.cloudwatch)
    if given.namespace and job.publish:
        put_metrics((paths.cloudwatch / METRICS_FILE).read_text(), given.namespace)
    if job.window.schedule and verdict.violations:
        # What Model Monitor's own container says, so that the execution's status tells of it.
        paths.message.parent.mkdir(parents=True, exist_ok=True)
        paths.message.write_text(f"CompletedWithViolations: Job completed successfully with {verdict.violations} violations.")
    log.info("drift: %s (%s); quality: %s", verdict.drift, ", ".join(verdict.drifted) or "no feature", verdict.quality.verdict)
    log.info("%s", verdict.counts.model_dump_json())


def _with_baseline(environment: Mapping[str, str], folder: Path) -> Mapping[str, str]:
    """The environment, with the champion's baseline from the registry when it names the champion and no files."""
    package = environment.get("model_package")
    if not package or environment.get("baseline_statistics"):
        return environment
    fetch_baseline(package, folder)
    files = {"baseline_statistics": layout.STATISTICS, "baseline_constraints": layout.CONSTRAINTS}
    return {**environment, **{variable: str(folder / name) for variable, name in files.items()}}


def run(job: MonitorJob, workers: int, cloudwatch: Path) -> MonitoringVerdict:
    """Read the window, judge it, and write everything down."""
    baseline, constraints = _read(job.statistics, Statistics), _read(job.constraints, Constraints)
    signature = _read(job.signature, Signature)
    _check(baseline, constraints, signature)
    evaluation = _read(job.evaluation, Evaluation) if job.evaluation.exists() else None
    artifact = evaluation.artifact_sha256 if evaluation else ""
    span = Span(job.window.start, job.window.end)
    labels, window, files = _scan(job, Scanner(span, job.quality, baseline, signature, Labels(), artifact), workers)
    verdict, violations = judge(job, baseline, constraints, signature, evaluation, labels, window, files)

    job.output.mkdir(parents=True, exist_ok=True)
    (job.output / layout.STATISTICS).write_text(describe(window).model_dump_json(indent=2, exclude_none=True))
    (job.output / layout.VIOLATIONS).write_text(violations.model_dump_json(indent=2))
    (job.output / layout.VERDICT).write_text(verdict.model_dump_json(indent=2))
    (job.output / layout.REPORT).write_text(render(verdict, violations, baseline, signature.features, window))
    if job.publish:
        cloudwatch.mkdir(parents=True, exist_ok=True)
        (cloudwatch / METRICS_FILE).write_text(metric_lines(verdict, window))
    return verdict


def _scan(job: MonitorJob, scanner: Scanner, workers: int) -> tuple[Labels, WindowSummary, int]:
    """The labels, the window's summary with the quality that they say, and the number of capture files."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        truth = _local(job.ground_truth, [(scanner.judged.start, None)], folder / "labels") if job.ground_truth else None
        labels = Labels.read(truth, scanner.signature) if truth else Labels()
        captures = _local(job.source, _apart(scanner.window, scanner.judged), folder / "captures")
        window, files = scan_window(captures, replace(scanner, labels=labels), workers)
    return labels, window, files


def _apart(first: Span, second: Span) -> list[Span]:
    """Both, or the one that they are where they meet, of which nothing is fetched twice."""
    earlier, later = sorted((first, second))
    return [Span(earlier.start, max(first.end, second.end))] if later.start <= earlier.end else [earlier, later]


def _local(source: Path | str, spans: Iterable[tuple[datetime, datetime | None]], folder: Path) -> Path:
    """A source as a folder: itself, or what is fetched from S3 of some spans of time."""
    if isinstance(source, Path):
        return source
    for start, end in spans:
        fetch(source, start, end, folder)
    return folder


def judge(
    job: MonitorJob,
    baseline: Statistics,
    constraints: Constraints,
    signature: Signature,
    evaluation: Evaluation | None,
    labels: Labels,
    window: WindowSummary,
    files: int,
) -> tuple[MonitoringVerdict, Violations]:
    """Every verdict of a window, and everything that is wrong with it."""
    kinds, limits = signature.features, job.thresholds
    features = [] if job.labelled_only else judge_features(baseline, window.columns, kinds, limits)
    quality = judge_quality(window.quality, evaluation, limits)
    start, end = job.quality
    drifted = [feature for feature in features if feature.verdict is DriftVerdict.DRIFT]
    violations = [] if job.labelled_only else Checker(baseline, constraints, kinds, limits).check(window)
    violations += check_labels(signature.target, window, limits)
    violations += [
        Violation(
            feature_name=feature.name,
            constraint_check_type=CheckType.BASELINE_DRIFT,
            description=f"Jensen-Shannon distance {feature.distance:.3f} from the baseline exceeds {feature.threshold:g}",
        )
        for feature in drifted
    ]
    violations += [_fall(metric) for metric in quality.metrics if metric.fell]
    tally = vars(window.tally) | {
        "unreadable_labels": window.tally.unreadable_labels + labels.unreadable,
        "unknown_labels": window.unknown_labels.total,
    }
    verdict = MonitoringVerdict(
        window=job.window,
        problem=signature.problem,
        drift=DriftVerdict.NOT_COMPARED if job.labelled_only else judge_window(features, window.tally.rows, limits),
        drifted=tuple(feature.name for feature in drifted),
        features=tuple(feature for feature in features if feature.name not in ANSWERS),
        predictions=tuple(feature for feature in features if feature.name in ANSWERS),
        quality=quality.model_copy(update={"start": start, "end": end}),
        violations=len(violations),
        counts=Counts(**tally, files=files, repeated_labels=labels.repeated),
        thresholds=limits,
    )
    return verdict, Violations(violations=tuple(violations))


def _fall(metric: MetricVerdict) -> Violation:
    return Violation(
        feature_name=metric.metric,
        constraint_check_type=CheckType.QUALITY,
        description=f"{metric.metric} is {metric.value:.4f}, and was {metric.holdout:.4f} on the champion's holdout",
    )


def _read(path: Path, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StateError(f"{path.name} cannot be read: {error}. Next: give the job the champion's evaluation folder") from error
    except ValidationError as error:
        raise StateError(f"{path.name} is not what it should be: {error}") from error


def _check(baseline: Statistics, constraints: Constraints, signature: Signature) -> None:
    """All three must be of one model."""
    described = {feature.name for feature in baseline.features}
    constrained = {feature.name for feature in constraints.features}
    lacking = [name for name in signature.features if name not in described & constrained]
    unknown = sorted(described - set(signature.features) - ANSWERS)
    if lacking or unknown:
        raise StateError(f"baseline and signature are not of the same model: {', '.join(lacking + unknown)} is in one and not in the other")
