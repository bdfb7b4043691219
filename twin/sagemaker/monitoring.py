"""Monitoring schedules: Model Monitor's cron, on the twin's clock.

Sources: API_CreateMonitoringSchedule, API_ScheduleConfig (hours only: every hour, daily, or every n hours), API_ListMonitoringExecutions.
twin.sagemaker.monitoring_runs makes a processing job of each execution. Refused by name: NOW, a schedule without an expression, every n
hours with an n that does not divide 24 or from an hour not below n, a definition inside the schedule, bias and explainability. Modelled:
an execution begins START_DELAY after its scheduled hour (AWS says within 20 minutes) and looks at the time since the one before; a
schedule is Scheduled at once, where AWS shows Pending first; hours that passed while it was stopped are not made up for.
"""

import logging
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from moto.sagemaker.exceptions import SagemakerClientError

from twin.events.expressions import fires
from twin.sagemaker import api
from twin.sagemaker.context import Context
from twin.sagemaker.job_definitions import KINDS, Definition, JobDefinitions
from twin.sagemaker.monitoring_runs import Execution, MonitoringRuns, NoDataError
from twin.sagemaker.processing import ProcessingJobs
from twin.sagemaker.storage import TransferError

log = logging.getLogger(__name__)

POLL = 0.1
START_DELAY = timedelta(minutes=10)
VIOLATED = "CompletedWithViolations"
_CRON = re.compile(r"cron\(0 (?:(\*)|([01]?\d|2[0-3])(?:/([1-9]|1\d|2[0-4]))?) \? \* \* \*\)")
_ENDED = frozenset({"Completed", "Failed", "Stopped"})
_SUMMARY = ("MonitoringScheduleName", "MonitoringScheduleArn", "CreationTime", "LastModifiedTime", "MonitoringScheduleStatus")
_USED = ("EndpointName", "MonitoringJobDefinitionName", "MonitoringType")


@dataclass
class Schedule:
    """A schedule's record in Describe's shape, its executions, and up to when its hours have been looked at."""

    record: api.Reply
    looked: datetime
    executions: list[api.Reply] = field(default_factory=list)

    @property
    def config(self) -> dict[str, Any]:
        """MonitoringScheduleConfig."""
        found: dict[str, Any] = self.record["MonitoringScheduleConfig"]
        return found

    @property
    def expression(self) -> str:
        """Its cron expression."""
        return str(self.config["ScheduleConfig"]["ScheduleExpression"])

    def due(self, until: datetime) -> list[datetime]:
        """The scheduled hours that have come since the last look; none of the time in which it was stopped."""
        since, self.looked = self.looked, max(until, self.looked)
        if self.record["MonitoringScheduleStatus"] != "Scheduled":
            return []
        return list(fires(self.expression, "UTC", since, since, until))


def interval(expression: str) -> timedelta:
    """The time between two executions. Raises ValidationException for what is no schedule of hours."""
    found = _CRON.fullmatch(expression)
    every, first, hours = found.groups() if found else (None, None, None)
    step = 1 if every else int(hours or 24)
    if found is None or 24 % step or int(first or 0) >= step:
        raise api.invalid(
            f"{expression!r} is no schedule of hours that the twin knows. "
            "Next: write cron(0 * ? * * *), cron(0 6 ? * * *) or cron(0 0/6 ? * * *)."
        )
    return timedelta(hours=step)


