"""CloudWatch alarms, really evaluated, on the twin's clock.

A thread looks at every alarm EVERY twin seconds; `twin.alarm_rules` decides from the metric store. A state change is written to the
alarm's history, published as "CloudWatch Alarm State Change", and runs the actions of the new state (SNS topics; any other action is
refused when the alarm is put). SetAlarmState does the same, until the next evaluation, as on AWS.

Sources: CloudWatch user guide, AlarmThatSendsEmail and alarm-evaluation, cloudwatch-and-eventbridge (event shape); API_PutMetricAlarm;
Amazon SNS developer guide, sns-access-policy-use-cases (an alarm publishes where the topic and its key let CloudWatch).
Modelled: evaluation is at minute resolution; metric math as in twin.metric_math; composite alarms and anomaly detection are refused.
"""

import json
import logging
import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from moto.cloudwatch.exceptions import CloudWatchException
from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse

from twin import alarm_events, alarm_rules, metric_math, patches
from twin.cloud import Cloud
from twin.iam.services import check_topic
from twin.metrics import MINUTE, Metrics, check_period, check_statistic
from twin.sagemaker import api

log = logging.getLogger(__name__)

EVERY = 10.0
STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
HISTORY = 1000
_ACTIONS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
_REFUSED = ("ThresholdMetricId", "EvaluateLowSampleCountPercentile")


