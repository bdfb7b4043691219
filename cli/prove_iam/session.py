"""One turning of the story: a twin of its own, the app deployed into it, and ways to wait that end as soon as nothing moves any more.

Rules and schedules sleep but in the steps that wake them, so that a step is one link of the loop, and nothing heals behind its back what a
withheld grant broke. The clock is fast, and is moved on whenever nothing but time is waited for (the next attempt of a function, say).
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from botocore.exceptions import ClientError

from cli.account import twin_account
from cli.api import PredictionApi
from cli.deploy import deploy_assembly
from cli.observe import App
from cli.project import Project
from cli.prove_iam.activity import Activity, Signs
from cli.prove_iam.rows import Row, as_csv, make_rows
from cli.train import RUNNING
from contracts.errors import StateError

SPEED = 120.0
QUIET = 0.4
"""Real seconds without a sign of life after which nothing moves any more, or only the clock has to."""
PAUSED = 0.1
"""Real seconds after which only the clock has to move, when all that waits is between two attempts."""
LOOK_EVERY = 0.05
MINUTE = 60.0
ATTEMPTS = 6
"""How often the clock is moved on a minute for something that waits for it."""
LONGEST_WAIT = 30
"""Minutes after which what still waits is tried without end: a function's event waits three, and a delivery is not a minute's work."""

Found = TypeVar("Found")


class StepFailedError(StateError):
    """A step's outcome was not reached. The message says what is missing, and what was refused on the way."""


