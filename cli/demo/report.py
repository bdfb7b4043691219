"""The demo's result: for people a summary, for machines the same as JSON.

Keys of the JSON that stay: ok, requests, failed_requests, versions [{version, status, dataset_version, metrics}], phases [{name, seconds}],
decisions [{time, what, why}]. More: hours (what a client and what monitoring saw of each hour of traffic), false_alarms, quality_after
(of the new version), left_out (phases that this table or configuration has no place for, each with its reason), closed (ok, and nothing was
left out).
"""

from dataclasses import dataclass, field
from typing import Any

from cli.demo.charts import BARS, PLAIN_BARS, bars_of, quality_over_time, shares_over_time
from cli.demo.traffic import Sent, latencies
from cli.ledger import shortened
from cli.observe import Version
from cli.output import Output, Phase
from contracts.evaluation import Metric
from contracts.ledger import Decision
from contracts.monitoring import MonitoringVerdict, QualityVerdict

CHART_SLOTS = 60


@dataclass(frozen=True)
class Hour:
    """An hour of traffic. `labels` and `score`: as the client measured; `verdict`: what monitoring said."""

    what: str
    labels: int
    score: float | None
    metric: Metric
    verdict: MonitoringVerdict

    def in_words(self) -> str:
        """For people."""
        drift, quality = self.verdict.drift.replace("_", " "), self.verdict.quality
        columns = len(self.verdict.features) + len(self.verdict.predictions)
        where = f" in {len(self.verdict.drifted)} of {columns} columns, the model's answers included" if self.verdict.drifted else ""
        judged = {QualityVerdict.FELL: "the quality fell", QualityVerdict.HELD: "the quality held"}.get(quality.verdict, "too few labels")
        score = "" if self.score is None else f", {self.metric} {self.score:.4f} on {self.labels} labels"
        return f"{drift}{where}; {judged}{score}"

    def document(self) -> dict[str, Any]:
        """For machines."""
        return {
            "what": self.what,
            "start": self.verdict.window.start.isoformat(),
            "end": self.verdict.window.end.isoformat(),
            "rows": self.verdict.counts.rows,
            "labels": self.labels,
            "score": self.score,
            "drift": self.verdict.drift,
            "drifted": list(self.verdict.drifted),
            "quality": self.verdict.quality.model_dump(mode="json"),
        }


@dataclass
class Report:
    """What a demo collects while it runs. `reason` says why it failed; empty when it did not."""

    phases: list[Phase] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    hours: list[Hour] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)
    quality_after: float | None = None
    left_out: list[tuple[str, str]] = field(default_factory=list)
    reason: str = ""

    @property
    def failures(self) -> list[str]:
        """Why requests failed."""
        return [one.failure for one in self.sent if one.failure]

    @property
    def ok(self) -> bool:
        """True when the story came to its end, if with parts left out, and no request failed."""
        return not self.reason and bool(self.sent) and not self.failures

    @property
    def closed(self) -> bool:
        """True when the whole loop was seen."""
        return self.ok and not self.left_out

    def document(self) -> dict[str, Any]:
        """As `--json` writes it."""
        return {
            "ok": self.ok,
            "closed": self.closed,
            "reason": self.reason or None,
            "requests": len(self.sent),
            "failed_requests": len(self.failures),
            "failures": sorted(set(self.failures))[:10],
            "latency_ms": latencies(self.sent),
            "traffic": self.traffic(CHART_SLOTS),
            "metric": self.metric,
            "quality": self.quality(CHART_SLOTS),
            "hours": [hour.document() for hour in self.hours],
            "false_alarms": self.false_alarms,
            "quality_after": self.quality_after,
            "left_out": [{"phase": phase, "why": why} for phase, why in self.left_out],
            "versions": [_version(version) for version in self.versions],
            "phases": [{"name": phase.name, "seconds": phase.seconds} for phase in self.phases],
            "decisions": [
                {
                    "time": decision.time.isoformat(),
                    "what": decision.what,
                    "subject": decision.subject,
                    "why": decision.why,
                    "by": decision.by,
                }
                for decision in self.decisions
            ],
        }

    @property
    def metric(self) -> Metric | None:
        """By which the client measures."""
        return self.hours[0].metric if self.hours else None

    def quality(self, slots: int) -> list[float | None]:
        """The quality of the answers over time, by the labels that the client knows."""
        scores = quality_over_time(self.sent, self.metric, slots) if self.metric else []
        return [None if score is None else round(score, 4) for score in scores]

    def traffic(self, slots: int) -> dict[str, list[float]]:
        """Each version's share of the answers over time."""
        names = {version.metadata.artifact_sha256: f"version {version.number}" for version in self.versions if version.metadata}
        return {name: [round(share, 3) for share in shares] for name, shares in shares_over_time(self.sent, names, slots).items()}


def show_report(output: Output, report: Report) -> None:
    """The summary for people."""
    output.say()
    if report.versions:
        rows = [(v.number, v.approval, v.dataset_version, _metrics(v.metrics)) for v in reversed(report.versions)]
        output.table(("version", "status", "dataset version", "holdout"), rows)
    if report.decisions:
        output.say()
        rows_of_decisions = [(f"{d.time:%H:%M:%S}", d.what, shortened(d.subject), shortened(d.why)) for d in report.decisions]
        output.table(("twin time", "decision", "about", "why"), rows_of_decisions)
    if report.sent:
        _show_traffic(output, report)
    for phase, why in report.left_out:
        output.say(f"left out: {phase}, because {why}", "yellow")
    output.say()
    total = sum(phase.seconds for phase in report.phases)
    if report.ok:
        left_out = " and ".join(phase for phase, _ in report.left_out)
        what = f"the loop was not seen whole, without {left_out}" if left_out else "the loop is closed"
        said = f"{what}: {len(report.phases)} phases in {total:.0f} s, {len(report.sent)} requests, failed requests = 0"
        output.say(said, "yellow" if left_out else "green")


def _show_traffic(output: Output, report: Report) -> None:
    output.say()
    length = max(one.at for one in report.sent)
    output.say(f"traffic by version, over {length:.0f} s (height: share of the requests)", "bold")
    bars = BARS if "utf" in (output.console.encoding or "").lower() else PLAIN_BARS
    for name, shares in report.traffic(CHART_SLOTS).items():
        output.say(f"  {name:10} |{bars_of(shares, bars)}|")
    quality = report.quality(CHART_SLOTS)
    highest = 1.0 if report.metric is Metric.ACCURACY else max((value or 0.0 for value in quality), default=0.0)
    if highest:
        output.say(f"  {report.metric:10} |{bars_of(quality, bars, highest)}| highest bar: {highest:.4g}")
    times = latencies(report.sent)
    spread = f", p50 {times['p50']:.0f} ms, p95 {times['p95']:.0f} ms" if times else ""
    output.say(f"  {len(report.sent)} requests, failed requests = {len(report.failures)}{spread}")
    for failure in sorted(set(report.failures))[:5]:
        output.say(f"  failed: {failure}", "red")


def _version(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "status": version.approval,
        "dataset_version": version.dataset_version,
        "metrics": version.metrics,
        "metadata": version.metadata.model_dump() if version.metadata else None,
    }


def _metrics(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
