"""What `tide approve` and `tide reject` share: a decision about a version in the registry, and the wait until the endpoint follows.

The registry is the desired state: the endpoint serves the highest approved version. Deciding is all that a person does; reconcile_endpoint
does the rest, and may find that a version fails in production and reject it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cli.deploy import find_stack
from cli.observe import App, Version, version_number
from cli.waiting import wait_for
from contracts.errors import StateError
from contracts.metadata import approval_description

APPROVED = "Approved"
REJECTED = "Rejected"
PENDING = "PendingManualApproval"
SETTLE_LIMIT = 3600.0


def decide(app: App, version: Version, approval: str, why: str) -> None:
    """Write a person's decision into the registry."""
    app.sagemaker.update_model_package(
        ModelPackageArn=version.arn, ModelApprovalStatus=approval, ApprovalDescription=approval_description(why)
    )


def desired(versions: Sequence[Version]) -> Version | None:
    """The version that the endpoint is to serve: the highest approved one."""
    return max((version for version in versions if version.approval == APPROVED), key=lambda version: version.number, default=None)


def wait_until_settled(app: App, limit: float = SETTLE_LIMIT, show: Callable[[str], None] = lambda _: None) -> int | None:
    """Wait until the endpoint serves what the registry asks for and nothing moves; the live version's number.

    None when there is nothing to serve. With every version rejected the endpoint keeps what it serves, and that is settled.
    """
    seen = ""

    def look() -> tuple[int | None] | None:
        nonlocal seen
        state = endpoint_state(app)
        seen = state.words
        show(seen)
        wanted = desired(app.versions())
        if state.moving or (wanted is not None and state.live != wanted.number):
            return None
        return (state.live,)

    return wait_for("the endpoint to follow the registry", look, limit, interval=0.5, seen=lambda: seen)[0]


def rejected_meanwhile(app: App, number: int) -> None:
    """Raise StateError when a version that was approved has been rejected since, with the reason."""
    version = app.version(number)
    if version.approval == REJECTED:
        raise StateError(f"version {number} was rejected after its deployment: {version.why}. Next: tide status")


@dataclass(frozen=True)
class EndpointState:
    """Whether anything moves (stack, endpoint, an unsettled deployment), the live version, and both in words."""

    moving: bool
    live: int | None
    words: str


def endpoint_state(app: App) -> EndpointState:
    """One look at the endpoint and its stack. Raises StateError when the stack is not there."""
    stack = find_stack(app.cloudformation, f"{app.prefix}-endpoint")
    if stack is None:
        raise StateError(f"stack {app.prefix}-endpoint is not there. Next: tide up (or cdk deploy --all for your AWS account)")
    endpoint = app.endpoint()
    live = version_number(endpoint.live) if endpoint else None
    moving = stack["StackStatus"].endswith("_IN_PROGRESS") or app.open_deployment() is not None
    if endpoint is not None:
        moving = moving or endpoint.status != "InService"
    words = f"endpoint {endpoint.status if endpoint else 'not there yet'}, stack {stack['StackStatus']}"
    if endpoint is not None and len(endpoint.traffic) > 1:
        shares = {version_number(package): share for package, share in endpoint.traffic.items()}
        words += ", " + ", ".join(f"version {number} {share:.0%}" for number, share in sorted(shares.items()))
    return EndpointState(moving, live, words)
