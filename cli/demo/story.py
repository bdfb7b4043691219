"""The demo's story. It uploads, sends requests and labels, measures and approves; everything else happens by events.

a table is uploaded -> dataset version -> run -> version 1 -> approved -> endpoint -> predictions
traffic begins, and does not stop; each hour's labels come by POST /feedback
hour 1: the table's own rows                 -> monitoring: no drift, no alarm
hour 2: rows as new instruments read them    -> monitoring: drift, and quality fell -> alarms
                                             -> labelled traffic is collected -> run -> version 2, if it wins -> approved -> canary -> live
a model that breaks is approved by hand      -> canary -> alarm -> back to what was live -> quarantine
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.api import PredictionApi
from cli.demo.broken import register_broken
from cli.demo.drift import remeasured
from cli.demo.hours import Hours
from cli.demo.report import Hour, Report
from cli.demo.traffic import Row, Sent, Traffic, labels_of
from cli.demo.waits import LOOK_EVERY, answers_of, approval_of, named, wait_until_live
from cli.observe import App, Version
from cli.output import Output, Phase
from cli.predict import ask
from cli.release import APPROVED, REJECTED, decide, endpoint_state
from cli.score import metric_of, tally
from cli.train import run_of, steps_in_words, wait_for_execution
from cli.upload import upload_table, wait_for_decision
from cli.waiting import WaitTimeoutError, wait_for
from contracts.errors import StateError
from contracts.ledger import Outcome, Retraining, What
from contracts.monitoring import DriftVerdict, QualityVerdict
from contracts.runtime import RuntimeName

DATASET_LIMIT = 300.0
START_LIMIT = 60.0
RUN_LIMIT = 3600.0
"""A large table trains for long; a run ends by itself, and what it does is shown."""
ROWS_LIMIT = 120.0
ALARM_LIMIT = 30.0
BEGIN_LIMIT = 20.0
QUARANTINE_LIMIT = 180.0
AFTER_ROWS = 200
"""Answers of the new version by which its quality is measured."""
SHOWN_ROWS = 3
AS_TRAINED = "the table's rows"
REMEASURED = "rows from new instruments"
UNLABELLED = "rows from new instruments whose labels never came"
HOUR_ROWS = {AS_TRAINED: 200, REMEASURED: 650}
"""Rows of an hour, at least; a window needs a hundred to be judged. The newest half of all of them may be held out, and some of the new
readings must be left to learn from."""
LABELLED_SHARE = 0.75
WINDOW_ALARMS = ("drift", "quality")


@dataclass(frozen=True)
class Tables:
    """The file that is uploaded, with a part of the rows, and all of them in another order: the traffic."""

    first: Path
    rows: Sequence[Row]


class Story:
    """One telling, in one deployed app. `report` grows while it is told; `folder` is for files of its own."""

    def __init__(self, app: App, tables: Tables, folder: Path, output: Output, report: Report) -> None:
        self._app = app
        self._tables = tables
        self._folder = folder
        self._output = output
        self._report = report
        self._config = app.project.config
        self._metric = metric_of(self._config.data.problem)
        changed = remeasured([row.record for row in tables.rows], self._config.data.features)
        new = [Row(record, row.label) for record, row in zip(changed, tables.rows, strict=True)]
        # What the new version is measured by, it must not have seen: these rows are sent when every label has been.
        seen = int(len(new) * LABELLED_SHARE)
        self._rows = {AS_TRAINED: tables.rows, REMEASURED: new[:seen], UNLABELLED: new[seen:]}

    def tell(self) -> None:
        """From the upload to the quarantine. Raises TidewheelError with the reason when it does not go on."""
        first = self._first_version()
        api = PredictionApi(self._app.account, self._app.api_url)
        with self._phase("predict through the API") as phase:
            phase.result = self._predictions(api)
        traffic = Traffic(api, AS_TRAINED, self._rows[AS_TRAINED])
        named(traffic, first)
        hours = Hours(self._app)
        hours.begin()  # before the traffic: what is sent belongs to the first hour
        traffic.start()
        try:
            self._under_traffic(traffic, hours, first)
        finally:
            traffic.stop()
            self._report.sent = traffic.sent

    def collect(self) -> None:
        """Read versions and decisions into the report."""
        self._report.versions = self._app.versions()
        self._report.decisions = self._app.decisions()

    def _under_traffic(self, traffic: Traffic, hours: Hours, first: Version) -> None:
        self._output.say(f"        traffic begins: {len(self._report.phases)} phases done, and from here on no request may fail")
        with self._phase("hour 1: the table's own rows") as phase:
            self._report.hours.append(self._hour(traffic, hours, AS_TRAINED, REMEASURED, phase.show))
            phase.result = self._report.hours[-1].in_words()
        with self._phase("hour 2: rows from new instruments") as phase:
            self._report.false_alarms = sorted(self._app.firing(*WINDOW_ALARMS))
            self._report.hours.append(self._hour(traffic, hours, REMEASURED, UNLABELLED, phase.show))
            phase.result = self._report.hours[-1].in_words()
        live = self._retrain(traffic, hours, first)
        self._break(traffic, live)

    def _first_version(self) -> Version:
        """From the upload to a live version."""
        with self._phase("upload the table") as phase:
            manifest = wait_for_decision(self._app, upload_table(self._app, self._tables.first, self._tables.first.name), DATASET_LIMIT)
            phase.result = f"dataset version {manifest.version}, {manifest.rows:,} rows"
        with self._phase("train and register version 1") as phase:
            what = f"a run on dataset version {manifest.version}"
            run = wait_for(what, lambda: run_of(self._app, manifest.version), START_LIMIT)
            wait_for_execution(self._app, run.arn, RUN_LIMIT, phase.show)
            version = self._app.version(1)
            phase.result = f"{self._config.metric} {version.metrics[self._config.metric]:.4f} on the holdout"
        return self._release(version, None)

    def _release(self, version: Version, traffic: Traffic | None) -> Version:
        """From a registered version to a live one."""
        with self._phase(f"approve version {version.number}") as phase:
            phase.result = approval_of(self._app, version, phase.show)
        name = f"deploy version {version.number}" if traffic is None else f"shift traffic to version {version.number}"
        with self._phase(name) as phase:
            if traffic is not None:
                named(traffic, version)
            wait_until_live(self._app, version, phase.show, traffic)
            if traffic is not None:
                answers_of(traffic, version, phase.show)
                phase.result = traffic.in_words()
        return version

    def _hour(self, traffic: Traffic, hours: Hours, what: str, then: str, show: Callable[[str], None]) -> Hour:
        """An hour's traffic, its labels, and what monitoring says of it; `then` is what is sent from the end of the hour on."""
        sent = self._answered(traffic, what, HOUR_ROWS[what], show)
        self._label(sent)
        expected = len(sent) if hours.end() else 0
        traffic.switch(then, self._rows[then])
        verdict = hours.verdict(expected, lambda text: show(f"{text}; {traffic.in_words()}"))
        return Hour(
            what, len(labels_of(sent)), tally(self._metric, (pair for one in sent for pair in one.pairs)).score, self._metric, verdict
        )

    def _answered(self, traffic: Traffic, what: str, rows: int, show: Callable[[str], None], artifact: str | None = None) -> list[Sent]:
        """The requests of a kind (to a model), when so many rows of them are answered."""

        def look() -> list[Sent] | None:
            show(traffic.in_words())
            found = [one for one in traffic.sent if one.what == what and not one.failure and artifact in {None, one.artifact}]
            return found if sum(len(one.labels) for one in found) >= rows else None

        return wait_for(f"{rows} answered rows", look, ROWS_LIMIT, seen=traffic.in_words)

    def _label(self, sent: Sequence[Sent]) -> None:
        """Send the truth back. Raises StateError when it is not taken."""
        body = json.dumps({"labels": labels_of(sent)}).encode()
        answer = PredictionApi(self._app.account, self._app.feedback_url).post(body)
        if not 200 <= answer.status < 300:
            raise StateError(f"POST /feedback answered {answer.status}: {answer.body[:300].decode(errors='replace')}")

    def _retrain(self, traffic: Traffic, hours: Hours, first: Version) -> Version:
        """From the alarms to a better live version; the live version afterwards."""
        with self._phase("retrain on the labelled traffic") as phase:
            ended = self._retraining(hours, phase.show)
            if ended is None or ended.outcome is not Outcome.BETTER:
                phase.result = self._left_out("a new version", why_none(ended, self._refused()))
                return first
            version = max(self._app.versions(), key=lambda each: each.number)
            fresh = next((each.fresh for each, _ in self._app.manifests() if each.version == version.dataset_version), None)
            phase.result = f"version {version.number}, on {fresh.rows if fresh else 0} labelled rows of traffic besides the table's"
        live = self._release(version, traffic)
        with self._phase("measure the quality again") as phase:
            artifact = live.metadata.artifact_sha256 if live.metadata else None
            after = tally(
                self._metric, (pair for one in self._answered(traffic, UNLABELLED, AFTER_ROWS, phase.show, artifact) for pair in one.pairs)
            ).score
            self._report.quality_after = after
            before = self._report.hours[-1].score
            phase.result = f"{self._metric} {after:.4f} of version {live.number}, {before:.4f} of version {first.number}"
        return live

    def _retraining(self, hours: Hours, show: Callable[[str], None]) -> Retraining | None:
        """The retraining, when it has ended; None when none began."""
        ledger = self._app.ledger
        seen = self._report.hours[-1].verdict
        if seen.drift is DriftVerdict.DRIFT or seen.quality.verdict is QualityVerdict.FELL:
            show("alarms")
            wait_for("an alarm", lambda: self._app.firing(*WINDOW_ALARMS) or None, ALARM_LIMIT)
        hours.retraining_is_due()
        show("start_training")

        def begun() -> bool | None:
            return True if ledger.retrainings() or self._refused() else None

        try:
            wait_for("start_training to decide", begun, BEGIN_LIMIT)
        except WaitTimeoutError:
            return None
        if not ledger.retrainings():
            return None

        def ended() -> Retraining | None:
            each = min(ledger.retrainings().values(), key=lambda one: one.asked)
            show(steps_in_words(self._app, each.execution) if each.execution else "labelled traffic is collected")
            return each if each.outcome is not None else None

        return wait_for("the retraining to end", ended, RUN_LIMIT, interval=LOOK_EVERY)

    def _refused(self) -> str:
        """Why the loop did not retrain, when it says so."""
        refused = [each.why for each in self._app.decisions() if each.what in {What.RETRAINING_SKIPPED, What.RETRAINING_STOPPED}]
        return refused[-1] if refused else ""

    def _break(self, traffic: Traffic, live: Version) -> None:
        """A model that breaks is approved, and thrown back."""
        if live.metadata is None or live.metadata.runtime != RuntimeName.ONNX:
            why = f"the demo breaks a model by its ONNX graph, and version {live.number} is served without one"
            self._left_out("a broken version that is thrown back", why)
            return
        with self._phase("approve a broken version by hand") as phase:
            broken = register_broken(self._app, live, self._folder / "broken")
            decide(self._app, broken, APPROVED, "approved by the demo, in the place of a person who did not look")
            seen = ""

            def look() -> Version | None:
                nonlocal seen
                state = endpoint_state(self._app)
                seen = f"{state.words}; {traffic.in_words()}"
                phase.show(seen)
                now = self._app.package(broken.arn)
                return now if now.approval == REJECTED else None

            rejected = wait_for(
                f"version {broken.number} to be thrown back", look, QUARANTINE_LIMIT, interval=LOOK_EVERY, seen=lambda: seen
            )
            answers_of(traffic, live, phase.show)
            phase.result = f"{rejected.why}; {traffic.in_words()}"

    def _left_out(self, phase: str, why: str) -> str:
        self._report.left_out.append((phase, why))
        return f"left out: {why}"

    def _predictions(self, api: PredictionApi) -> str:
        records = [row.record for row in self._tables.rows[:SHOWN_ROWS]]
        reply = ask(api, {"instances": records})
        return ", ".join(f"row {number} {_answer(found)}" for number, found in enumerate(reply["predictions"], 1))

    @contextmanager
    def _phase(self, name: str) -> Iterator[Phase]:
        with self._output.phase(name) as phase:
            self._report.phases.append(phase)
            yield phase


def why_none(ended: Retraining | None, refused: str) -> str:
    """Why there is no new version. Raises StateError when that is no decision of the loop, but a job that failed."""
    if ended is None:
        return refused or "nothing asked for it"
    if ended.outcome is Outcome.FAILED:
        raise StateError(f"the retraining failed: {ended.explanation}")
    return ended.explanation


def _answer(found: dict[str, object]) -> str:
    value = found["prediction"]
    return f"{value:.1f}" if isinstance(value, float) else str(value)
