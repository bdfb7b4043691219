"""What monitoring found: the newest verdicts of the schedule, and a verdict in words."""

from datetime import datetime
from pathlib import Path
from typing import Any

from cli.observe import App
from cli.output import Output
from contracts.config import MonitoringBackend
from contracts.layout import MONITORING, REPORT, VERDICT
from contracts.monitoring import DriftVerdict, FeatureVerdict, MetricVerdict, MonitoringVerdict, QualityVerdict

REPORTS = "monitoring"
SHOWN = 10  # columns in the table
NAMED = 5  # in the sentence
_LEVELS = 4  # year, month, day and hour
_DRIFT = {
    DriftVerdict.DRIFT: ("drift", "red"),
    DriftVerdict.NO_DRIFT: ("no drift", "green"),
    DriftVerdict.NOT_ENOUGH_DATA: ("not enough data", "yellow"),
    DriftVerdict.NOT_COMPARED: ("only labelled predictions, which say nothing about drift", ""),
}


def newest_verdicts(app: App) -> list[str]:
    """The S3 prefixes of the newest windows that were looked at by schedule: one, or one for each schedule of Model Monitor."""
    own = app.project.config.monitoring.backend is MonitoringBackend.PROCESSING_JOB
    places = [MONITORING] if own else _below(app, f"{MONITORING}{app.prefix}/")
    return [found for place in places if (found := _newest(app, place))]


def _newest(app: App, place: str) -> str | None:
    """The newest hour below a place, which has a folder for each year, month, day and hour."""
    for _ in range(_LEVELS):
        dated = [prefix for prefix in _below(app, place) if prefix.removeprefix(place).rstrip("/").isdigit()]
        if not dated:
            return None
        place = max(dated)
    return place


def _below(app: App, place: str) -> list[str]:
    pages = app.s3.get_paginator("list_objects_v2").paginate(Bucket=app.artifacts_bucket, Prefix=place, Delimiter="/")
    return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", ())]


def read_verdict(app: App, prefix: str) -> MonitoringVerdict:
    """A verdict."""
    content = app.s3.get_object(Bucket=app.artifacts_bucket, Key=prefix + VERDICT)["Body"].read()
    return MonitoringVerdict.model_validate_json(content)


def keep_report(app: App, prefix: str, state: Path) -> Path:
    """Copy a verdict's page into the project's state folder, under the name of its window or job."""
    name = prefix.removeprefix(MONITORING).strip("/").replace("/", "-")
    path = state / REPORTS / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    app.s3.download_file(app.artifacts_bucket, prefix + REPORT, str(path))
    return path


def show_verdict(output: Output, verdict: MonitoringVerdict) -> None:
    """For people: drift, quality, and what was read."""
    window, counts = verdict.window, verdict.counts
    by = f" of {window.schedule}" if window.schedule else ""
    output.say(f"window{by} {_span(window.start, window.end)}: {counts.rows:,} rows in {counts.records:,} requests")
    word, style = _DRIFT[verdict.drift]
    output.say(word + _details(verdict), style)
    output.say()
    output.table(("column", "verdict", "distance", "threshold", "missing", "wrong type"), [_column(each) for each in _furthest(verdict)])
    output.say()
    _show_quality(output, verdict)
    left_out = _left_out(verdict)
    if left_out:
        output.say(f"not counted: {left_out}", "yellow")


def _details(verdict: MonitoringVerdict) -> str:
    if verdict.drift is DriftVerdict.NOT_ENOUGH_DATA:
        return f": at least {verdict.thresholds.minimum_rows:,} rows are needed to say something about drift"
    names, more = verdict.drifted[:NAMED], len(verdict.drifted) - NAMED
    found = (f" in {', '.join(names)}" if names else "") + (f" and {more} more" if more > 0 else "")
    plural = "s" if verdict.violations > 1 else ""
    return f"{found}; {verdict.violations} violation{plural} of the baseline's constraints" if verdict.violations else found


def _furthest(verdict: MonitoringVerdict) -> list[FeatureVerdict]:
    """Every column that drifted, and of the others so many that SHOWN are shown, the furthest first; the model's answers last."""
    drifted = sum(each.verdict is DriftVerdict.DRIFT for each in verdict.features)
    return [*verdict.features[: max(SHOWN, drifted)], *verdict.predictions]


def _column(found: FeatureVerdict) -> tuple[object, ...]:
    distance = "" if found.distance is None else f"{found.distance:.3f}"
    # A distance above the threshold is no drift when as few rows often show it.
    chance = found.verdict is DriftVerdict.NO_DRIFT and found.distance is not None and found.distance > found.threshold
    return (
        found.name,
        found.verdict.replace("_", " ") + (": by chance" if chance else ""),
        distance,
        f"{found.threshold:g}",
        found.missing,
        found.invalid,
    )


def _show_quality(output: Output, verdict: MonitoringVerdict) -> None:
    quality = verdict.quality
    late = quality.start is not None and quality.end is not None and quality.start != verdict.window.start
    when = f" of {_span(quality.start, quality.end)}" if late and quality.start and quality.end else ""
    if quality.verdict is QualityVerdict.NOT_ENOUGH_DATA:
        enough = quality.labels >= verdict.thresholds.minimum_labels
        why = "there is no holdout to compare with" if enough else f"at least {verdict.thresholds.minimum_labels:,} are needed"
        output.say(f"quality{when}: not enough data: {quality.labels:,} labels; {why}", "yellow")
    else:
        output.say(f"quality{when}: {quality.verdict}, by {quality.labels:,} labels", "red" if _fell(verdict) else "green")
    if quality.metrics:
        output.table(("metric", "window", "holdout", "verdict"), [_metric(each) for each in quality.metrics])


def _fell(verdict: MonitoringVerdict) -> bool:
    return verdict.quality.verdict is QualityVerdict.FELL


def _metric(found: MetricVerdict) -> tuple[object, ...]:
    judged = {None: "", True: "fell", False: "held"}[found.fell]
    return found.metric, f"{found.value:.4f} ± {found.error:.4f}", "" if found.holdout is None else f"{found.holdout:.4f}", judged


def _left_out(verdict: MonitoringVerdict) -> str:
    counts = verdict.counts
    found: dict[str, Any] = {
        "unreadable lines": counts.unreadable_lines,
        "unreadable requests": counts.unreadable_requests,
        "unreadable answers": counts.unreadable_answers,
        "unreadable labels": counts.unreadable_labels,
        "answers of other models": counts.other_models,
        "repeated events": counts.duplicates,
    }
    return ", ".join(f"{count:,} {what}" for what, count in found.items() if count)


def _span(start: datetime, end: datetime) -> str:
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
