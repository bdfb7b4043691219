"""decide, case by case: what is seen, and what is done about it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from contracts.ledger import Deployment
from lambdas.live import Endpoint
from lambdas.reconcile_endpoint.logic import decide
from lambdas.reconcile_endpoint.states import (
    Action,
    Deploy,
    Drop,
    Hold,
    Nothing,
    Observed,
    Package,
    Quarantine,
    Settle,
    Stack,
    Wait,
)

ONE, TWO = Package("arn:1", 1, approved=True), Package("arn:2", 2, approved=True)
REJECTED_ONE, REJECTED_TWO = replace(ONE, approved=False), replace(TWO, approved=False)
OPEN_TWO = Deployment(model_package_arn="arn:2", asked=datetime(2026, 1, 1, tzinfo=UTC))


def seen(
    *packages: Package,
    status: str = "UPDATE_COMPLETE",
    parameter: str = "arn:1",
    live: str | None = "arn:1",
    endpoint: str = "InService",
    deployment: Deployment | None = None,
    quarantined: tuple[str, ...] = (),
) -> Observed:
    config = Endpoint(endpoint, "config", live) if live else None
    stack = Stack(status, "the reason", parameter, config="config" if live else "")
    return Observed(packages or (ONE,), stack, config, deployment, dict.fromkeys(quarantined, "it failed before"))


def refused(*packages: Package, deployment: Deployment | None = OPEN_TWO) -> Observed:
    """The first deployment was rolled back because the account has no quota for it."""
    look = seen(*packages, parameter="", live=None, deployment=deployment)
    return replace(look, stack=Stack("UPDATE_ROLLBACK_COMPLETE", "limit is 0 Instances (Error Code: ResourceLimitExceeded)", ""))


def crowded(look: Observed) -> Observed:
    """The same, with an endpoint whose last update was thrown back because there was no instance to be had."""
    assert look.endpoint is not None
    return replace(look, endpoint=replace(look.endpoint, reason="Failed to launch instances: InsufficientInstanceCapacity"))


def firing(look: Observed) -> Observed:
    """The same, with a rollback alarm in ALARM."""
    return replace(look, alarms=("p-5xx",))


def older(look: Observed) -> Observed:
    """The same, with a configuration that the stack asked for last, and the endpoint does not run."""
    assert look.stack is not None
    return replace(look, stack=replace(look.stack, config="newer"))


CASES: dict[str, tuple[Observed, type[Action]]] = {
    "nothing yet": (replace(seen(REJECTED_ONE, parameter="", live=None)), Nothing),
    "as it should be": (seen(ONE), Nothing),
    "the first version": (seen(ONE, parameter="", live=None), Deploy),
    "a higher version": (seen(ONE, TWO), Deploy),
    "the live version is rejected": (seen(ONE, REJECTED_TWO, parameter="arn:2", live="arn:2"), Deploy),
    "every version is rejected": (seen(REJECTED_ONE), Hold),
    "an alarm fires while a higher version waits": (firing(seen(ONE, TWO)), Wait),
    "an alarm fires, and nothing is to change": (firing(seen(ONE)), Nothing),
    "an alarm fires, and the live version is rejected": (firing(seen(ONE, REJECTED_TWO, parameter="arn:2", live="arn:2")), Deploy),
    "an alarm fires, and the live version is quarantined": (
        firing(seen(ONE, TWO, parameter="arn:2", live="arn:2", quarantined=("arn:2",))),
        Deploy,
    ),
    "an alarm fires after it threw a version back": (firing(seen(ONE, REJECTED_TWO, parameter="arn:2")), Wait),
    "an alarm fires before the first version": (firing(seen(ONE, parameter="", live=None)), Deploy),
    "a quarantined version is no candidate": (seen(ONE, REJECTED_TWO, quarantined=("arn:2",)), Nothing),
    "a quarantined version was approved again": (seen(ONE, TWO, quarantined=("arn:2",)), Quarantine),
    "a quarantined version that is live is left, and replaced": (
        seen(ONE, TWO, parameter="arn:2", live="arn:2", quarantined=("arn:2",)),
        Deploy,
    ),
    "the stack is busy": (seen(ONE, TWO, status="UPDATE_IN_PROGRESS"), Wait),
    "the stack cleans up": (seen(ONE, TWO, status="UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), Wait),
    "the stack moved": (replace(seen(ONE, TWO), moved=True), Wait),
    "the endpoint is busy": (seen(ONE, TWO, endpoint="Updating"), Wait),
    "the endpoint rolls back": (seen(ONE, TWO, endpoint="RollingBack", deployment=OPEN_TWO), Wait),
    "the stack is missing": (replace(seen(ONE), stack=None, endpoint=None), Hold),
    "the stack cannot roll back": (seen(ONE, TWO, status="UPDATE_ROLLBACK_FAILED", deployment=OPEN_TWO), Hold),
    "the stack was never made": (seen(ONE, status="ROLLBACK_COMPLETE", parameter="", live=None), Hold),
    "the stack is being unknown": (seen(ONE, TWO, status="SOMETHING_NEW"), Hold),
    "a deployment succeeded": (seen(ONE, TWO, parameter="arn:2", live="arn:2", deployment=OPEN_TWO), Settle),
    "a deployment succeeded, and was rejected meanwhile": (
        seen(ONE, REJECTED_TWO, parameter="arn:2", live="arn:2", deployment=OPEN_TWO),
        Settle,
    ),
    "a deployment was thrown back silently": (seen(ONE, TWO, parameter="arn:2", deployment=OPEN_TWO), Quarantine),
    "a deployment failed": (seen(ONE, TWO, status="UPDATE_ROLLBACK_COMPLETE", deployment=OPEN_TWO), Quarantine),
    "the first deployment failed": (seen(TWO, status="UPDATE_ROLLBACK_COMPLETE", parameter="", live=None, deployment=OPEN_TWO), Quarantine),
    "the account has no room for it": (refused(TWO), Hold),
    "the account had no room for it, and it is rejected": (refused(ONE, REJECTED_TWO), Drop),
    "the account had no room for it, and there is a newer one": (refused(TWO, Package("arn:3", 3, approved=True)), Drop),
    "the account had no room for it, and it is approved again": (refused(TWO, deployment=None), Deploy),
    "there was no instance for it": (crowded(seen(ONE, TWO, parameter="arn:2", deployment=OPEN_TWO)), Hold),
    "there was no instance for it, and no record": (crowded(seen(ONE, TWO, parameter="arn:2")), Hold),
    "there was no instance for it, and it is rejected": (crowded(seen(ONE, REJECTED_TWO, parameter="arn:2")), Deploy),
    "there was no instance for it, and it is rejected while it is open": (
        crowded(seen(ONE, REJECTED_TWO, parameter="arn:2", deployment=OPEN_TWO)),
        Drop,
    ),
    "a package may not read its model": (
        replace(
            seen(ONE, TWO, parameter="arn:2", deployment=OPEN_TWO),
            endpoint=Endpoint("InService", "config", "arn:1", "AccessDenied: could not read the model data"),
        ),
        Quarantine,
    ),
    "a deployment broke the endpoint": (seen(ONE, TWO, parameter="arn:2", endpoint="Failed", deployment=OPEN_TWO), Quarantine),
    "a deployment was overtaken": (seen(ONE, TWO, parameter="arn:1", deployment=OPEN_TWO), Drop),
    "a silent rollback without a record": (seen(ONE, TWO, parameter="arn:2"), Quarantine),
    "a silent rollback of a version that was rejected meanwhile": (seen(ONE, REJECTED_TWO, parameter="arn:2"), Deploy),
    "a failed update without a record is tried again": (seen(ONE, TWO, status="UPDATE_ROLLBACK_COMPLETE"), Deploy),
    "a configuration was thrown back": (older(seen(ONE)), Hold),
    "a configuration was thrown back, and a higher version waits": (older(seen(ONE, TWO)), Deploy),
    "a configuration was thrown back with its version": (older(seen(ONE, TWO, parameter="arn:2")), Quarantine),
    "a configuration was thrown back while a deployment was open": (older(seen(ONE, TWO, deployment=OPEN_TWO)), Drop),
    "the endpoint is broken": (seen(ONE, endpoint="Failed"), Hold),
    "the endpoint was deleted by hand": (seen(ONE, live=None), Hold),
    "the endpoint was deleted by hand during a deployment": (seen(ONE, TWO, live=None, deployment=OPEN_TWO), Hold),
    "somebody else's endpoint": (seen(ONE, parameter=""), Hold),
    "a configuration made by hand": (replace(seen(ONE), endpoint=Endpoint("InService", "mine", None)), Hold),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    observed, expected = CASES[name]
    assert type(decide(observed)) is expected


def test_the_highest_approved_version_is_deployed() -> None:
    three = Package("arn:3", 3, approved=False)
    action = decide(seen(TWO, ONE, three))
    assert isinstance(action, Deploy)
    assert action.package == TWO


@pytest.mark.parametrize("look", [observed for observed, _ in CASES.values()])
def test_a_deployment_is_guarded_unless_an_alarm_would_throw_it_back_at_once(look: Observed) -> None:
    action = decide(look)
    assert not isinstance(action, Deploy) or action.guarded is not bool(look.alarms)


def test_a_quarantine_says_what_failed_and_what_serves_instead() -> None:
    action = decide(CASES["a deployment failed"][0])
    assert isinstance(action, Quarantine)
    assert (action.arn, action.deployment) == ("arn:2", OPEN_TWO)
    assert action.why == "version 2 failed in production: the reason; the endpoint serves version 1"


def test_an_older_configuration_is_named_and_no_version_blamed() -> None:
    action = decide(CASES["a configuration was thrown back"][0])
    assert isinstance(action, Hold)
    assert action.why.startswith(
        "the endpoint runs an older configuration, config, where its stack asks for newer: the update was rolled back"
    )


@pytest.mark.parametrize("name", [name for name, (_, expected) in CASES.items() if expected is Hold])
def test_every_hold_says_the_next_step(name: str) -> None:
    action = decide(CASES[name][0])
    assert isinstance(action, Hold)
    assert "Next: " in action.why
