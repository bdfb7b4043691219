"""What `tide approve`, `tide reject` and `tide rollback` share: decisions about versions, and the wait until the endpoint follows.

The registry is the desired state: the endpoint serves the highest approved version. Deciding is all that a person does; reconcile_endpoint
does the rest, and may find that a version fails in production and reject it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cli.deploy import find_stack
from cli.observe import App, Endpoint, Version, version_number
from cli.output import Output
from cli.waiting import wait_for
from contracts.errors import StateError
from contracts.metadata import approval_description

APPROVED = "Approved"
REJECTED = "Rejected"
PENDING = "PendingManualApproval"
SETTLE_LIMIT = 3600.0
ROLLBACK_ALARMS = ("5xx", "latency")


def decide(app: App, version: Version, approval: str, why: str) -> None:
    """Write a person's decision into the registry."""
    app.sagemaker.update_model_package(
        ModelPackageArn=version.arn, ModelApprovalStatus=approval, ApprovalDescription=approval_description(why)
    )


def decide_and_follow(app: App, output: Output, number: int, approval: str, why: str, wait: bool) -> int | None:
    """Decide about one version and, when asked to wait, follow the endpoint; the live version's number then."""
    decide(app, app.version(number), approval, why)
    output.say(f"version {number} is {approval}")
    return follow(app, output) if wait else None


def follow(app: App, output: Output) -> int | None:
    """Wait until the endpoint serves what the registry asks for, with its progress shown; the live version's number."""
    with output.phase("move the endpoint") as phase:
        live = wait_until_settled(app, show=phase.show)
        phase.result = f"version {live} is live" if live else "nothing is live"
    return live


def wait_until_settled(app: App, limit: float = SETTLE_LIMIT, show: Callable[[str], None] = lambda _: None) -> int | None:
    """Wait until the endpoint is at rest; the live version's number, None when nothing is served."""
    seen = ""

    def look() -> tuple[int | None] | None:
        nonlocal seen
        state = endpoint_state(app)
        seen = state.words
        show(seen)
        return None if state.moving else (state.live,)

    return wait_for("the endpoint to follow the registry", look, limit, interval=0.5, seen=lambda: seen)[0]


def rejected_meanwhile(app: App, number: int) -> None:
    """Raise StateError when a version that was approved has been rejected since, with the reason."""
    version = app.version(number)
    if version.approval == REJECTED:
        raise StateError(f"version {number} was rejected after its deployment: {version.why}. Next: tide why {number}")


@dataclass(frozen=True)
class EndpointState:
    """The live version, the one that the registry asks for, whether anything moves, and all that in words."""

    moving: bool
    live: int | None
    wanted: int | None
    words: str


def endpoint_state(app: App) -> EndpointState:
    """One look at the endpoint, its stack and the registry. Raises StateError when the stack is not there.

    At rest: the stack and the endpoint are done, no deployment is open, and both serve what the registry asks for. (After a canary was
    thrown back the stack still names its version, until it is told again what is live.) A quarantined version that is approved is about to
    be rejected. With every version rejected the endpoint keeps what it serves, and that is rest too. The registry is read last: a version
    that fails in production is rejected before its deployment is closed, so a closed deployment is never seen beside an approval that is
    about to go.
    """
    stack = find_stack(app.cloudformation, f"{app.prefix}-endpoint")
    if stack is None:
        raise StateError(f"stack {app.prefix}-endpoint is not there. Next: tide up (or cdk deploy --all for your AWS account)")
    endpoint = app.endpoint()
    deploying = app.ledger.open_deployment() is not None
    condemned = app.ledger.quarantines().keys() - {endpoint.live if endpoint else None}
    approved = approved_versions(app)
    wanted = max(approved, default=None)
    live = version_number(endpoint.live) if endpoint else None
    told = {parameter["ParameterKey"]: parameter.get("ParameterValue", "") for parameter in stack.get("Parameters", [])}
    served = {live, version_number(told.get("ModelPackageArn"))}
    moving = (
        deploying
        or stack["StackStatus"].endswith("_IN_PROGRESS")
        or (endpoint is not None and endpoint.status != "InService")
        or (wanted is not None and served != {wanted})
        or not condemned.isdisjoint(approved.values())
    )
    return EndpointState(moving, live, wanted, _in_words(app, stack["StackStatus"], endpoint, moving))


def approved_versions(app: App) -> dict[int, str]:
    """The ARN of every approved version; the endpoint is to serve the highest."""
    pages = app.sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=app.prefix, ModelApprovalStatus=APPROVED)
    return {each["ModelPackageVersion"]: each["ModelPackageArn"] for page in pages for each in page["ModelPackageSummaryList"]}


def _in_words(app: App, stack: str, endpoint: Endpoint | None, waits: bool) -> str:
    words = f"endpoint {endpoint.status if endpoint else 'not there yet'}, stack {stack}"
    if endpoint is not None and len(endpoint.traffic) > 1:
        shares = {version_number(package): share for package, share in endpoint.traffic.items()}
        words += ", " + ", ".join(f"version {number} {share:.0%}" for number, share in sorted(shares.items()))
    held = app.ledger.held() if waits else None
    if held is not None:
        words += f"; held: {held.why}"
    elif waits and endpoint is not None and endpoint.status == "InService" and (firing := app.firing(*ROLLBACK_ALARMS)):
        words += f"; waits for {', '.join(firing)} to end"
    return words
