"""The reconciler: `decide` says what to do about what was seen, `reconcile` looks and acts until nothing is left to do now.

It is level-triggered: it never asks what an event said, only what is. Lost, repeated and reordered events therefore change nothing.

Why a crash between UpdateStack and the record of the open deployment heals: the record only serves to tell a deployment's end from
everything else that the stack may have been through. Without it, a package that became live is simply live; one that the endpoint threw
back silently still shows as a difference between the stack's parameter and what is live; and one whose stack update failed is
tried once more, with a record. The other order would be wrong: a record without an update would condemn a package that was never tried.

A package that failed in production is quarantined; one that a quota, a permission or missing capacity kept out is held until a person acts.

An alarm that is in ALARM already would throw back whatever is deployed next, however good it is. So while the live version is one that
people want, deployments wait for the alarm to end. A live version that was rejected must go at once, though, and may well be the reason of
the alarm: it is left for the next one without steps and without alarms.
"""

from collections.abc import Callable
from typing import Protocol

from contracts.errors import StateError
from lambdas.reconcile_endpoint.states import Action, Deploy, Drop, Hold, Nothing, Observed, Package, Quarantine, Settle, Wait

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
UPDATED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
UPDATABLE = UPDATED | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html, EndpointStatus
ENDPOINT_BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
# What reasons name when the account, and not the package, stood in the way: a quota, capacity, and in CloudFormation's a permission or
# throttling; of an endpoint's own reason a missing permission says nothing, for a package may name what is not the project's.
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html and CommonErrors.html,
# https://repost.aws/knowledge-center/sagemaker-endpoint-creation-fail
NO_ROOM = ("ResourceLimitExceeded", "ServiceLimitExceeded", "InsufficientInstanceCapacity", "account-level service limit")
ACCOUNT_FAILURES = (*NO_ROOM, "AccessDenied", "Throttling")
STEPS = 20


class Account(Protocol):
    """What the reconciler acts on. Every act may be repeated; `deploy` is False when the stack took no update now."""

    def observe(self) -> Observed: ...
    def deploy(self, action: Deploy) -> bool: ...
    def settle(self, action: Settle) -> None: ...
    def drop(self, action: Drop) -> None: ...
    def quarantine(self, action: Quarantine) -> None: ...
    def hold(self, action: Hold) -> None: ...
    def release(self) -> None: ...


def reconcile(account: Account) -> tuple[Action, ...]:
    """Look and act until there is nothing more to do now. Gives what was done, in order; the last says why it stopped.

    A settled deployment or a quarantine is followed by another look at once, so that the way back needs no further event.
    """
    done: list[Action] = []
    for _ in range(STEPS):
        seen = account.observe()
        action = decide(seen)
        done.append(action)
        match action:
            case Settle():
                account.settle(action)
            case Drop():
                account.drop(action)
            case Quarantine():
                account.quarantine(action)
            case Hold():
                account.hold(action)
                return tuple(done)
            case Wait():
                return tuple(done)
            case Nothing() | Deploy():
                if seen.held:
                    account.release()
                if isinstance(action, Deploy) and not account.deploy(action):
                    done.append(Wait("the stack took no update now; its next event or the next tick looks again"))
                return tuple(done)
    raise StateError(
        f"{STEPS} steps did not settle the endpoint, the last was {done[-1]}. Next: look at the ledger; a retry goes on from here"
    )


def decide(seen: Observed) -> Action:
    """What to do about one look at the account."""
    for rule in _RULES:
        action = rule(seen)
        if action is not None:
            return action
    return _follow_the_registry(seen)


def _wait(seen: Observed) -> Action | None:
    if seen.moved:
        return Wait("the stack changed while it was looked at")
    if seen.stack and seen.stack.status.endswith("_IN_PROGRESS"):
        return Wait(f"the Endpoint stack is {seen.stack.status}")
    if seen.endpoint and seen.endpoint.status in ENDPOINT_BUSY:
        return Wait(f"the endpoint is {seen.endpoint.status}")
    return None


def _stack_needs_a_person(seen: Observed) -> Action | None:
    if seen.stack is None:
        return Hold("the Endpoint stack does not exist. Next: deploy the app (cdk deploy --all, or tide up)")
    if seen.stack.status not in UPDATABLE:
        step = (
            "continue its rollback in CloudFormation"
            if seen.stack.status == "UPDATE_ROLLBACK_FAILED"
            else "repair or delete it, then deploy it again"
        )
        reason = f": {seen.stack.reason}" if seen.stack.reason else ""
        return Hold(f"the Endpoint stack is {seen.stack.status}{reason}. Next: {step}")
    return None


def _endpoint_changed_by_hand(seen: Observed) -> Action | None:
    """Differences that no deployment makes must not be blamed on a package."""
    assert seen.stack is not None  # noqa: S101 - the rule before this one held it
    if seen.endpoint is None:
        if seen.stack.parameter:
            return Hold(
                "the endpoint is gone, though its stack should serve "
                + seen.name(seen.stack.parameter)
                + ". Next: delete the Endpoint stack and deploy it again"
            )
        return None
    if not seen.stack.parameter:
        return Hold("an endpoint of this name exists that the Endpoint stack did not make. Next: delete that endpoint")
    if seen.endpoint.status == "InService" and seen.endpoint.package_arn is None:
        return Hold(
            f"the endpoint serves {seen.endpoint.config}, which no model package made. "
            "Next: put back a configuration that the stack made, or delete the Endpoint stack and deploy it again"
        )
    return None


