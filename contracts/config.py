"""tidewheel.yaml, typed: one project, its data contract, training, approval and serving; environments override.

    project: breast-cancer
    environment: dev                  # which of `environments` applies; app.py and tide can name another
    data: {dataset, table, target, problem, positive, id, time, features: {name: kind}, ignore: [...], privacy: {...}, quality: {...}}
    training: {seed, holdout, folds, candidates, metric, gate: {...}, instance_type, max_runtime_seconds}
    approval: {policy: auto | manual}
    serving: {mode: realtime | serverless, instance_type, instance_count, max_instance_count, rollout: {...}, alarms: {...}, ...}
    monitoring: {capture_percent, capture_days, backend, window_hours, label_delay_hours, alarm: {...}, thresholds: {...}}
    api: {authorization: iam | jwt, jwt: {issuer, audience}, requests_per_second, burst, maximum_body_kilobytes, cache_seconds}
    stream: {enabled, shards, retention_hours, batch_size, batching_seconds, retries, late_seconds}
    network: {mode: public | vpc, zones, cidr}
    batch: {instance_type, schedule: rate(1 day) | cron(0 3 * * ? *)}
    retraining: {mode, trigger, minimum_labels, cooldown_windows, monthly_cap, failures_to_stop}
    github: {repository: owner/name, branch | environment, provider: create | existing}
    environments: {prod: {approval: {policy: manual}}}

Reading the file is the caller's work; `parse_config` takes what YAML gave and reports every mistake at once, each with its path.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from contracts.api import Api
from contracts.baseline import PREDICTION, PROBABILITY
from contracts.columns import ColumnKind
from contracts.errors import ConfigError
from contracts.evaluation import METRICS, GateMode, GateRules, Metric, Problem, default_metric
from contracts.github import GitHub
from contracts.instances import InstanceType
from contracts.monitoring import Thresholds
from contracts.network import Mode, Network
from contracts.privacy import Privacy
from contracts.serving import Serving, serverless_conflicts
from contracts.stream import Stream

# 24 and 8 characters leave room for the suffixes that the stacks add within AWS's 63.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=24)]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$", max_length=8)]
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html; in UTC.
Schedule = Annotated[str, StringConstraints(pattern=r"^(rate\([1-9][0-9]* (minute|hour|day)s?\)|cron\(\S+( \S+){5}\))$")]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quality(_Section):
    """When a table is good enough to train on."""

    minimum_rows: int = Field(default=50, ge=10)
    maximum_missing: float = Field(default=0.5, ge=0, le=1, description="share of a feature's cells that may be missing; 1: all of them")


class Data(_Section):
    """The data contract: what a table of this project looks like."""

    dataset: Name
    table: str | None = Field(default=None, description="where `tide demo` finds a table: a file, a folder of files, or sklearn:<name>")
    target: ColumnName
    problem: Problem
    positive: str | None = Field(default=None, description="the target's text that counts as positive; binary problems only")
    id: ColumnName | None = None
    time: ColumnName | None = None
    features: dict[ColumnName, ColumnKind] = Field(min_length=1)
    ignore: tuple[ColumnName, ...] = ()
    privacy: Privacy = Privacy()
    quality: Quality = Quality()

    @model_validator(mode="after")
    def _roles_are_separate(self) -> Self:
        problems = []
        named = {"target": self.target, "id": self.id, "time": self.time}
        # The time column may be a feature too: hour and weekday often tell something.
        problems += [
            f"{role} column {name!r} is also a feature" for role, name in named.items() if role != "time" and name in self.features
        ]
        problems += [f"ignored column {name!r} is also a feature" for name in self.ignore if name in self.features]
        reserved = sorted({PREDICTION, PROBABILITY} & set(self.features))
        problems += [f"feature {name!r} is called like a column of the model's own baseline; rename it" for name in reserved]
        categorical = [name for name, kind in self.features.items() if kind is ColumnKind.CATEGORICAL]
        problems += self.privacy.problems(categorical, [name for name in (*self.features, self.target, self.time) if name], self.id)
        if self.id == self.target or (self.time is not None and self.time in {self.target, self.id}):
            problems.append("target, id and time must be different columns")
        if (self.problem is Problem.BINARY) != (self.positive is not None):
            problems.append("positive is needed for a binary problem, and for no other")
        if problems:
            raise ValueError("\n".join(problems))
        return self


class Training(_Section):
    """How a model is trained and judged."""

    seed: int = Field(default=20, ge=0, lt=2**31)
    holdout: float = Field(default=0.2, gt=0, lt=0.9)
    folds: int = Field(default=4, ge=2, le=20)
    candidates: int = Field(default=6, ge=1, le=200, description="how many pipelines the search tries")
    metric: Metric | None = None
    gate: GateRules = GateRules()
    instance_type: InstanceType = "ml.m5.large"
    max_runtime_seconds: int = Field(default=3600, ge=60, le=432_000)


class ApprovalPolicy(StrEnum):
    """`auto`: approve_model approves what passed its gate; `manual`: a person does, in Studio or with `tide approve`."""

    AUTO = "auto"
    MANUAL = "manual"


class Approval(_Section):
    """Who approves."""

    policy: ApprovalPolicy = ApprovalPolicy.AUTO


class MonitoringBackend(StrEnum):
    """Who runs the analyzer: start_monitoring as a Processing job, or SageMaker Model Monitor, in accounts that still have it.

    Model Monitor finds the labels of requests of one row, and of no others.
    """

    PROCESSING_JOB = "processing_job"
    MODEL_MONITOR = "model_monitor"


class WindowAlarm(_Section):
    """An alarm over windows: `needed` of the last `windows` must be bad."""

    needed: int = Field(default=2, ge=1, le=7)
    windows: int = Field(default=3, ge=1, le=7)

    @model_validator(mode="after")
    def _needs_no_more_than_it_looks_at(self) -> Self:
        if self.needed > self.windows:
            raise ValueError(f"needed {self.needed} is more than the {self.windows} windows that are looked at")
        return self


class Monitoring(_Section):
    """What is kept of the traffic, and how it is watched. Windows begin at multiples of `window_hours` of a day in UTC."""

    capture_percent: int = Field(default=100, ge=0, le=100, description="share of the requests that are captured; 0: none")
    capture_days: int = Field(default=365, ge=1, description="how long captured requests are kept")
    backend: MonitoringBackend = MonitoringBackend.PROCESSING_JOB
    window_hours: Literal[1, 2, 3, 4, 6, 8, 12, 24] = 24
    label_delay_hours: int = Field(
        default=0, ge=0, le=24 * 90, description="how long labels take; quality is judged that much later, and retraining waits for them"
    )
    alarm: WindowAlarm = WindowAlarm()
    thresholds: Thresholds = Thresholds()
    instance_type: InstanceType = "ml.m5.large"
    max_runtime_seconds: int = Field(default=3600, ge=60, le=432_000)


class Batch(_Section):
    """Batch predictions: what a transform job runs on, and how often tables in batch/input/ are looked for. No schedule: never."""

    instance_type: InstanceType = "ml.m5.large"
    schedule: Schedule | None = None


class RetrainingTrigger(StrEnum):
    """What makes the loop train by itself. `labels`: labels of `cooldown_windows` windows have come; `alarms`: drift or fallen quality."""

    LABELS = "labels"
    ALARMS = "alarms"


class Retraining(_Section):
    """When the loop trains by itself. `dry_run` records what it would do; `disabled` does not look.

    Labels are what a retraining lives on, so the cooldown counts windows in which labels came. Of the gain of training after every window,
    alarms alone find little: a model also gets better by more data, and a slow change crosses no threshold. An alarm that begins after a
    retraining that labels alone asked for need not wait for the rest of the cooldown; the next one then waits longer (docs/adr/0014).
    """

    mode: GateMode = GateMode.ENABLED
    trigger: RetrainingTrigger = RetrainingTrigger.LABELS
    minimum_labels: int = Field(default=100, ge=20, description="labelled rows since the last training data; fewer train nothing")
    cooldown_windows: int = Field(
        default=3, ge=1, description="windows with labels between two retrainings; the first comes one earlier, the second one later"
    )
    monthly_cap: int = Field(default=31, ge=1, description="retrainings within 30 days")
    failures_to_stop: int = Field(default=3, ge=1, description="failed retrainings in a row that stop retraining until a person trains")


class Config(_Section):
    """A whole project in one environment."""

    project: Name
    environment: EnvironmentName = "dev"
    data: Data
    training: Training = Training()
    approval: Approval = Approval()
    serving: Serving = Serving()
    api: Api = Api()
    stream: Stream = Stream()
    network: Network = Network()
    monitoring: Monitoring = Monitoring()
    batch: Batch = Batch()
    retraining: Retraining = Retraining()
    github: GitHub | None = Field(default=None, description="the repository that deploys from GitHub Actions")

    @model_validator(mode="after")
    def _metric_fits_the_problem(self) -> Self:
        metric = self.training.metric
        if metric is not None and metric not in METRICS[self.data.problem]:
            fitting = ", ".join(METRICS[self.data.problem])
            raise ValueError(f"training.metric {metric} does not measure a {self.data.problem} problem; choose one of {fitting}")
        return self

    @model_validator(mode="after")
    def _streams_hold_nothing_private(self) -> Self:
        # Records are kept as they came, in the stream and in its dead letters.
        if self.stream.enabled and self.data.privacy.columns:
            raise ValueError("stream.enabled: a stream keeps its records as they came, so it takes no project with data.privacy columns")
        return self

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Self:
        problems: list[str] = []
        if self.serving.is_serverless:
            problems += serverless_conflicts(
                capture_percent=self.monitoring.capture_percent,
                model_monitor=self.monitoring.backend is MonitoringBackend.MODEL_MONITOR,
                vpc=self.network.mode is Mode.VPC,
                body_kilobytes=self.api.maximum_body_kilobytes,
            )
        if self.api.cache_seconds and self.monitoring.capture_percent:
            problems.append(
                "api.cache_seconds: an answer from memory never reaches the endpoint, so it is not captured, and neither monitoring nor "
                "its label would find it. Next: monitoring: {capture_percent: 0}, or no cache"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def prefix(self) -> str:
        """What every resource of this project and environment is named after."""
        return f"{self.project}-{self.environment}"

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return self.training.metric or default_metric(self.data.problem)


def parse_config(raw: Any, environment: str | None = None, source: str = "tidewheel.yaml") -> Config:
    """A project from what YAML gave, with the overrides of one environment. Raises ConfigError with every mistake."""
    if not isinstance(raw, Mapping):
        raise ConfigError(["the file is empty or not a mapping. Next: tide init --data FILE.csv --target COLUMN"], source)
    values = deepcopy(dict(raw))
    environments = values.pop("environments", None) or {}
    if not isinstance(environments, Mapping):
        raise ConfigError(["environments: must map a name to its overrides"], source)
    chosen = environment or values.get("environment", "dev")
    if environment is not None and environments and environment not in environments and environment != values.get("environment", "dev"):
        raise ConfigError([f"environments: has no {environment!r}, only {', '.join(map(str, environments))}"], source)
    problems = _problems(values | {"environment": chosen})
    # Every environment is checked, so a mistake in prod is found in dev; what is wrong in the base is said once.
    for name, over in environments.items():
        if over is not None and not isinstance(over, Mapping):
            problems.append(f"environments.{name}: must map settings to values")
            continue
        found = _problems(_merged(values, over) | {"environment": name})
        problems += [f"environments.{name}.{problem}" for problem in found if problem not in problems]
    if problems:
        raise ConfigError(problems, source)
    return Config.model_validate(_merged(values, environments.get(chosen) or {}) | {"environment": chosen})


def _problems(values: Mapping[str, Any]) -> list[str]:
    try:
        Config.model_validate(values)
    except ValidationError as error:
        return [
            f"{_path(item['loc'])}: {line}"
            for item in error.errors(include_url=False)
            for line in re.sub("^Value error, ", "", item["msg"]).splitlines()
        ]
    return []


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(whole file)"


def _merged(base: Mapping[str, Any], over: Any) -> dict[str, Any]:
    """`over` laid on `base`: mappings merge, everything else is replaced."""
    result = dict(base)
    for key, value in (over or {}).items():
        mine = result.get(key)
        result[key] = _merged(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return result
