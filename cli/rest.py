"""Waiting until the loop is at rest: every dataset version had its run, no run goes on, every version is decided, the endpoint follows."""

from collections.abc import Callable

from cli.observe import App
from cli.release import PENDING, desired, endpoint_state
from cli.train import RUNNING
from cli.waiting import wait_for
from contracts.ledger import What

REST_LIMIT = 6 * 3600.0


def wait_for_rest(app: App, show: Callable[[str], None], limit: float = REST_LIMIT) -> None:
    """Return when nothing moves. Raises WaitTimeoutError with what still did."""
    seen = ""

    def look() -> bool | None:
        nonlocal seen
        seen = what_moves(app)
        show(seen)
        return None if seen else True

    wait_for("the loop to come to rest", look, limit, interval=1.0, seen=lambda: seen)


def what_moves(app: App) -> str:
    """What still moves, in words; empty at rest. A version that was left to a person is at rest."""
    runs = app.executions()
    going = [run.name for run in runs if run.status in RUNNING]
    if going:
        return f"run {', '.join(going)} goes on"
    trained = {run.dataset_version for run in runs}
    new = [manifest.version for manifest, _ in app.manifests() if manifest.version not in trained]
    if new:
        return f"dataset version {', '.join(new)} waits for its run"
    versions = app.versions()
    left = {decision.subject for decision in app.decisions() if decision.what is What.MODEL_LEFT_TO_A_PERSON}
    undecided = [str(version.number) for version in versions if version.approval == PENDING and version.arn not in left]
    if undecided:
        return f"version {', '.join(undecided)} waits for approval"
    state, wanted = endpoint_state(app), desired(versions)
    if state.moving or (wanted is not None and state.live != wanted.number):
        return state.words
    return ""
