"""report.html: one page without anything from elsewhere, the verdict first, then what it rests on, the most drifted feature first. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from contracts.baseline import Statistics
from contracts.columns import ColumnKind
from contracts.monitoring import (
    DriftVerdict,
    FeatureVerdict,
    MonitoringVerdict,
    QualityVerdict,
    Violations,
)
from training.monitoring.judge import ANSWERS
from training.monitoring.plots import plot
from training.monitoring.scan import WindowSummary

WORDS = {
    DriftVerdict.DRIFT: "drifted",
    DriftVerdict.NO_DRIFT: "steady",
    DriftVerdict.NOT_ENOUGH_DATA: "not enough data",
    DriftVerdict.NOT_COMPARED: "not compared",
}


@dataclass(frozen=True)
class Panel:
    """One column on the page. `reach`: the distance in percent of the scale, which ends at three thresholds or the distance itself."""

    verdict: FeatureVerdict
    word: str
    plot: Markup
    reach: float
    mark: float


def render(
    verdict: MonitoringVerdict, violations: Violations, baseline: Statistics, kinds: Mapping[str, ColumnKind], window: WindowSummary
) -> str:
    """The page."""
    features = {feature.name: feature for feature in baseline.features}

    def panel(found: FeatureVerdict) -> Panel:
        scale = max(3 * found.threshold, found.distance or 0)
        shown = plot(features[found.name], window.columns[found.name], kinds.get(found.name))
        return Panel(found, WORDS[found.verdict], shown, 100 * (found.distance or 0) / scale, 100 * found.threshold / scale)

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("report.html.j2").render(
        verdict=verdict,
        state=_state(verdict),
        headline=headline(verdict),
        sentences=sentences(verdict),
        troubles=troubles(verdict),
        violations=[found for found in violations.violations if found.constraint_check_type != "baseline_drift_check"],
        answers=[panel(found) for found in verdict.predictions],
        features=[panel(found) for found in verdict.features],
        rows=f"{verdict.counts.rows:,}",
        labelled=_labelled(verdict),
        baseline_rows=f"{baseline.dataset.item_count:,}",
    )


def _labelled(verdict: MonitoringVerdict) -> str:
    """The window of the labelled answers, where it is another one."""
    quality = verdict.quality
    if quality.start is None or quality.end is None or quality.start == verdict.window.start:
        return ""
    return f"{quality.start:%Y-%m-%d %H:%M} to {quality.end:%Y-%m-%d %H:%M} UTC"


def _state(verdict: MonitoringVerdict) -> str:
    """The page's colour: bad, doubtful or good."""
    if verdict.drift is DriftVerdict.DRIFT or verdict.quality.verdict is QualityVerdict.FELL:
        return "bad"
    return "doubtful" if verdict.drift is DriftVerdict.NOT_ENOUGH_DATA or verdict.violations else "good"


def headline(verdict: MonitoringVerdict) -> str:
    """The verdict in a few words."""
    fell = verdict.quality.verdict is QualityVerdict.FELL
    match verdict.drift:
        case DriftVerdict.DRIFT:
            what = "the traffic has changed" if any(name not in ANSWERS for name in verdict.drifted) else "the model's answers have moved"
            return "Drift, and the model got worse" if fell else f"Drift: {what}"
        case DriftVerdict.NO_DRIFT:
            return "The model got worse" if fell else "No drift"
        case DriftVerdict.NOT_COMPARED:
            return "The model got worse" if fell else "Labelled predictions"
        case _:
            return "The model got worse" if fell else "Not enough data"


def sentences(verdict: MonitoringVerdict) -> list[str]:
    """What a person should know, in plain words."""
    return [_about_drift(verdict), _about_quality(verdict)]


def _about_drift(verdict: MonitoringVerdict) -> str:
    rows, limits = verdict.counts.rows, verdict.thresholds
    if verdict.drift is DriftVerdict.NOT_COMPARED:
        return "Only predictions with a label were looked at, which says nothing about drift."
    if verdict.drift is DriftVerdict.NOT_ENOUGH_DATA:
        return f"{rows:,} rows say nothing about drift; at least {limits.minimum_rows:,} are needed."
    moved = [feature.name for feature in verdict.features if feature.verdict is DriftVerdict.DRIFT]
    answers = [feature.name for feature in verdict.predictions if feature.verdict is DriftVerdict.DRIFT]
    if not moved:
        alike = f"{_compared(verdict)} look as they did in training"
        return f"{alike}, but the model's answers have moved." if answers else f"{alike}, and so do the model's answers."
    text = f"{len(moved)} of {len(verdict.features)} features differ from what the model was trained on"
    text += f", most of all {_listed(moved[:3])}"
    return text + ("; the model's answers have moved too." if answers else "; the model's answers have not moved.")


def _compared(verdict: MonitoringVerdict) -> str:
    """The features that were judged; times and columns of too few values are not."""
    judged = sum(feature.verdict in {DriftVerdict.DRIFT, DriftVerdict.NO_DRIFT} for feature in verdict.features)
    every = len(verdict.features)
    return f"All {every} features" if judged == every else f"Of {every} features {judged} could be compared and"


def _about_quality(verdict: MonitoringVerdict) -> str:
    quality, limits = verdict.quality, verdict.thresholds
    if quality.labels < limits.minimum_labels:
        return f"{quality.labels:,} labels have come so far; at least {limits.minimum_labels:,} are needed to judge the model's quality."
    if quality.verdict is QualityVerdict.NOT_ENOUGH_DATA:
        return f"{quality.labels:,} labels have come, and there is no holdout to compare with."
    judged = [metric for metric in quality.metrics if metric.fell is not None]
    told = _listed([f"{metric.metric} {metric.value:.3f} ({metric.holdout:.3f} on the holdout)" for metric in judged])
    verb = "has fallen" if quality.verdict is QualityVerdict.FELL else "has held"
    return f"By {quality.labels:,} labels the model's quality {verb}: {told}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def troubles(verdict: MonitoringVerdict) -> list[tuple[str, str]]:
    """What could not be read or was left out, each with its number."""
    counts = verdict.counts
    found = {
        "lines that are no capture record": counts.unreadable_lines,
        "records without a readable request": counts.unreadable_requests,
        "records without a prediction": counts.unreadable_answers,
        "predictions of another model": counts.other_models,
        "labels that cannot be read": counts.unreadable_labels,
        "labels that a later one replaced": counts.repeated_labels,
        "events that came again": counts.duplicates,
        "records outside the window": counts.outside_window,
    }
    return [(what, f"{count:,}") for what, count in found.items() if count]
