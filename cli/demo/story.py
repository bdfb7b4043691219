"""The demo's story. It uploads, rejects, sends requests and watches; everything else happens by events.

a table is uploaded -> dataset version -> run -> version 1 -> approved -> endpoint -> predictions
traffic begins, and does not stop
a larger table      -> dataset version -> run -> version 2 -> approved -> canary -> live
version 2 is rejected                                                   -> canary -> version 1 is live again
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.api import PredictionApi
from cli.demo.report import Report
from cli.demo.traffic import Traffic
from cli.observe import App, Version
from cli.output import Output, Phase
from cli.predict import ask
from cli.release import APPROVED, PENDING, REJECTED, decide, endpoint_state
from cli.tables import read_records
from cli.train import run_of, wait_for_execution
from cli.upload import upload_table, wait_for_decision
from cli.waiting import wait_for
from contracts.config import ApprovalPolicy
from contracts.errors import StateError
from contracts.ledger import What

DATASET_LIMIT = 300.0
START_LIMIT = 60.0
RUN_LIMIT = 3600.0
"""A large table trains for long; a run ends by itself, and what it does is shown."""
APPROVAL_LIMIT = 60.0
LIVE_LIMIT = 180.0
TRAFFIC_ROWS = 500
SHOWN_ROWS = 3
SETTLED_SECONDS = 1.0
"""How long traffic goes on after the last change, so that the report shows where it ended."""


@dataclass(frozen=True)
class Tables:
    """The files that are uploaded: a part of the rows, then all of them."""

    first: Path
    whole: Path


class Story:
    """One telling, in one deployed app. `report` grows while it is told."""

    def __init__(self, app: App, tables: Tables, output: Output, report: Report) -> None:
        self._app = app
        self._tables = tables
        self._output = output
        self._report = report
        self._data = app.project.config.data

    def tell(self) -> None:
        """From the first upload to the way back. Raises TidewheelError with the reason when it does not go on."""
        self._release(self._tables.first, 1, None)
        api = PredictionApi(self._app.account, self._app.api_url)
        with self._phase("predict through the API") as phase:
            phase.result = self._predictions(api)
        traffic = Traffic(api, read_records(self._tables.whole, self._data.features, TRAFFIC_ROWS))
        for version in self._report.versions:
            named(traffic, version)
        traffic.start()
        try:
            self._under_traffic(traffic)
        finally:
            traffic.stop()
            self._report.sent = traffic.sent

    def collect(self) -> None:
        """Read versions and decisions into the report."""
        self._report.versions = self._app.versions()
        self._report.decisions = self._app.decisions()

    def _under_traffic(self, traffic: Traffic) -> None:
        self._output.say(f"        traffic begins: {len(self._report.phases)} phases done, and from here on no request may fail")
        self._release(self._tables.whole, 2, traffic)
        with self._phase("reject version 2, back to version 1") as phase:
            first = self._app.version(1)
            decide(self._app, self._app.version(2), REJECTED, "the demo shows the way back")
            self._wait_until_live(first, phase.show, traffic)
            answers_of(traffic, first, phase.show)
            phase.result = traffic.in_words()

    def _release(self, table: Path, number: int, traffic: Traffic | None) -> None:
        """From an upload to a live version."""
        with self._phase(f"upload table {number}") as phase:
            manifest = wait_for_decision(self._app, upload_table(self._app, table, table.name), DATASET_LIMIT)
            phase.result = f"dataset version {manifest.version}, {manifest.rows:,} rows"
        with self._phase(f"train and register version {number}") as phase:
            version = self._wait_for_version(manifest.version, number, phase.show)
            metric = str(self._app.project.config.metric)
            phase.result = f"{metric} {version.metrics[metric]:.4f} on the holdout"
            self._report.versions.append(version)
        with self._phase(f"approve version {number}") as phase:
            phase.result = self._approval(version, phase.show)
        name = f"deploy version {number}" if traffic is None else f"shift traffic to version {number}"
        with self._phase(name) as phase:
            if traffic is not None:
                named(traffic, version)
            self._wait_until_live(version, phase.show, traffic)
            if traffic is not None:
                answers_of(traffic, version, phase.show)
                phase.result = traffic.in_words()

    def _wait_for_version(self, dataset_version: str, number: int, show: Callable[[str], None]) -> Version:
        what = f"a run on dataset version {dataset_version}"
        run = wait_for(what, lambda: run_of(self._app, dataset_version), START_LIMIT)
        wait_for_execution(self._app, run.arn, RUN_LIMIT, show)
        registered = {version.number: version for version in self._app.versions()}
        if number not in registered:
            raise StateError(f"run {run.name} succeeded, and registered no version {number}")
        return registered[number]

    def _approval(self, registered: Version, show: Callable[[str], None]) -> str:
        manual = self._app.project.config.approval.policy is ApprovalPolicy.MANUAL
        if manual:
            decide(self._app, registered, APPROVED, "approved by the demo, in a person's place")

        def look() -> Version | None:
            version = self._app.package(registered.arn)
            show(version.approval)
            if version.approval == PENDING:
                self._raise_if_left(version)
            return None if version.approval == PENDING else version

        version = wait_for(f"version {registered.number} to be approved", look, APPROVAL_LIMIT)
        if version.approval != APPROVED:
            raise StateError(f"version {version.number} is {version.approval}: {version.why}")
        return "by the demo, because approval.policy is manual" if manual else version.why

    def _raise_if_left(self, version: Version) -> None:
        left = [d for d in self._app.decisions() if d.what is What.MODEL_LEFT_TO_A_PERSON and d.subject == version.arn]
        if left:
            raise StateError(f"version {version.number} was left to a person: {left[-1].why}")

    def _wait_until_live(self, version: Version, show: Callable[[str], None], traffic: Traffic | None) -> None:
        seen = ""

        def look() -> bool | None:
            nonlocal seen
            state = endpoint_state(self._app)
            seen = state.words
            show(f"{seen}; {traffic.in_words()}" if traffic else seen)
            if not state.moving and state.live == version.number:
                return True
            now = self._app.package(version.arn)
            if now.approval == REJECTED:
                raise StateError(f"version {version.number} did not stay: {now.why}")
            return None

        wait_for(f"version {version.number} to be live", look, LIVE_LIMIT, seen=lambda: seen)

    def _predictions(self, api: PredictionApi) -> str:
        records = read_records(self._tables.whole, self._data.features, SHOWN_ROWS)
        reply = ask(api, {"instances": records})
        return ", ".join(f"row {number} {_answer(found)}" for number, found in enumerate(reply["predictions"], 1))

    @contextmanager
    def _phase(self, name: str) -> Iterator[Phase]:
        with self._output.phase(name) as phase:
            self._report.phases.append(phase)
            yield phase


def named(traffic: Traffic, version: Version) -> None:
    """Call a version's answers by its number."""
    if version.metadata is not None:
        traffic.name(version.metadata.artifact_sha256, f"version {version.number}")


def answers_of(traffic: Traffic, version: Version, show: Callable[[str], None]) -> None:
    """Wait until a version has answered alone for a moment: what the API says, beside what the control plane says."""
    artifact = version.metadata.artifact_sha256 if version.metadata else None
    begin = traffic.now()

    def look() -> bool | None:
        show(traffic.in_words())
        recent = [one for one in traffic.sent if one.at >= max(begin, traffic.now() - SETTLED_SECONDS)]
        if len(recent) >= 10 and all(one.failure for one in recent):
            raise StateError(f"the prediction API does not answer any more: {recent[-1].failure}")
        alone = bool(recent) and all(one.artifact == artifact for one in recent)
        return True if alone and traffic.now() - begin >= SETTLED_SECONDS else None

    wait_for(f"only version {version.number} to answer", look, 30.0, seen=traffic.in_words)


def _answer(found: dict[str, object]) -> str:
    value = found["prediction"]
    return f"{value:.1f}" if isinstance(value, float) else str(value)