class Session:
    """A deployed app in a twin of its own, in `folder`. As a context manager it starts and ends the twin."""

    def __init__(self, folder: Path, project: Project, assembly: Path, speed: float = SPEED) -> None:
        from twin.server import TwinServer  # noqa: PLC0415 - the twin is loaded only where it is used

        self.project = project
        self.folder = folder
        self.assembly = assembly
        self.twin = TwinServer(folder / "twin", assembly, speed=speed)
        self.activity = Activity(self.twin)
        self.app: App
        self.notes: dict[str, Any] = {}
        """What a step leaves for later ones."""
        self._numbers = iter(range(1, 1_000_000))

    def __enter__(self) -> Self:
        self.twin.start()
        account = twin_account(self.twin.cloud.url, self.twin.cloud.region)
        self.app = App(account, self.project)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.twin.stop()

    def deploy(self) -> None:
        """Deploy the assembly, and put every rule and schedule to sleep."""
        deploy_assembly(self.app.account, self.assembly, lambda _: None)
        for rule in self.rules():
            self.client("events").disable_rule(Name=rule)
        for name in self.schedules():
            self.schedule(name, "DISABLED")

    def client(self, service: str) -> Any:
        """A client of the account's root, whom no policy binds."""
        if service not in self.notes.setdefault("clients", {}):
            self.notes["clients"][service] = self.app.account.client(service)
        return self.notes["clients"][service]

    def number(self) -> int:
        """A number that no step had before."""
        return next(self._numbers)

    def name(self, what: str) -> str:
        """A name that no step had before."""
        return f"{what}-{self.number()}"

    def rows(self, count: int, *, learnable: bool = True, turned: bool = False) -> list[Row]:
        """Rows that no step had before (see rows.py)."""
        return make_rows(self.project.config.data, count, self.number(), learnable=learnable, turned=turned)

    def table(self, count: int, *, learnable: bool = True) -> bytes:
        """A table that no step had before."""
        return as_csv(self.project.config.data, self.rows(count, learnable=learnable), 1000 * self.number())

    def post(self, url: str, document: Any) -> Any:
        """POST to the API, signed. Raises StateError when it is not taken."""
        answer = PredictionApi(self.app.account, url).post(json.dumps(document).encode())
        if not 200 <= answer.status < 300:
            raise StateError(f"POST {url.rpartition('/')[2]} answered {answer.status}: {answer.body[:300].decode(errors='replace')}")
        return answer.document()

    # Time

    def now(self) -> datetime:
        """The twin's time."""
        return self.twin.cloud.clock.now()

    def advance_to(self, moment: datetime) -> None:
        """Move the clock on to a moment, unless it has passed."""
        self.twin.cloud.clock.advance(max(0.0, (moment - self.now()).total_seconds()))

    # Rules and schedules

    def rules(self) -> list[str]:
        """The names of the project's rules."""
        return [rule["Name"] for rule in self.client("events").list_rules(NamePrefix=f"{self.app.prefix}-")["Rules"]]

    def schedules(self) -> list[str]:
        """The names of the project's schedules."""
        return [each["Name"] for each in self.client("scheduler").list_schedules(NamePrefix=f"{self.app.prefix}-")["Schedules"]]

    @contextmanager
    def awake(self, *rules: str) -> Iterator[None]:
        """Rules, by the end of their names, that may act meanwhile."""
        events = self.client("events")
        names = [f"{self.app.prefix}-{rule}" for rule in rules]
        for name in names:
            events.enable_rule(Name=name)
        try:
            yield
        finally:
            for name in names:
                events.disable_rule(Name=name)

    @contextmanager
    def ticking(self, name: str) -> Iterator[None]:
        """A schedule, by the end of its name, that may fire meanwhile."""
        full = f"{self.app.prefix}-{name}"
        self.schedule(full, "ENABLED")
        try:
            yield
        finally:
            self.schedule(full, "DISABLED")

    def schedule(self, name: str, state: str, **changed: Any) -> None:
        """Enable or disable a schedule, with what is to change of it."""
        scheduler = self.client("scheduler")
        known = scheduler.get_schedule(Name=name)
        kept = {key: known[key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target", "Description") if key in known}
        scheduler.update_schedule(Name=name, State=state, **kept | changed)

    # Waiting

    def reach(self, what: str, look: Callable[[], Found | None], *, given_up_is_well: bool = False) -> Found:
        """What `look` finds, as soon as it does. Raises StepFailedError when nothing moves any more, or an event was given up."""
        since, given_up, advanced = self.now(), self.activity.given_up(), 0
        signs = self.activity.signs(since)
        while True:
            found = look()
            if found is not None:
                return found
            lost = None if given_up_is_well else next(iter(self.activity.given_up() - given_up), None)
            if lost is not None:
                raise StepFailedError(f"{what} did not come: {lost}")
            before, signs = signs, self._next_signs(signs, since)
            if signs != before or self.activity.works():
                continue
            found = look()  # what was reached between the last look and the end of all work
            if found is not None:
                return found
            if not self.activity.waits() or advanced == ATTEMPTS:
                raise StepFailedError(f"{what} did not come, and nothing moves any more")
            self.twin.cloud.clock.advance(MINUTE)
            advanced += 1

    def _next_signs(self, signs: Signs, since: datetime) -> Signs:
        """The signs of life after these; these, when none comes for QUIET seconds, or for PAUSED when nothing but time is missing."""
        started = moved = time.monotonic()
        while time.monotonic() < started + QUIET and time.monotonic() < moved + PAUSED:
            time.sleep(LOOK_EVERY)
            if (now := self.activity.signs(since)) != signs:
                return now
            if not self.activity.waits_for_time():
                moved = time.monotonic()
        return signs

    def settle(self) -> None:
        """Stop what still runs, and return when nothing moves any more. Raises StepFailedError when it is tried without end."""
        if not self.comes_to_rest():
            raise StepFailedError(f"what was begun is still tried again after {LONGEST_WAIT} minutes")

    def comes_to_rest(self) -> bool:
        """Stop what still runs, and wait until nothing moves; False when something is tried without end, as a stream's batch is."""
        moved, advanced = time.monotonic(), 0
        while True:
            if self.activity.works():
                self._stop_runs()
                if self.activity.bakes():
                    self.twin.cloud.clock.advance(MINUTE)
                moved = time.monotonic()
            elif self.activity.waits():
                if advanced == LONGEST_WAIT:
                    return False
                self.twin.cloud.clock.advance(MINUTE)
                advanced, moved = advanced + 1, time.monotonic()
            elif time.monotonic() - moved >= QUIET / 2:
                return True
            time.sleep(LOOK_EVERY)

    def _stop_runs(self) -> None:
        sagemaker = self.app.sagemaker
        listed = sagemaker.list_pipeline_executions(PipelineName=self.app.prefix)["PipelineExecutionSummaries"]
        for run in (each["PipelineExecutionArn"] for each in listed if each["PipelineExecutionStatus"] == "Executing"):
            try:
                sagemaker.stop_pipeline_execution(PipelineExecutionArn=run, ClientRequestToken=f"stop-{run[-12:]}" * 2)
            except ClientError:  # not when it has ended in the meantime
                if sagemaker.describe_pipeline_execution(PipelineExecutionArn=run)["PipelineExecutionStatus"] in RUNNING:
                    raise

    def logged(self, function: str, since: datetime) -> None:
        """Wait for a line of a function's log."""
        group = {"logGroupName": f"/aws/lambda/{self.app.prefix}-{function}", "startTime": int(since.timestamp() * 1000)}
        logs = self.client("logs")
        self.reach(f"a line in the log of {function}", lambda: logs.filter_log_events(**group)["events"] or None)

    def observed(self, namespace: str, group: str, stream: str, since: datetime, **dimensions: str) -> None:
        """Wait for what SageMaker tells of a job or an endpoint, where it may: lines of a log stream (by its beginning), and metrics."""
        logs, cloudwatch, first = self.client("logs"), self.app.cloudwatch, int(since.timestamp() * 1000)
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]

        def lines() -> Any:
            try:
                found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]
            except logs.exceptions.ResourceNotFoundException:
                return None
            names = [each["logStreamName"] for each in found]
            return (names and logs.filter_log_events(logGroupName=group, logStreamNames=names, startTime=first)["events"]) or None

        def metrics() -> Any:
            span = {"StartTime": since.replace(second=0, microsecond=0), "EndTime": self.now(), "Period": 60, "Statistics": ["Maximum"]}
            asked = {"Namespace": namespace, "MetricName": "CPUUtilization", "Dimensions": named}
            return cloudwatch.get_metric_statistics(**asked, **span)["Datapoints"] or None

        self.reach(f"lines of {stream} in {group}", lines)
        self.reach(f"metrics of {stream} in {namespace}", metrics)

    def job_observed(self, job: str, since: datetime) -> None:
        """Wait for the log and the metrics of a Processing job that has ended."""
        group = "/aws/sagemaker/ProcessingJobs"
        self.observed(group, group, f"{job}/", since, Host=f"{job}/algo-1")

    def traceable(self, function: str) -> datetime:
        """Wait until a function's next request is traced, as one a second is; the twin's time then.

        docs: https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
        """
        functions = self.twin.part("functions")
        time.sleep(functions.tracer.rests(functions.find(f"{self.app.prefix}-{function}").function_arn))
        return self.now()

    def traced(self, function: str, since: datetime) -> None:
        """Wait for a trace of a function."""
        xray, name = self.client("xray"), f"{self.app.prefix}-{function}"

        def look() -> bool | None:
            ids = [each["Id"] for each in xray.get_trace_summaries(StartTime=since, EndTime=self.now())["TraceSummaries"]]
            # At most five at a time: https://docs.aws.amazon.com/xray/latest/api/API_BatchGetTraces.html
            pages = (xray.batch_get_traces(TraceIds=ids[first : first + 5])["Traces"] for first in range(0, len(ids), 5))
            segments = (segment for traces in pages for trace in traces for segment in trace["Segments"])
            return True if any(json.loads(segment["Document"])["name"] == name for segment in segments) else None

        self.reach(f"a trace of {function}", look)
