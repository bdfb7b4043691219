"""The dashboard: what the endpoint does, what monitoring found, and what the functions do. Each metric in it is one that something puts.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from contracts.monitoring import DRIFT_ALARM, DRIFTED, ENDPOINT_DIMENSION, NAMESPACE, QUALITY, QUALITY_ALARM, ROWS, UNREADABLE, VIOLATED
from stacks.names import VARIANT, refused_alarm_name, rollback_alarm_names, window_alarm_names
from stacks.project import Project

WIDTH, HEIGHT, COLUMNS = 8, 6, 3  # of 24 units
MINUTE = 60

Lines = list[list[Any]]


def dashboard(scope: cdk.Stack, project: Project, functions: Sequence[str]) -> cloudwatch.CfnDashboard:
    """`<prefix>`: a row of the endpoint, one of the windows, one of these functions, and the alarms."""
    windows = project.config.monitoring.window_hours * 60 * MINUTE
    charts = [
        ("Invocations", _of_endpoint(project, "Invocations"), MINUTE, "Sum"),
        ("Latency: model, and SageMaker's share (microseconds)", _latencies(project), MINUTE, "p95"),
        ("Errors", _of_endpoint(project, "Invocation4XXErrors", "Invocation5XXErrors"), MINUTE, "Sum"),
        ("Drift, by window", _of_windows(project, DRIFT_ALARM, DRIFTED, VIOLATED), windows, "Maximum"),
        ("Quality, by window", _of_windows(project, QUALITY_ALARM, f"{QUALITY}{project.config.metric}"), windows, "Maximum"),
        ("Captured rows, by window", _of_windows(project, ROWS, UNREADABLE), windows, "Maximum"),
        ("Functions: invocations", _of_functions(functions, "Invocations"), 5 * MINUTE, "Sum"),
        ("Functions: errors", _of_functions(functions, "Errors"), 5 * MINUTE, "Sum"),
        ("Functions: duration (milliseconds)", _of_functions(functions, "Duration"), 5 * MINUTE, "p95"),
    ]
    widgets = [_chart(number, *chart) for number, chart in enumerate(charts)]
    alarms = [*rollback_alarm_names(project), refused_alarm_name(project), *window_alarm_names(project)]
    arns = [scope.format_arn(service="cloudwatch", resource="alarm", resource_name=name, arn_format=_COLON) for name in alarms]
    place = {"x": 0, "y": HEIGHT * len(charts) // COLUMNS, "width": WIDTH * COLUMNS, "height": 3}
    widgets.append({"type": "alarm", **place, "properties": {"title": "Alarms", "alarms": arns}})
    body = {"start": "-PT24H", "periodOverride": "inherit", "widgets": widgets}
    return cloudwatch.CfnDashboard(scope, "Dashboard", dashboard_name=project.prefix, dashboard_body=scope.to_json_string(body))


_COLON = cdk.ArnFormat.COLON_RESOURCE_NAME


def _chart(number: int, title: str, lines: Lines, period: int, statistic: str) -> dict[str, Any]:
    place = {"x": number % COLUMNS * WIDTH, "y": number // COLUMNS * HEIGHT, "width": WIDTH, "height": HEIGHT}
    shown = {"title": title, "view": "timeSeries", "region": cdk.Aws.REGION, "period": period, "stat": statistic, "metrics": lines}
    return {"type": "metric", **place, "properties": shown}


def _of_endpoint(project: Project, *metrics: str) -> Lines:
    return [["AWS/SageMaker", metric, "EndpointName", project.prefix, "VariantName", VARIANT] for metric in metrics]


def _latencies(project: Project) -> Lines:
    (model, overhead) = _of_endpoint(project, "ModelLatency", "OverheadLatency")
    return [[*model, {"stat": "p50", "label": "model p50"}], [*model, {"stat": "p95", "label": "model p95"}], [*overhead, {"stat": "p95"}]]


def _of_windows(project: Project, *metrics: str) -> Lines:
    return [[NAMESPACE, metric, ENDPOINT_DIMENSION, project.prefix] for metric in metrics]


def _of_functions(functions: Sequence[str], metric: str) -> Lines:
    return [["AWS/Lambda", metric, "FunctionName", name, {"label": name}] for name in functions]