class Alarms:
    """The part: alarms by name, in DescribeAlarms' shape, and the thread that evaluates them."""

    def __init__(self, cloud: Cloud, metrics: Metrics) -> None:
        self._cloud = cloud
        self._metrics = metrics
        self._alarms: dict[str, dict[str, Any]] = {}
        self._history: list[dict[str, Any]] = []
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)

    def start(self) -> None:
        """Begin to evaluate."""
        self._thread.start()

    def stop(self) -> None:
        """Evaluate no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def put_metric_alarm(self, request: api.Request) -> api.Reply:
        """PutMetricAlarm: a new alarm has INSUFFICIENT_DATA; a changed one keeps its state until it is evaluated."""
        _check(request)
        name, now = request["AlarmName"], self._cloud.clock.now()
        arn = f"arn:aws:cloudwatch:{self._cloud.region}:{self._cloud.account}:alarm:{name}"
        record = {key: value for key, value in request.items() if key != "Tags"}
        record = {"ActionsEnabled": True, "OKActions": [], "AlarmActions": [], "InsufficientDataActions": [], "Dimensions": []} | record
        record |= {"AlarmArn": arn, "AlarmConfigurationUpdatedTimestamp": now}
        state = {
            "StateValue": "INSUFFICIENT_DATA",
            "StateReason": "Unchecked: Initial alarm creation",
            "StateUpdatedTimestamp": now,
            "StateTransitionedTimestamp": now,
        }
        with self._lock:
            kept = {key: value for key, value in self._alarms.get(name, {}).items() if key.startswith("State")}
            self._alarms[name] = state | {key: value for key, value in kept.items() if key != "Statistic"} | record
        if request.get("Tags"):
            cloudwatch_backends[self._cloud.account][self._cloud.region].tagger.tag_resource(arn, request["Tags"])
        return {}

    def describe_alarms(self, request: api.Request) -> api.Reply:
        """DescribeAlarms, by names, prefix, state or action prefix."""
        names, prefix = request.get("AlarmNames"), request.get("AlarmNamePrefix") or ""
        state, action = request.get("StateValue"), request.get("ActionPrefix") or ""
        wants = request.get("AlarmTypes") or ["MetricAlarm"]
        found = [
            alarm
            for name, alarm in self._snapshot()
            if (names is None or name in names) and name.startswith(prefix) and state in {None, alarm["StateValue"]}
            if not action or any(each.startswith(action) for each in alarm["AlarmActions"])
        ]
        return {"CompositeAlarms": []} | api.page(
            {"NextToken": request.get("NextToken"), "MaxResults": request.get("MaxRecords")},
            "MetricAlarms",
            found if "MetricAlarm" in wants else [],
        )

    def describe_alarms_for_metric(self, request: api.Request) -> api.Reply:
        """DescribeAlarmsForMetric."""
        wanted = (request["Namespace"], request["MetricName"], _pairs(request.get("Dimensions")))
        alarms = [alarm for _, alarm in self._snapshot()]
        return {"MetricAlarms": [a for a in alarms if (a.get("Namespace"), a.get("MetricName"), _pairs(a["Dimensions"])) == wanted]}

    def describe_alarm_history(self, request: api.Request) -> api.Reply:
        """DescribeAlarmHistory, the newest first."""
        name, kind = request.get("AlarmName"), request.get("HistoryItemType")
        with self._lock:
            items = [item for item in self._history if name in {None, item["AlarmName"]} and kind in {None, item["HistoryItemType"]}]
        return api.page({"NextToken": request.get("NextToken"), "MaxResults": request.get("MaxRecords")}, "AlarmHistoryItems", items[::-1])

    def delete_alarms(self, request: api.Request) -> api.Reply:
        """DeleteAlarms: all or, when one does not exist, none."""
        with self._lock:
            missing = [name for name in request["AlarmNames"] if name not in self._alarms]
            if missing:
                raise CloudWatchException("ResourceNotFound", f"Alarms {', '.join(missing)} do not exist.")
            for name in request["AlarmNames"]:
                del self._alarms[name]
        return {}

    def enable_alarm_actions(self, request: api.Request) -> api.Reply:
        """EnableAlarmActions."""
        return self._set(request["AlarmNames"], ActionsEnabled=True)

    def disable_alarm_actions(self, request: api.Request) -> api.Reply:
        """DisableAlarmActions."""
        return self._set(request["AlarmNames"], ActionsEnabled=False)

    def set_alarm_state(self, request: api.Request) -> api.Reply:
        """SetAlarmState: a state until the next evaluation, with all its consequences."""
        value = request["StateValue"]
        if value not in STATES:
            raise CloudWatchException("ValidationError", f"StateValue {value} is not one of {', '.join(STATES)}.")
        with self._lock:
            if request["AlarmName"] not in self._alarms:
                raise CloudWatchException("ResourceNotFound", f"Alarm {request['AlarmName']} does not exist.")
        self._move(request["AlarmName"], value, request["StateReason"], request.get("StateReasonData"))
        return {}

    def evaluate(self) -> None:
        """Look at every alarm once."""
        now = self._cloud.clock.now().timestamp()
        for name, alarm in self._snapshot():
            decided = self._decide(alarm, now)
            if decided.state != alarm["StateValue"]:
                self._move(name, decided.state, decided.reason, json.dumps({"version": "1.0", "recentDatapoints": decided.recent}))

    def _run(self) -> None:
        while self._cloud.clock.wait(EVERY, self._stop):
            try:
                self.evaluate()
            except Exception:
                # One bad evaluation must not end all alarms; the next one tries again.
                log.exception("the alarms could not be evaluated")

    def _decide(self, alarm: dict[str, Any], now: float) -> alarm_rules.Decision:
        rule = alarm_rules.Rule.of(alarm)
        # Only complete minutes count: services publish a minute when it is over. The window slides with the minute, not with the period.
        end = int(now // MINUTE * MINUTE)
        start = end - rule.period * rule.range
        queries = alarm.get("Metrics") or [{"Id": "m1", "MetricStat": alarm_events.metric_stat(alarm)}]
        series = metric_math.resolve(queries, lambda stat: self._metrics.windows(stat, start, end, rule.period))
        shown = next(query["Id"] for query in queries if len(queries) == 1 or query.get("ReturnData", True))
        return alarm_rules.decide(rule, [series[shown].get(at) for at in range(start, end, rule.period)], alarm["StateValue"])

    def _move(self, name: str, value: str, reason: str, data: str | None) -> None:
        now = self._cloud.clock.now()
        with self._lock:
            alarm = self._alarms.get(name)
            if alarm is None:
                return
            old = dict(alarm)
            changed = value != old["StateValue"]
            alarm |= {"StateValue": value, "StateReason": reason, "StateUpdatedTimestamp": now}
            alarm.pop("StateReasonData", None)
            if data is not None:
                alarm["StateReasonData"] = data
            if changed:
                alarm["StateTransitionedTimestamp"] = now
                self._record(
                    name,
                    now,
                    f"Alarm updated from {old['StateValue']} to {value}",
                    {"newState": {"stateValue": value, "stateReason": reason}},
                )
            new = dict(alarm)
        if changed:
            self._cloud.publish("aws.cloudwatch", "CloudWatch Alarm State Change", alarm_events.detail(old, new), [new["AlarmArn"]])
            self._act(new)

    def _act(self, alarm: dict[str, Any]) -> None:
        if not alarm["ActionsEnabled"]:
            return
        subject = f'{alarm["StateValue"]}: "{alarm["AlarmName"]}" in {self._cloud.region}'[:100]
        for topic in alarm[_ACTIONS[alarm["StateValue"]]]:
            try:
                check_topic(self._cloud, topic, "cloudwatch.amazonaws.com", alarm["AlarmArn"])
                self._cloud.client("sns").publish(
                    TopicArn=topic, Subject=subject, Message=alarm_events.message(alarm, self._cloud.account, self._cloud.region)
                )
                outcome = f"Successfully executed action {topic}"
            except Exception as error:  # noqa: BLE001 - as on AWS a failed action is told in the history, and the alarm goes on
                outcome = f"Failed to execute action {topic}: {error}"
                log.warning("alarm %s: %s", alarm["AlarmName"], outcome)
            with self._lock:
                self._record(alarm["AlarmName"], alarm["StateUpdatedTimestamp"], outcome, {"actionState": outcome}, kind="Action")

    def _record(self, name: str, moment: datetime, summary: str, data: dict[str, Any], kind: str = "StateUpdate") -> None:
        item = {"AlarmName": name, "AlarmType": "MetricAlarm", "Timestamp": moment, "HistoryItemType": kind}
        self._history.append(item | {"HistorySummary": summary, "HistoryData": json.dumps(data)})
        del self._history[:-HISTORY]

    def _set(self, names: Iterable[str], **values: Any) -> api.Reply:
        with self._lock:
            for name in names:
                self._alarms.get(name, {}).update(values)
        return {}

    def _snapshot(self) -> list[tuple[str, dict[str, Any]]]:
        with self._lock:
            return [(name, dict(alarm)) for name, alarm in sorted(self._alarms.items())]


def _check(request: api.Request) -> None:
    """Stop at what cannot be evaluated or acted on."""
    for key in _REFUSED:
        if request.get(key):
            raise CloudWatchException("ValidationError", f"The twin does not evaluate {key}.")
    for action in (action for key in _ACTIONS.values() for action in request.get(key) or ()):
        if not action.startswith("arn:aws:sns:"):
            raise CloudWatchException("ValidationError", f"The twin runs only SNS topics as alarm actions, and {action} is none.")
    alarm_rules.Rule.of(request)
    if request.get("Metrics"):
        metric_math.check(request["Metrics"])
        stats = [query["MetricStat"] for query in request["Metrics"] if "MetricStat" in query]
    else:
        stats = [alarm_events.metric_stat(request)]
    for stat in stats:
        check_period(int(stat["Period"]))
        check_statistic(stat["Stat"])


def _pairs(dimensions: Iterable[dict[str, str]] | None) -> list[tuple[str, str]]:
    return sorted((each["Name"], each["Value"]) for each in dimensions or ())


def install(cloud: Cloud) -> Alarms:
    """Put the evaluated alarms behind CloudWatch's alarm operations, and start to evaluate. Needs twin.metrics installed before."""
    if not isinstance(cloud.measure, Metrics):
        raise RuntimeError("twin.alarms evaluates the store of twin.metrics. Next: install twin.metrics before it, in twin/server.py.")
    part = Alarms(cloud, cloud.measure)
    replaced = {
        "put_metric_alarm": part.put_metric_alarm,
        "describe_alarms": part.describe_alarms,
        "describe_alarms_for_metric": part.describe_alarms_for_metric,
        "delete_alarms": part.delete_alarms,
        "enable_alarm_actions": part.enable_alarm_actions,
        "disable_alarm_actions": part.disable_alarm_actions,
        "set_alarm_state": part.set_alarm_state,
    }
    why = "moto stores alarms but never evaluates them, emits no events and runs no actions"
    patches.apply(*api.patches(CloudWatchResponse, why, replaced=replaced, added={"describe_alarm_history": part.describe_alarm_history}))
    part.start()
    return part
