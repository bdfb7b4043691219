"""What an alarm tells: the detail of its event, and the message that its actions send.

Source: CloudWatch user guide, cloudwatch-and-eventbridge (event), AlarmThatSendsEmail (notification).
"""

import json
from datetime import datetime
from typing import Any

from moto.cloudwatch.exceptions import CloudWatchException


def metric_stat(alarm: dict[str, Any]) -> dict[str, Any]:
    """The MetricStat of an alarm on one metric. Raises ValidationError."""
    missing = [key for key in ("Namespace", "MetricName", "Period") if not alarm.get(key)]
    stat = alarm.get("Statistic") or alarm.get("ExtendedStatistic")
    if missing or not stat:
        raise CloudWatchException(
            "ValidationError", f"An alarm on one metric needs {', '.join(missing) or 'Statistic or ExtendedStatistic'}."
        )
    metric = {"Namespace": alarm["Namespace"], "MetricName": alarm["MetricName"], "Dimensions": alarm.get("Dimensions") or []}
    return {"Metric": metric, "Period": alarm["Period"], "Stat": stat, "Unit": alarm.get("Unit")}


def detail(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The detail of "CloudWatch Alarm State Change"."""
    queries = new.get("Metrics") or [{"Id": "m1", "MetricStat": metric_stat(new), "ReturnData": True}]
    return {
        "alarmName": new["AlarmName"],
        "state": _state(new),
        "previousState": _state(old),
        "configuration": {"description": new.get("AlarmDescription", ""), "metrics": [_query(query) for query in queries]},
    }


def _state(alarm: dict[str, Any]) -> dict[str, Any]:
    state = {"value": alarm["StateValue"], "reason": alarm["StateReason"], "timestamp": _stamp(alarm["StateUpdatedTimestamp"])}
    return state | ({"reasonData": alarm["StateReasonData"]} if "StateReasonData" in alarm else {})


def _query(query: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if query.get("Expression"):
        return shown | {"expression": query["Expression"]}
    stat = query["MetricStat"]
    dimensions = {each["Name"]: each["Value"] for each in stat["Metric"].get("Dimensions") or ()}
    metric = {"namespace": stat["Metric"]["Namespace"], "name": stat["Metric"]["MetricName"], "dimensions": dimensions}
    return shown | {"metricStat": {"metric": metric, "period": stat["Period"], "stat": stat["Stat"]}}


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def message(alarm: dict[str, Any], account: str, region: str) -> str:
    """What an SNS topic gets."""
    return json.dumps(
        {
            "AlarmName": alarm["AlarmName"],
            "AlarmDescription": alarm.get("AlarmDescription"),
            "AWSAccountId": account,
            "NewStateValue": alarm["StateValue"],
            "NewStateReason": alarm["StateReason"],
            "StateChangeTime": _stamp(alarm["StateUpdatedTimestamp"]),
            "Region": region,
            "AlarmArn": alarm["AlarmArn"],
        }
    )
