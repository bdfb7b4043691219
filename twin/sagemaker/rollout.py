"""A blue/green deployment as a pure state machine: what share of the traffic the green fleet has, and when that changes.

    provisioning --ready--> stage 0 --baked--> stage 1 ... last stage --baked--> succeeded
         |                     |                               |
         +------ green failed, an alarm while baking, or the time limit: rolled back, share 0 at once

Stages by traffic shifting mode (SageMaker developer guide, deployment-guardrails-blue-green): all-at-once has one stage; canary has the
canary and then everything; linear adds one step after the other. Each stage but the last bakes for WaitIntervalInSeconds, the last for
TerminationWaitInSeconds. Alarms roll back in every baking period, the last included; before any traffic has moved they do nothing.

Modelled: a capacity percentage is the share of the traffic too; AWS documents only that it is "a portion".

Times are seconds of one clock, whichever the caller uses.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any, Literal

Outcome = Literal["InProgress", "Succeeded", "RolledBack"]
HALF = Fraction(1, 2)


class RolloutError(ValueError):
    """The deployment configuration is one that SageMaker does not accept."""


@dataclass(frozen=True)
class Stage:
    """The green fleet's share of the traffic (0 to 1), the instances that carry it, and how long it bakes (seconds)."""

    share: Fraction
    instances: int
    bake: float
    final: bool = False


@dataclass(frozen=True)
class Rollout:
    """Where a deployment stands. `stage` is -1 while the green fleet is provisioned."""

    stages: tuple[Stage, ...]
    started: float
    limit: float
    stage: int = -1
    entered: float = 0.0
    outcome: Outcome = "InProgress"
    reason: str = ""

    @property
    def share(self) -> Fraction:
        """The green fleet's share of the traffic."""
        return Fraction(0) if self.stage < 0 or self.outcome == "RolledBack" else self.stages[self.stage].share


def step(rollout: Rollout, now: float, *, ready: bool, failure: str = "", alarms: frozenset[str] = frozenset()) -> Rollout:
    """The deployment one look later: `ready` or `failure` of the green fleet, and which of its alarms are in ALARM."""
    if rollout.outcome != "InProgress":
        return rollout
    wrong = failure or _trouble(rollout, now, alarms)
    if wrong:
        return replace(rollout, outcome="RolledBack", reason=wrong)
    if not (ready if rollout.stage < 0 else now - rollout.entered >= rollout.stages[rollout.stage].bake):
        return rollout
    if rollout.stage + 1 == len(rollout.stages):
        return replace(rollout, outcome="Succeeded")
    return replace(rollout, stage=rollout.stage + 1, entered=now)


def _trouble(rollout: Rollout, now: float, alarms: frozenset[str]) -> str:
    if rollout.stage >= 0 and alarms:
        return f"One or more configured alarms are in ALARM: {', '.join(sorted(alarms))}"
    if now - rollout.started > rollout.limit:
        return f"The deployment exceeded its maximum execution time of {rollout.limit:g} seconds"
    return ""


def begin(deployment: dict[str, Any], instances: int, now: float) -> Rollout:
    """The rollout that a DeploymentConfig asks for, on a green fleet of `instances`. Raises RolloutError."""
    if deployment.get("RollingUpdatePolicy"):
        raise RolloutError("The twin does not run a RollingUpdatePolicy. Next: use a BlueGreenUpdatePolicy.")
    policy = deployment.get("BlueGreenUpdatePolicy") or {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}}
    # API_BlueGreenUpdatePolicy: without a limit of its own, a deployment may take as long as the longest that can be set.
    limit = float(policy.get("MaximumExecutionTimeoutInSeconds", 28800))
    stages = _stages(policy["TrafficRoutingConfiguration"], float(policy.get("TerminationWaitInSeconds", 0)), instances)
    longest = sum(stage.bake for stage in stages)
    if longest > limit:
        raise RolloutError(
            f"MaximumExecutionTimeoutInSeconds ({limit:g}) must be at least the waiting times of the deployment together ({longest:g})."
        )
    return Rollout(stages=stages, started=now, limit=limit)


def _stages(routing: dict[str, Any], termination: float, instances: int) -> tuple[Stage, ...]:
    kind, wait = routing["Type"], float(routing.get("WaitIntervalInSeconds", 0))
    last = Stage(Fraction(1), instances, termination, final=True)
    if kind == "ALL_AT_ONCE":
        return (last,)
    if kind == "CANARY":
        return (_stage(_share(routing, "CanarySize", instances), instances, wait), last)
    if kind == "LINEAR":
        size = _share(routing, "LinearStepSize", instances)
        steps = [size * number for number in range(1, ceil(1 / size))]
        return (*(_stage(share, instances, wait) for share in steps), last)
    raise RolloutError(f"TrafficRoutingConfiguration.Type {kind} is not one of ALL_AT_ONCE, CANARY, LINEAR.")


def _stage(share: Fraction, instances: int, wait: float) -> Stage:
    return Stage(share, ceil(share * instances), wait)


def _share(routing: dict[str, Any], key: str, instances: int) -> Fraction:
    if key not in routing:
        raise RolloutError(f"TrafficRoutingConfiguration of type {routing['Type']} needs {key}.")
    kind, value = routing[key]["Type"], int(routing[key]["Value"])
    share = Fraction(value, instances) if kind == "INSTANCE_COUNT" else Fraction(value, 100)
    # API_TrafficRoutingConfig: at most 50% of the variant's total instance count (a linear step: 10 to 50%). Capacity comes in whole
    # instances, so a fleet of one has no half: SageMaker cannot turn on a part of it.
    if share <= 0 or Fraction(ceil(share * instances), instances) > HALF:
        raise RolloutError(
            f"{key} ({value} {kind}) must be at least one instance and at most 50% of the variant's {instances} instance(s). "
            "Next: raise InitialInstanceCount, or use ALL_AT_ONCE."
        )
    if key == "LinearStepSize" and share < Fraction(1, 10):
        raise RolloutError(f"{key} ({value} {kind}) must be at least 10% of the variant's {instances} instance(s).")
    return share
