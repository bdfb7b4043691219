"""The replay's result: for people a summary, for machines the same as JSON.

Keys of the JSON that stay: ok, metric, score, rows, requests, failed_requests, retrainings, windows [{start, end, rows, score, drift,
version, decision}]. `start` and `end` are the window's hour on the twin's clock; `first_row` and `last_row` count from 1 in the replay's
order. Scores are over rows with a label. A row that the API refuses, because its cells are not what the data contract says, is a failed
request, named under `refused`; a replay is not ok when anything else fails.
"""

from dataclasses import dataclass, field
from typing import Any

from cli.demo.charts import BARS, PLAIN_BARS
from cli.observe import Version
from cli.output import Output
from cli.replay.hindsight import detection_delay, false_alarms, lasting, onsets
from cli.replay.plan import Plan
from cli.replay.story import decided, headline, why
from cli.replay.windows import Window
from cli.score import Tally, together
from contracts.config import WindowAlarm
from contracts.evaluation import Metric
from contracts.ledger import What
from contracts.monitoring import DriftVerdict

SHOWN_FAILURES = 10


@dataclass
class Report:
    """What a replay collects while it runs. `reason` says why it did not come to its end; empty when it did.

    `places`: for each window the first row's cell in the column `order_by`; empty without one.
    """

    metric: Metric
    table: str = ""
    plan: Plan | None = None
    order_by: str | None = None
    places: list[str] = field(default_factory=list)
    alarm: WindowAlarm = field(default_factory=WindowAlarm)
    windows: list[Window] = field(default_factory=list)
    first: list[Tally] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    requests: int = 0
    failures: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    labels: int = 0
    reason: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True when every window was replayed, and every request answered but for rows that do not fit the data contract."""
        return not self.reason and any(window.answered for window in self.windows) and not self.failures

    @property
    def failed_requests(self) -> int:
        """Requests that got no 2xx."""
        return len(self.failures) + len(self.refused)

    @property
    def total(self) -> Tally:
        """Over all replayed rows."""
        return together(self.metric, [window.tally for window in self.windows])

    @property
    def without(self) -> float | None:
        """The score of the first model on the same rows; None when it is not known for all windows."""
        return together(self.metric, self.first).score if self.first and len(self.first) == len(self.windows) else None

    @property
    def rows(self) -> int:
        """Replayed rows."""
        return sum(len(window.rows) for window in self.windows)

    @property
    def retrainings(self) -> int:
        """Trainings within the windows; one that found too few labels trained nothing."""
        return sum(decision.what is What.TRAINING_STARTED for window in self.windows for decision in window.decisions)

    def unused(self) -> list[int]:
        """Versions that were deployed and answered no row."""
        deployed = {
            decision.subject for window in self.windows for decision in window.decisions if decision.what is What.DEPLOYMENT_FINISHED
        }
        answered = {number for window in self.windows for number in window.versions}
        return sorted(version.number for version in self.versions if version.arn in deployed and version.number not in answered)

    def fell(self) -> list[bool]:
        """For each window, whether the quality had fallen, in hindsight (see hindsight.py)."""
        by_number = {version.number: version for version in self.versions}
        return lasting([self._bad(window, by_number.get(window.version or 0)) for window in self.windows], self.alarm)

    def _bad(self, window: Window, version: Version | None) -> bool:
        """Whether the version that answered scored worse than on its holdout."""
        reference = version.metrics.get(str(self.metric)) if version else None
        return version is not None and reference is not None and window.tally.fell(reference, version.holdout_rows)

    def document(self) -> dict[str, Any]:
        """As `--json` writes it."""
        fell, begun = self.fell(), onsets([window.alarms for window in self.windows])
        looked_back = self.alarm.windows + (self.plan.delay_hours if self.plan else 0)
        return {
            "ok": self.ok,
            "reason": self.reason or None,
            "metric": str(self.metric),
            "score": self.total.score,
            "score_without_retraining": self.without,
            "rows": self.rows,
            "scored_rows": self.total.rows,
            "labels": self.labels,
            "requests": self.requests,
            "failed_requests": self.failed_requests,
            "failures": self.failures[:SHOWN_FAILURES],
            "refused": self.refused[:SHOWN_FAILURES],
            "retrainings": self.retrainings,
            "false_alarms": false_alarms(fell, begun, looked_back),
            "detection_delay": detection_delay(fell, begun),
            "table": self.table,
            "order_by": self.order_by,
            "plan": _plan(self.plan),
            "versions": [_version(version) for version in sorted(self.versions, key=lambda version: version.number)],
            "windows": [_window(self, number, fell[number]) for number in range(len(self.windows))],
            "seconds": round(self.seconds, 1),
        }


def window_line(report: Report, window: Window) -> str:
    """One window, for people, while the replay goes on."""
    score = window.tally.score
    parts = [f"{report.metric} {'unknown' if score is None else format(score, '.4f')}", window.drift.replace("_", " ")]
    parts += [f"alarm {' and '.join(window.alarms)}"] if window.alarms else []
    parts += ["no answer" if window.version is None else f"version {window.version}"]
    parts += [said] if (said := decided(window.decisions)) else []
    return ", ".join(parts)


def show_report(output: Output, report: Report) -> None:
    """The summary for people; nothing when no window was replayed."""
    if report.windows:
        output.say()
        output.table(
            ("window", "rows", str(report.metric), "first model", "drift", "alarms", "version", "decided", "why"),
            [_table_row(report, number) for number in range(len(report.windows))],
        )
        output.say()
        unicode = "utf" in (output.console.encoding or "").lower()
        for line in chart(report, BARS if unicode else PLAIN_BARS):
            output.say(line)
        output.say()
    for failure in report.failures[:SHOWN_FAILURES]:
        output.say(f"failed: {failure}", "red")
    for refusal in report.refused[:SHOWN_FAILURES]:
        output.say(f"refused: {refusal}", "yellow")
    for line in summary(report):
        output.say(line)


def summary(report: Report) -> list[str]:
    """The result in words."""
    document = report.document()
    score, without = document["score"], document["score_without_retraining"]
    if score is None:
        return []
    windows = _count(len(report.windows), "window")
    lines = [f"{report.metric} {score:.4f} over {document['scored_rows']:,} labelled rows of {report.rows:,} in {windows}"]
    if without is not None and report.plan is not None and report.plan.retrain:
        gain = f"{_count(report.retrainings, 'retraining')} gained {report.metric.gain(score, without):+.4f}"
        lines.append(f"{report.metric} {without:.4f} without retraining; {gain if report.retrainings else 'nothing was retrained'}")
    lines.append(f"false alarms {document['false_alarms']}, detection delay: {detected(document)}")
    lines += [f"version {number} was deployed after the last window: it answered none of these rows" for number in report.unused()]
    lines.append(f"{report.requests:,} requests, failed requests = {report.failed_requests}, {report.seconds:.0f} s")
    return lines


def detected(document: dict[str, Any]) -> str:
    """The detection delay in words, from a report's document."""
    delay, fell = document["detection_delay"], [window for window in document["windows"] if window["fell"]]
    if delay is not None:
        return "the very window" if delay == 0 else _count(delay, "window")
    if not fell:
        return "the quality did not fall"
    if fell[0]["alarms"]:
        return "an alarm rang already before the quality fell"
    replaced = (document["windows"][-1]["version"] or 0) > (fell[0]["version"] or 0)
    return "no alarm, but another version took over" if replaced else "no alarm"


