"""The whole app on a twin in this process, on a small table, for scenarios that reach in: faults, kills, clock."""

import json
import math
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cli.account import twin_account
from cli.api import PredictionApi
from cli.assembly import git_commit
from cli.demo.traffic import Row, Traffic
from cli.deploy import deploy_assembly
from cli.observe import App, Execution, Version
from cli.project import REPOSITORY, Project, load_project
from cli.release import APPROVED, REJECTED, decide, endpoint_state
from cli.upload import Upload, upload_table, wait_for_decision
from cli.waiting import wait_for
from contracts.manifest import Manifest
from stacks.project import read_project
from stacks.tidewheel import add_stacks, new_app
from twin.server import TwinServer

Found = TypeVar("Found")
# Read by CDK's process when it starts; tests/synth runs the slow validation.
os.environ["CDK_VALIDATION"] = "false"

CONFIG = """
project: tides
data:
  dataset: tides
  target: swims
  problem: binary
  positive: "yes"
  features: {height: numeric, wind: numeric, moon: categorical}
training: {candidates: 1, folds: 2, gate: {minimum: 0.75, tolerance: 0.2}}
"""
AT_ONCE = "serving: {instance_count: 1, rollout: {type: all_at_once, termination_wait_seconds: 0}}\n"
"""For scenarios in which it does not matter how a version comes to the endpoint: one model server a version instead of two."""


def write_project(folder: Path, config: str = CONFIG) -> Project:
    """A small project in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tidewheel.yaml").write_text(config)
    return load_project(folder / "tidewheel.yaml")


def synthesised(project: Project) -> Path:
    """A project's assembly, as app.py writes it, but in this process: it loads CDK and SageMaker's SDK once for all scenarios."""
    out = project.folder / "cdk.out"
    named = {"config": str(project.config_path), "environment": project.config.environment, "commit": git_commit()}
    app = new_app(json.loads((REPOSITORY / "cdk.json").read_text())["context"] | named, out)
    add_stacks(app, read_project(app.node, REPOSITORY, None))
    app.synth()
    return out


def table(rows: int, seed: int = 0, noise: float = 0.6) -> str:
    """A table of the small project, as CSV. With `noise` high the target cannot be learnt."""
    generator = random.Random(seed)
    lines = ["height,wind,moon,swims"]
    for _ in range(rows):
        height, wind, moon = generator.gauss(0, 1), generator.gauss(0, 1), generator.choice(["new", "half", "full"])
        score = 2 * height - wind + (1.5 if moon == "full" else 0) + generator.gauss(0, noise)
        swims = generator.random() < 0.5 if math.isinf(noise) else score > 0
        lines.append(f"{height:.4f},{wind:.4f},{moon},{'yes' if swims else 'no'}")
    return "\n".join(lines) + "\n"


ROW: dict[str, Any] = {"height": 0.3, "wind": -0.2, "moon": "full"}


@dataclass
class Loop:
    """A deployed app; what a person or a client would do with it, and ways to wait for what happens by events."""

    twin: TwinServer
    app: App
    folder: Path

    @classmethod
    def deploy(cls, twin: TwinServer, project: Project, assembly: Path) -> "Loop":
        """Deploy an assembly into a running twin."""
        account = twin_account(twin.cloud.url, twin.cloud.region)
        deploy_assembly(account, assembly, lambda _: None)
        return cls(twin, App(account, project), project.folder)

    def upload(self, content: str | bytes, name: str = "table.csv") -> Upload:
        """Put a table into the data bucket."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return upload_table(self.app, path, name)

    def accepted(self, content: str | bytes, name: str = "table.csv") -> Manifest:
        """Upload a table, and wait for its dataset version. Raises DataError when it is refused."""
        return wait_for_decision(self.app, self.upload(content, name), 60)

    def until(self, what: str, look: Callable[[], Found | None], limit: float = 120) -> Found:
        """Wait for something to be true."""
        return wait_for(what, look, limit, seen=self._last_decisions)

    def _last_decisions(self) -> str:
        return "\n".join(f"{each.what} {each.subject}: {each.why}" for each in self.app.decisions()[-5:])

    def version(self, number: int, approval: str | None = None) -> Version:
        """Wait for a version, and for its approval to be as given."""

        def look() -> Version | None:
            found = next((each for each in self.app.versions() if each.number == number), None)
            return found if found and approval in (None, found.approval) else None

        return self.until(f"version {number} {approval or ''}", look)

    def live(self, number: int | None) -> None:
        """Wait until a version serves and nothing moves."""

        def look() -> bool | None:
            state = endpoint_state(self.app)
            return True if not state.moving and state.live == number else None

        self.until(f"version {number} to be live", look)

    def ended(self, dataset_version: str) -> Execution:
        """Wait for the end of the run on a dataset version."""

        def look() -> Execution | None:
            runs = [run for run in self.app.executions() if run.dataset_version == dataset_version]
            return runs[0] if runs and runs[0].status not in {"Executing", "Stopping"} else None

        return self.until(f"the run on {dataset_version}", look)

    def approve(self, number: int) -> None:
        """Approve a version, as a person would."""
        decide(self.app, self.app.version(number), APPROVED, "approved by a test")

    def reject(self, number: int) -> None:
        """Reject a version, as a person would."""
        decide(self.app, self.app.version(number), REJECTED, "rejected by a test")

    def api(self) -> PredictionApi:
        """The prediction API."""
        return PredictionApi(self.app.account, self.app.api_url)

    def traffic(self) -> Traffic:
        """A client that sends requests until it is stopped."""
        traffic = Traffic(self.api(), "a row", [Row(ROW, "yes")])
        traffic.start()
        return traffic

    def decisions(self) -> list[str]:
        """What the ledger says was decided, in order."""
        return [str(decision.what) for decision in self.app.decisions()]

    def tick(self) -> None:
        """Move the clock on to the next tick of the schedule."""
        self.twin.cloud.clock.advance(15 * 60)
