"""`tide monitor`: what the last window of traffic says, or what another one does, looked at now.

The schedule looks at every window. By hand a window is looked at as often as asked; that moves no alarm, and leaves the schedule's verdict.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.functions import by_hand, invoke
from cli.observe import App
from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from cli.verdict import keep_report, newest_verdicts, read_verdict, show_verdict
from cli.waiting import wait_for
from contracts.errors import StateError
from contracts.events import DetailType

START_LIMIT = 1800  # an instance's, beside the job's own time
LOGS = "/aws/sagemaker/ProcessingJobs"
_RUNNING = frozenset({"InProgress", "Stopping"})


def monitor(
    now: Annotated[bool, typer.Option("--now", help="Look at the traffic of the last window_hours, up to now.")] = False,
    window: Annotated[
        tuple[str, str] | None,
        typer.Option("--window", metavar="START END", help="Look at this window, such as 2026-11-20T10:00 2026-11-20T12:00, in UTC."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Show what monitoring found in the last window: drift, quality by labels, data quality; or look at a window now."""
    output = Output(machine)
    if now and window:
        raise StateError("--now and --window name two windows. Next: give one of them")
    asked = _parse(*window) if window else None
    app = open_app(config, environment, directory, aws)
    output.say(f"{app.prefix} on {app.account.name}", style="bold")
    if now:
        moment = app.account.now()
        asked = moment - timedelta(hours=app.project.config.monitoring.window_hours), moment
    prefixes = [_look(output, app, *asked)] if asked else newest_verdicts(app)
    if not prefixes:
        _nothing_yet(output, app)
    found = [_show(output, app, prefix, directory or app.project.state) for prefix in prefixes]
    if now:
        output.say("requests and labels of the last minutes may not be in S3 yet. Next, if some are missing: tide monitor --now again")
    if show:
        for each in found:
            typer.launch(str(each["report"]))
    output.document({"ok": True, "verdicts": found})


def _show(output: Output, app: App, prefix: str, state: Path) -> dict[str, Any]:
    """Show one verdict and keep its report; both for machines."""
    verdict = read_verdict(app, prefix)
    output.say()
    show_verdict(output, verdict)
    report = keep_report(app, prefix, state)
    output.say(f"report: {report}")
    return {"uri": f"s3://{app.artifacts_bucket}/{prefix}", "report": report, "verdict": verdict.model_dump(mode="json")}


def _parse(first: str, last: str) -> tuple[datetime, datetime]:
    start, end = _time(first), _time(last)
    if start >= end:
        raise StateError(f"the window from {first} to {last} is empty. Next: give a start before the end")
    return start, end


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise StateError(f"{text!r} is no time. Next: write it like 2026-11-20T10:00, in UTC") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _look(output: Output, app: App, start: datetime, end: datetime) -> str:
    """Have a window looked at, and wait. Gives the prefix of its verdict. Raises StateError."""
    with output.phase("look at the window") as phase:
        result = invoke(app, "start-monitoring", by_hand(app, DetailType.TICK, {"start": start.isoformat(), "end": end.isoformat()}))
        if "job" not in result:
            raise StateError(f"there is nothing to look at: {result['why']}. Next: tide status")
        wait_for_job(app, result["job"], phase.show)
        phase.result = result["job"]
    return str(result["verdict"]).removeprefix(f"s3://{app.artifacts_bucket}/")


def wait_for_job(app: App, name: str, show: Callable[[str], None] = lambda _: None) -> None:
    """Return when a monitoring job has done its work. Raises StateError with the reason of its failure."""

    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = app.sagemaker.describe_processing_job(ProcessingJobName=name)
        show(job["ProcessingJobStatus"])
        return None if job["ProcessingJobStatus"] in _RUNNING else job

    job = wait_for(f"job {name} to end", look, START_LIMIT + app.project.config.monitoring.max_runtime_seconds)
    if job["ProcessingJobStatus"] != "Completed":
        raise StateError(_failure(job))


def _failure(job: dict[str, Any]) -> str:
    reason = job.get("FailureReason") or job.get("ExitMessage") or "no reason given"
    return f"job {job['ProcessingJobName']} {job['ProcessingJobStatus']}: {reason}. Next: its log in {LOGS}"


def _nothing_yet(output: Output, app: App) -> None:
    """Why there is no verdict, and what to do."""
    jobs = app.sagemaker.list_processing_jobs(
        NameContains=f"{app.prefix}-monitor-", SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )["ProcessingJobSummaries"]
    if jobs and jobs[0]["ProcessingJobStatus"] == "Failed":
        output.say(f"no window has a verdict yet; {_failure(jobs[0])}", "red")
        return
    hours = app.project.config.monitoring.window_hours
    every = "hour" if hours == 1 else f"{hours} hours"
    output.say(f"no window has been looked at yet; the schedule does it every {every}. Next: send requests, then tide monitor --now")
