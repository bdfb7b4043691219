"""The schedule and the alarms of windows: each window is looked at once, and AWS takes the alarms."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from contracts.config import parse_config
from lambdas.start_monitoring.logic import last_window
from stacks.constructs.monitoring import window_alarms, window_ends
from stacks.project import Project
from twin.events.expressions import fires

HOURS = (1, 2, 3, 4, 6, 8, 12, 24)
MIDNIGHT = datetime(2026, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize("hours", HOURS)
def test_every_window_is_looked_at_once_soon_after_its_end(hours: int) -> None:
    moments = list(fires(window_ends(hours), "UTC", MIDNIGHT, MIDNIGHT, MIDNIGHT + timedelta(days=2)))
    ends = [last_window(moment, hours)[1] for moment in moments]
    assert ends == [MIDNIGHT + timedelta(hours=hours * number) for number in range(48 // hours)]
    assert all(moment - end == timedelta(minutes=10) for moment, end in zip(moments, ends, strict=True))


def _alarms(**monitoring: Any) -> list[dict[str, Any]]:
    data = {"dataset": "d", "target": "t", "problem": "regression", "features": {"x": "numeric"}}
    stack = cdk.Stack(cdk.App(), "Stack")
    project = Project(parse_config({"project": "flowers", "data": data, "monitoring": monitoring}), Path())
    window_alarms(stack, project, sns.Topic(stack, "Topic"))
    found = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    return [alarm["Properties"] for alarm in found.values()]


@pytest.mark.parametrize("hours", HOURS)
@pytest.mark.parametrize("windows", [1, 7])
def test_alarms_look_at_m_of_n_windows_within_cloudwatchs_limits(hours: int, windows: int) -> None:
    drift, quality = _alarms(window_hours=hours, alarm={"needed": 1, "windows": windows})
    assert (drift["AlarmName"], quality["AlarmName"]) == ("flowers-dev-drift", "flowers-dev-quality")
    assert (drift["MetricName"], quality["MetricName"]) == ("drift", "quality_fell")
    for alarm in (drift, quality):
        assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"], alarm["Period"]) == (1, windows, hours * 3600)
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        assert alarm["Period"] <= 86_400
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= 604_800
        assert alarm["TreatMissingData"] == "ignore"  # a window that could not be judged changes nothing
        assert alarm["Dimensions"] == [{"Name": "Endpoint", "Value": "flowers-dev"}]
