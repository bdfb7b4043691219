"""Waiting until the loop is at rest: nothing is monitored or retrained, every dataset version had its run, no run goes on, every version is
decided, and the endpoint follows.

What moves is looked for in the loop's own order. So whatever hands over to its successor between two looks is seen at one of them.
"""

from collections.abc import Callable

from cli.observe import App
from cli.release import PENDING, endpoint_state
from cli.train import RUNNING
from cli.waiting import wait_for
from contracts.ledger import What

REST_LIMIT = 6 * 3600.0


def wait_for_rest(app: App, show: Callable[[str], None], limit: float = REST_LIMIT, interval: float = 1.0) -> None:
    """Return when nothing moves. Raises WaitTimeoutError with what still did."""
    seen = ""

    def look() -> bool | None:
        nonlocal seen
        seen = what_moves(app)
        show(seen)
        return None if seen else True

    wait_for("the loop to come to rest", look, limit, interval=interval, seen=lambda: seen)


def what_moves(app: App) -> str:
    """What still moves, in words; empty at rest. A version that was left to a person is at rest."""
    return _monitoring(app) or _training(app) or _approval(app) or _endpoint(app)


def _monitoring(app: App) -> str:
    pages = app.sagemaker.get_paginator("list_processing_jobs").paginate(StatusEquals="InProgress", NameContains=f"{app.prefix}-monitor-")
    names = [job["ProcessingJobName"] for page in pages for job in page["ProcessingJobSummaries"]]
    return f"monitoring job {', '.join(names)} goes on" if names else ""


def _training(app: App) -> str:
    retraining = app.ledger.open_retraining()
    if retraining is not None:
        return f"retraining {retraining.name} goes on{f' with run {retraining.run}' if retraining.run else ''}"
    runs = app.executions()
    going = [run.name for run in runs if run.status in RUNNING]
    if going:
        return f"run {', '.join(going)} goes on"
    trained = {run.dataset_version for run in runs}
    new = [manifest.version for manifest, _ in app.manifests() if manifest.version not in trained]
    return f"dataset version {', '.join(new)} waits for its run" if new else ""


def _approval(app: App) -> str:
    left = {decision.subject for decision in app.decisions() if decision.what is What.MODEL_LEFT_TO_A_PERSON}
    undecided = [str(version.number) for version in app.versions() if version.approval == PENDING and version.arn not in left]
    return f"version {', '.join(undecided)} waits for approval" if undecided else ""


def _endpoint(app: App) -> str:
    state = endpoint_state(app)
    return state.words if state.moving else ""
