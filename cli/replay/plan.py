"""How a replay goes: its sizes, and the configuration that it deploys.

A window of rows is an hour of the twin's time, and the delay of the labels as many hours as it takes windows to pass.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cli.project import CONFIG_NAME, Project, load_project
from cli.score import metric_of
from contracts.config import ApprovalPolicy, Config, MonitoringBackend
from contracts.errors import DataError
from contracts.evaluation import GateMode
from contracts.monitoring import Thresholds
from contracts.serving import ServingMode

WINDOW_HOURS = 1
FEWEST_TRAIN_ROWS = 200
FEWEST_WINDOW_ROWS = 100
WINDOWS = 20
FEWEST_ROWS_OF_A_GATE = 10  # data.quality.minimum_rows takes no less
FEWEST_ROWS_OF_A_VERDICT = 20  # monitoring.thresholds take no less
ANSWERED_SHARE = 0.8
LONGEST_DELAY_HOURS = 24 * 90  # monitoring.label_delay_hours takes no more


@dataclass(frozen=True)
class Plan:
    """All in rows: those that train the first model, those of a window, and those that pass until a row's label comes."""

    train_rows: int
    window_rows: int
    label_delay: int
    retrain: bool = True

    @property
    def delay_hours(self) -> int:
        """Hours of the twin's time after which every label of a window has come."""
        return math.ceil(self.label_delay / self.window_rows) * WINDOW_HOURS

    def windows(self, rows: int) -> list[range]:
        """The rows of each window; the last one may be shorter."""
        return [range(first, min(first + self.window_rows, rows)) for first in range(self.train_rows, rows, self.window_rows)]

    def in_words(self, rows: int) -> str:
        """The plan for a table of so many rows, for people."""
        count = len(self.windows(rows))
        late = f"labels {self.label_delay:,} rows late" if self.label_delay else "labels at once"
        never = ", so none comes before the end" if self.label_delay >= rows - self.train_rows else ""
        return (
            f"{self.train_rows:,} rows train the first model; {count} window{'s' if count > 1 else ''} of {self.window_rows:,} rows; "
            f"{late}{never}; retraining {'on' if self.retrain else 'off'}"
        )


def make_plan(rows: int, train_rows: int | None, window_rows: int | None, label_delay: int | None, retrain: bool) -> Plan:
    """The sizes that were asked for, and for the others what the table suggests. Raises DataError when the table is too small for them."""
    train = train_rows if train_rows is not None else max(rows // 5, FEWEST_TRAIN_ROWS)
    if train >= rows:
        what = f"the first {train} rows train the first model" + ("" if train_rows else " (fewer would say little)")
        raise DataError([f"the table has {rows} rows, and {what}: nothing is left to replay. Next: a larger table, or fewer --train-rows"])
    window = min(window_rows, rows - train) if window_rows is not None else _even_windows(rows - train)
    plan = Plan(train, window, window if label_delay is None else label_delay, retrain)
    if plan.delay_hours > LONGEST_DELAY_HOURS:
        step = "a smaller one, or larger --window-rows"
        raise DataError([f"--label-delay {plan.label_delay} is more than {LONGEST_DELAY_HOURS} windows of {window} rows. Next: {step}"])
    return plan


def _even_windows(rows: int) -> int:
    """The rows of each of WINDOWS windows, or of fewer, so that none is small, the last one included."""
    count = max(1, min(WINDOWS, rows // FEWEST_WINDOW_ROWS))
    return math.ceil(rows / count)


def write_project(project: Project, plan: Plan, trained_rows: int, folder: Path) -> Project:
    """The project as the replay deploys it, as a tidewheel.yaml in `folder`; `trained_rows` is how many the first upload holds."""
    path = folder / CONFIG_NAME
    values = overridden(project.config, plan, trained_rows)
    path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return load_project(path, project.config.environment)


def overridden(config: Config, plan: Plan, trained_rows: int) -> dict[str, Any]:
    """tidewheel.yaml's values.

    Only what a replay needs differs: hourly windows of all traffic, however small, a first table with whatever holes, no person, labels as
    late as asked.
    """
    values = config.model_dump(mode="json", exclude_unset=True)
    values["environment"] = config.environment
    enough = max(FEWEST_ROWS_OF_A_GATE, min(config.data.quality.minimum_rows, trained_rows))
    # A column may be filled only later in the table.
    values["data"]["quality"] = values["data"].get("quality", {}) | {"minimum_rows": enough, "maximum_missing": 1.0}
    values["approval"] = {"policy": str(ApprovalPolicy.AUTO)}
    values["monitoring"] = values.get("monitoring", {}) | {
        "window_hours": WINDOW_HOURS,
        "label_delay_hours": plan.delay_hours,
        "capture_percent": 100,
        "backend": str(MonitoringBackend.PROCESSING_JOB),
        "thresholds": values.get("monitoring", {}).get("thresholds", {}) | _minima(config.monitoring.thresholds, plan.window_rows),
    }
    # Without instances, or from memory, nothing would be captured.
    values["serving"] = values.get("serving", {}) | {"mode": str(ServingMode.REALTIME)}
    values["api"] = values.get("api", {}) | {"cache_seconds": 0}
    # What is scored is what decides, unless the project says otherwise.
    if config.training.metric is None and config.training.gate.minimum is None:
        values["training"] = values.get("training", {}) | {"metric": str(metric_of(config.data.problem))}
    # An hour stands for a window of the project's, and the cap is to be the same for as many windows.
    cap = config.retraining.monthly_cap * config.monitoring.window_hours
    mode = config.retraining.mode if plan.retrain else GateMode.DISABLED
    values["retraining"] = values.get("retraining", {}) | {"mode": str(mode), "monthly_cap": cap}
    return values


def _minima(thresholds: Thresholds, window_rows: int) -> dict[str, int]:
    """What a verdict needs: no more than a window holds, with room for rows without an answer or a label."""
    most = max(FEWEST_ROWS_OF_A_VERDICT, int(window_rows * ANSWERED_SHARE))
    return {name: min(getattr(thresholds, name), most) for name in ("minimum_rows", "minimum_labels")}