def _close_the_open_deployment(seen: Observed) -> Action | None:
    deployment, stack = seen.deployment, seen.stack
    if deployment is None or stack is None:
        return None
    arn = deployment.model_package_arn
    if seen.live == arn:
        return Settle(deployment)
    if stack.status in UPDATED and stack.parameter != arn:
        return Drop(deployment, f"the stack was updated to serve {seen.name(stack.parameter) if stack.parameter else 'nothing'} instead")
    if reason := _account_failure(seen):
        return _keep_for_later(seen, arn, reason) or Drop(deployment, "another version is wanted by now")
    return Quarantine(arn, _failure(seen, arn), deployment)


def _account_failure(seen: Observed) -> str:
    """Why the account, and not the package, stood in the way, in AWS's words; empty when it did not."""
    stack, endpoint = seen.stack, seen.endpoint
    if stack and stack.status not in UPDATED and any(word in stack.reason for word in ACCOUNT_FAILURES):
        return stack.reason
    if endpoint and endpoint.reason and any(word in endpoint.reason for word in NO_ROOM):
        return endpoint.reason
    return ""


def _keep_for_later(seen: Observed, arn: str, reason: str) -> Hold | None:
    """The package is innocent. It is not tried again by itself, or every look would; a person who mended the cause says when."""
    desired = _desired(seen)
    if desired is None or desired.arn != arn:
        return None
    return Hold(
        f"version {desired.version} could not be deployed in this account: {reason}. "
        f"Next: mend that, then reject and approve version {desired.version} again (tide reject, tide approve)"
    )


def _endpoint_needs_a_person(seen: Observed) -> Action | None:
    if seen.endpoint is None or seen.endpoint.status == "InService":
        return None
    reason = f": {seen.endpoint.reason}" if seen.endpoint.reason else ""
    return Hold(f"the endpoint is {seen.endpoint.status}{reason}. Next: delete the Endpoint stack and deploy it again")


def _condemn_a_silent_rollback(seen: Observed) -> Action | None:
    """SageMaker calls a rolled-back endpoint InService, and CloudFormation then calls its update complete."""
    arn = seen.stack.parameter if seen.stack else ""
    if not arn or seen.live in (None, arn) or arn in seen.quarantined:
        return None
    if reason := _account_failure(seen):
        return _keep_for_later(seen, arn, reason)
    approved = any(package.arn == arn and package.approved for package in seen.packages)
    return Quarantine(arn, _failure(seen, arn)) if approved else None


def _reject_again(seen: Observed) -> Action | None:
    for package in seen.packages:
        if package.approved and package.arn in seen.quarantined and package.arn != seen.live:
            return Quarantine(package.arn, seen.quarantined[package.arn])
    return None


def _follow_the_registry(seen: Observed) -> Action:
    desired = _desired(seen)
    parameter = seen.stack.parameter if seen.stack else ""
    if desired is None:
        if not parameter or seen.live is None:
            return Nothing("no version is approved yet")
        return Hold(
            f"no version is approved; the endpoint keeps serving {seen.name(seen.live)}. Next: approve a version (tide approve VERSION)"
        )
    if desired.arn == parameter == seen.live:
        return _older_configuration(seen) or Nothing(f"version {desired.version} is live, as it should be")
    if seen.alarms and any(package.arn == seen.live for package in _candidates(seen)):
        return Wait(f"{', '.join(seen.alarms)} in ALARM would throw back version {desired.version}")
    why = f"version {desired.version} is the highest approved version; {_instead_of(seen, desired)}"
    return Deploy(desired, why, guarded=not seen.alarms)


def _older_configuration(seen: Observed) -> Action | None:
    """An update that changed the configuration alone, as `cdk deploy` makes one, was rolled back silently: the version is innocent."""
    endpoint, stack = seen.endpoint, seen.stack
    if endpoint is None or stack is None or stack.config in {"", endpoint.config}:
        return None
    reason = endpoint.reason or "the update was rolled back (an alarm, or a fleet that did not become healthy)"
    return Hold(
        f"the endpoint runs an older configuration, {endpoint.config}, where its stack asks for {stack.config}: {reason}. "
        "Next: mend the cause, then change the configuration and deploy it again (cdk deploy, or tide up)"
    )


def _instead_of(seen: Observed, desired: Package) -> str:
    if seen.live is None:
        return "nothing is served yet"
    return "it is live, and its stack is to say so again" if seen.live == desired.arn else f"it takes over from {seen.name(seen.live)}"


def _desired(seen: Observed) -> Package | None:
    return max(_candidates(seen), key=lambda package: package.version, default=None)


def _candidates(seen: Observed) -> list[Package]:
    return [package for package in seen.packages if package.approved and package.arn not in seen.quarantined]


def _failure(seen: Observed, arn: str) -> str:
    """Why a package that should be live is not, as far as the account tells."""
    still = f"the endpoint serves {seen.name(seen.live)}" if seen.live else "nothing is served"
    reasons = [seen.endpoint.reason if seen.endpoint else "", seen.stack.reason if seen.stack and seen.stack.status not in UPDATED else ""]
    told = (
        "; ".join(reason for reason in reasons if reason)
        or "the deployment was rolled back (an alarm, or a fleet that did not become healthy)"
    )
    return f"{seen.name(arn)} failed in production: {told}; {still}"


_RULES: tuple[Callable[[Observed], Action | None], ...] = (
    _wait,
    _stack_needs_a_person,
    _endpoint_changed_by_hand,
    _close_the_open_deployment,
    _endpoint_needs_a_person,
    _condemn_a_silent_rollback,
    _reject_again,
)