class Schedules:
    """Monitoring schedules by name, and the thread that watches the clock."""

    def __init__(self, context: Context, definitions: JobDefinitions, runs: MonitoringRuns, processing: ProcessingJobs) -> None:
        self._context = context
        self._definitions = definitions
        self._runs = runs
        self._processing = processing
        self._schedules: dict[str, Schedule] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="monitoring-schedules", daemon=True)
        definitions.used = self._user

    def added(self) -> dict[str, api.Operation]:
        """Operations that moto lacks."""
        return {
            "create_monitoring_schedule": self.create,
            "update_monitoring_schedule": self.update,
            "describe_monitoring_schedule": self.describe,
            "delete_monitoring_schedule": self.delete,
            "list_monitoring_schedules": self.list_all,
            "start_monitoring_schedule": lambda request: self._set(request, "Scheduled"),
            "stop_monitoring_schedule": lambda request: self._set(request, "Stopped"),
            "list_monitoring_executions": self.list_executions,
        }

    def start(self) -> None:
        """Begin to watch the clock."""
        self._thread.start()

    def close(self) -> None:
        """Start nothing more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def create(self, request: api.Request) -> api.Reply:
        """CreateMonitoringSchedule."""
        api.refuse_unknown(request, ("MonitoringScheduleName", "MonitoringScheduleConfig", "Tags"), "CreateMonitoringSchedule")
        name, now = request["MonitoringScheduleName"], self._context.now()
        arn = self._context.arn("monitoring-schedule", name)
        record = {
            "MonitoringScheduleName": name,
            "MonitoringScheduleArn": arn,
            "MonitoringScheduleStatus": "Scheduled",
            "CreationTime": now,
        } | self._configured(request)
        with self._lock:
            if name in self._schedules:
                raise api.in_use(f"Monitoring schedule {arn} already exists.")
            self._schedules[name] = Schedule(record, now)
        self._context.tag(arn, request.get("Tags"))
        return {"MonitoringScheduleArn": arn}

    def update(self, request: api.Request) -> api.Reply:
        """UpdateMonitoringSchedule: the whole configuration anew."""
        api.refuse_unknown(request, ("MonitoringScheduleName", "MonitoringScheduleConfig"), "UpdateMonitoringSchedule")
        schedule = self._find(request)
        schedule.record |= self._configured(request)
        return {"MonitoringScheduleArn": schedule.record["MonitoringScheduleArn"]}

    def describe(self, request: api.Request) -> api.Reply:
        """DescribeMonitoringSchedule."""
        schedule = self._find(request)
        last = {"LastMonitoringExecutionSummary": schedule.executions[-1]} if schedule.executions else {}
        return schedule.record | last

    def delete(self, request: api.Request) -> api.Reply:
        """DeleteMonitoringSchedule."""
        schedule = self._find(request)
        with self._lock:
            del self._schedules[request["MonitoringScheduleName"]]
        self._context.untag(schedule.record["MonitoringScheduleArn"])
        return {}

    def list_all(self, request: api.Request) -> api.Reply:
        """ListMonitoringSchedules, by endpoint, name and status."""
        understood = ("EndpointName", "NameContains", "StatusEquals", "SortBy", "SortOrder", "NextToken", "MaxResults")
        api.refuse_unknown(request, understood, "ListMonitoringSchedules")
        found = [
            api.pick(schedule.record, (*_SUMMARY, *_USED))
            for schedule in self._all()
            if request.get("EndpointName") in {None, schedule.record["EndpointName"]}
            and request.get("StatusEquals") in {None, schedule.record["MonitoringScheduleStatus"]}
            and (request.get("NameContains") or "") in schedule.record["MonitoringScheduleName"]
        ]
        return api.page(request, "MonitoringScheduleSummaries", api.ordered(request, found))

    def list_executions(self, request: api.Request) -> api.Reply:
        """ListMonitoringExecutions, by schedule, endpoint, status and type."""
        asked = {
            "MonitoringScheduleName": "MonitoringScheduleName",
            "EndpointName": "EndpointName",
            "StatusEquals": "MonitoringExecutionStatus",
            "MonitoringTypeEquals": "MonitoringType",
            "MonitoringJobDefinitionName": "MonitoringJobDefinitionName",
        }
        api.refuse_unknown(request, (*asked, "SortBy", "SortOrder", "NextToken", "MaxResults"), "ListMonitoringExecutions")
        found = [
            dict(execution)
            for schedule in self._all()
            for execution in list(schedule.executions)
            if all(request.get(key) in {None, execution[shown]} for key, shown in asked.items())
        ]
        return api.page(request, "MonitoringExecutionSummaries", api.ordered(request, found, by="ScheduledTime"))

    def _configured(self, request: api.Request) -> api.Reply:
        """What a configuration makes of a schedule's record. Raises ValidationException, or ResourceNotFound for its definition."""
        config = request["MonitoringScheduleConfig"]
        api.refuse_unknown(config, ("ScheduleConfig", "MonitoringJobDefinitionName", "MonitoringType"), "MonitoringScheduleConfig")
        timing = config.get("ScheduleConfig") or {}
        api.refuse_unknown(timing, ["ScheduleExpression"], "ScheduleConfig")
        interval(timing.get("ScheduleExpression") or "")
        definition = self._definition(config)
        return {
            "MonitoringScheduleConfig": config,
            "MonitoringType": definition.kind.name,
            "MonitoringJobDefinitionName": definition.name,
            "EndpointName": definition.given["EndpointName"],
            "LastModifiedTime": self._context.now(),
        }

    def _definition(self, config: dict[str, Any]) -> Definition:
        kind = KINDS.get(config.get("MonitoringType") or "")
        if kind is None:
            raise api.invalid(f"The twin does not do monitoring of type {config.get('MonitoringType')}, only {' and '.join(KINDS)}.")
        return self._definitions.find(kind, config.get("MonitoringJobDefinitionName") or "")

    def _set(self, request: api.Request, status: str) -> api.Reply:
        self._find(request).record |= {"MonitoringScheduleStatus": status, "LastModifiedTime": self._context.now()}
        return {}

    def _user(self, definition: Definition) -> str | None:
        names = (s.record["MonitoringScheduleName"] for s in self._all() if self._definition(s.config) is definition)
        return next(names, None)

    def _all(self) -> list[Schedule]:
        with self._lock:
            return list(self._schedules.values())

    def _find(self, request: api.Request) -> Schedule:
        with self._lock:
            if request["MonitoringScheduleName"] not in self._schedules:
                raise api.not_found(f"Monitoring schedule {request['MonitoringScheduleName']} was not found.")
            return self._schedules[request["MonitoringScheduleName"]]

    def _watch(self) -> None:
        while not self._stopped.wait(POLL):
            try:
                self.tick()
            except Exception:
                log.exception("the ticker broke on a monitoring schedule")

    def tick(self) -> None:
        """Begin every execution that has become due: those of one schedule one after the other."""
        until = self._context.cloud.clock.now() - START_DELAY
        for schedule in self._all():
            due = [self._execution(schedule, moment) for moment in schedule.due(until)]
            if due:
                name = f"monitoring-{schedule.record['MonitoringScheduleName']}"
                threading.Thread(target=self._run, args=(due,), name=name, daemon=True).start()

    def _execution(self, schedule: Schedule, moment: datetime) -> tuple[Execution, api.Reply]:
        """An execution, and its record in the schedule."""
        definition, now = self._definition(schedule.config), self._context.now()
        start, end = definition.window(moment, interval(schedule.expression))
        name, arn = schedule.record["MonitoringScheduleName"], schedule.record["MonitoringScheduleArn"]
        record = api.pick(schedule.record, ("MonitoringScheduleName", *_USED)) | {
            "ScheduledTime": moment,
            "CreationTime": now,
            "LastModifiedTime": now,
            "MonitoringExecutionStatus": "Pending",
        }
        schedule.executions.append(record)
        return Execution(name, arn, definition, moment, start, end), record

    def _run(self, due: Iterable[tuple[Execution, api.Reply]]) -> None:
        for execution, record in due:
            if self._stopped.is_set():
                return
            try:
                self._follow(self._runs.begin(execution), record)
            except (NoDataError, TransferError, ClientError, SagemakerClientError) as error:
                log.warning("monitoring schedule %s at %s: %s", execution.schedule, execution.moment, error)
                self._note(record, "Failed", str(error))

    def _follow(self, job: str, record: api.Reply) -> None:
        """Write down what becomes of an execution's job."""
        while True:
            found = self._processing.describe({"ProcessingJobName": job})
            record["ProcessingJobArn"] = found["ProcessingJobArn"]
            if found["ProcessingJobStatus"] in _ENDED:
                violated = found["ProcessingJobStatus"] == "Completed" and (found.get("ExitMessage") or "").startswith(VIOLATED)
                return self._note(record, VIOLATED if violated else found["ProcessingJobStatus"], found.get("FailureReason"))
            self._note(record, "InProgress")
            if self._stopped.wait(POLL):
                return None

    def _note(self, record: api.Reply, status: str, reason: str | None = None) -> None:
        record |= {"MonitoringExecutionStatus": status, "LastModifiedTime": self._context.now()}
        if reason:
            record["FailureReason"] = reason[:1024]