def chart(report: Report, bars: str) -> list[str]:
    """A bar for each window, higher is better, on one scale for the loop and for the first model alone."""
    with_it = [window.tally.score for window in report.windows]
    rows = {"with retraining" if report.plan is None or report.plan.retrain else "first model": with_it}
    if report.without is not None and (report.plan is None or report.plan.retrain):
        rows["first model only"] = [each.score for each in report.first]
    known = [score for row in rows.values() for score in row if score is not None]
    if not known:
        return []
    worst, best = (max(known), min(known)) if report.metric is Metric.RMSE else (min(known), max(known))
    lines = [f"{report.metric} by window, from {worst:.4f} (lowest bar) to {best:.4f} (highest)"]
    for name, row in rows.items():
        lines.append(f"  {name:16} |{''.join(_bar(score, worst, best, bars) for score in row)}|")
    drift = "".join("d" if window.drift is DriftVerdict.DRIFT else " " for window in report.windows)
    marks = "".join("A" if window.alarms else "." if mark == " " else mark for window, mark in zip(report.windows, drift, strict=True))
    lines.append(f"  {'drift, Alarm':16} |{marks}|")
    lines.append(f"  {'version':16} |{''.join(str((window.version or 0) % 10) for window in report.windows)}|")
    return lines


def _bar(score: float | None, worst: float, best: float, bars: str) -> str:
    if score is None:
        return bars[0]
    share = 1.0 if best == worst else (score - worst) / (best - worst)
    return bars[1 + round(share * (len(bars) - 2))]


def _table_row(report: Report, number: int) -> tuple[object, ...]:
    window = report.windows[number]
    first = report.first[number].score if number < len(report.first) else None
    return (
        number + 1,
        f"{window.rows.start + 1:,} to {window.rows.stop:,}",
        _number(window.tally.score),
        _number(first),
        window.drift.replace("_", " "),
        ", ".join(window.alarms),
        window.version,
        decided(window.decisions),
        why(window.decisions),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _window(report: Report, number: int, fell: bool) -> dict[str, Any]:
    window = report.windows[number]
    decision = headline(window.decisions)
    verdict = window.verdict
    return {
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "rows": len(window.rows),
        "first_row": window.rows.start + 1,
        "last_row": window.rows.stop,
        "place": report.places[number] if number < len(report.places) else None,
        "answered": window.answered,
        "scored": window.tally.rows,
        "score": window.tally.score,
        "score_without_retraining": report.first[number].score if number < len(report.first) else None,
        "fell": fell,
        "drift": str(window.drift),
        "drifted": list(verdict.drifted) if verdict else [],
        "quality": str(verdict.quality.verdict) if verdict else None,
        "alarms": list(window.alarms),
        "version": window.version,
        "decision": str(decision.what) if decision else None,
        "decided": decided(window.decisions) or None,
        "why": why(window.decisions) or None,
        "decisions": [
            {"time": each.time.isoformat(), "what": str(each.what), "subject": each.subject, "why": each.why} for each in window.decisions
        ],
        "seconds": window.seconds,
    }


def _version(version: Version) -> dict[str, Any]:
    return {"version": version.number, "status": version.approval, "dataset_version": version.dataset_version, "metrics": version.metrics}


def _plan(plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return {
        "train_rows": plan.train_rows,
        "window_rows": plan.window_rows,
        "label_delay": plan.label_delay,
        "label_delay_windows": plan.delay_hours,
        "retrain": plan.retrain,
    }
