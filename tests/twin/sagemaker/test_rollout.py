"""The blue/green state machine, as properties over every policy and every sequence of looks."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.sagemaker.rollout import Rollout, RolloutError, begin, step


def policy(kind: str, wait: int = 60, termination: int = 30, **size: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait} | size
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": termination}}


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


POLICIES = st.one_of(
    st.builds(lambda wait, end: policy("ALL_AT_ONCE", wait, end), st.integers(0, 300), st.integers(0, 300)),
    st.builds(
        lambda wait, end, size: policy("CANARY", wait, end, CanarySize=percent(size)), *[st.integers(0, 300)] * 2, st.integers(1, 50)
    ),
    st.builds(
        lambda wait, end, size: policy("LINEAR", wait, end, LinearStepSize=percent(size)), *[st.integers(0, 300)] * 2, st.integers(10, 50)
    ),
)
# Seconds since the last look, and whether the green fleet is ready, has failed, and its alarm is in ALARM.
LOOKS = st.lists(st.tuples(st.integers(0, 400), st.booleans(), st.booleans(), st.booleans()), max_size=40)


@given(POLICIES)
def test_undisturbed_every_deployment_succeeds_after_its_bakes(deployment: dict[str, Any]) -> None:
    rollout = begin(deployment, 10, 0)
    now, shares = 0.0, [rollout.share]
    while rollout.outcome == "InProgress":
        rollout = step(rollout, now, ready=True)
        shares.append(rollout.share)
        now += 1
    assert rollout.outcome == "Succeeded"
    assert now >= sum(stage.bake for stage in rollout.stages)
    assert shares == sorted(shares)
    assert rollout.share == 1


@given(POLICIES, LOOKS)
def test_whatever_happens_the_rules_hold(deployment: dict[str, Any], looks: list[tuple[int, bool, bool, bool]]) -> None:
    rollout, now = begin(deployment, 10, 0), 0.0
    for passed, ready, failed, alarmed in looks:
        now += passed
        before = rollout
        rollout = step(before, now, ready=ready, failure="broken" if failed else "", alarms=frozenset({"a"} if alarmed else ()))
        check(before, rollout, failed, alarmed)


def check(before: Rollout, after: Rollout, failed: bool, alarmed: bool) -> None:
    if before.outcome != "InProgress":
        assert after == before
        return
    assert (after.outcome == "RolledBack") == bool(after.reason)
    if failed or (alarmed and before.stage >= 0):
        assert after.outcome == "RolledBack"
        assert after.share == 0
    else:
        assert after.outcome == "RolledBack" or after.share >= before.share
    assert after.stage - before.stage in {0, 1}


def test_a_canary_goes_by_instances_too() -> None:
    rollout = begin(policy("CANARY", CanarySize={"Type": "INSTANCE_COUNT", "Value": 1}), 4, 0)
    assert [(stage.share, stage.instances, stage.bake) for stage in rollout.stages] == [(Fraction(1, 4), 1, 60), (1, 4, 30)]


def test_an_alarm_in_the_last_bake_rolls_back() -> None:
    rollout = step(begin(policy("ALL_AT_ONCE"), 1, 0), 0, ready=True)
    assert rollout.share == 1
    assert step(rollout, 29, ready=True, alarms=frozenset({"5xx"})).outcome == "RolledBack"


def test_the_time_limit_rolls_back() -> None:
    rollout = begin(
        {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE"}, "MaximumExecutionTimeoutInSeconds": 600}}, 1, 0
    )
    assert step(rollout, 601, ready=False).reason.endswith("600 seconds")


@pytest.mark.parametrize(
    ("deployment", "instances"),
    [
        (policy("CANARY", CanarySize=percent(51)), 10),
        (policy("CANARY", CanarySize=percent(10)), 1),
        (policy("CANARY", CanarySize={"Type": "INSTANCE_COUNT", "Value": 2}), 3),
        (policy("CANARY"), 2),
        (policy("LINEAR", LinearStepSize=percent(5)), 20),
        (policy("ROLLING"), 2),
        ({"RollingUpdatePolicy": {"MaximumBatchSize": percent(10)}}, 2),
    ],
)
def test_what_sagemaker_does_not_accept_is_refused(deployment: dict[str, Any], instances: int) -> None:
    with pytest.raises(RolloutError):
        begin(deployment, instances, 0)
