"""CloudWatch alarms and dashboards.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, gone
from twin.cloudformation.shapes import as_text


class Alarm(Handler):
    """Ref is the alarm's name."""

    type = "AWS::CloudWatch::Alarm"
    properties = frozenset(
        {
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluateLowSampleCountPercentile",
            "EvaluationPeriods",
            "ExtendedStatistic",
            "InsufficientDataActions",
            "MetricName",
            "Metrics",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Tags",
            "Threshold",
            "ThresholdMetricId",
            "TreatMissingData",
            "Unit",
        }
    )
    required = frozenset({"ComparisonOperator", "EvaluationPeriods"})
    replacement = frozenset({"AlarmName"})
    attributes = frozenset({"Arn"})
    name_property = "AlarmName"

    def create(self, call: Call) -> Created:
        name = call.name("AlarmName", 255)
        return Created(name, self._put(call, name))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._put(call, physical_id)

    def delete(self, call: Call, physical_id: str) -> None:
        with gone("ResourceNotFound"):
            call.client("cloudwatch").delete_alarms(AlarmNames=[physical_id])

    def _put(self, call: Call, name: str) -> Mapping[str, Any]:
        call.client("cloudwatch").put_metric_alarm(AlarmName=name, **call.request("cloudwatch", "PutMetricAlarm", "AlarmName"))
        return {"Arn": call.account.arn("cloudwatch", f"alarm:{name}")}


class Dashboard(Handler):
    """Ref is the dashboard's name."""

    type = "AWS::CloudWatch::Dashboard"
    properties = frozenset({"DashboardBody", "DashboardName"})
    required = frozenset({"DashboardBody"})
    replacement = frozenset({"DashboardName"})
    name_property = "DashboardName"

    def create(self, call: Call) -> Created:
        name = call.name("DashboardName", 255)
        self.update(call, name, {})
        return Created(name)

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        call.client("cloudwatch").put_dashboard(DashboardName=physical_id, DashboardBody=as_text(call.properties["DashboardBody"]))
        return {}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone("ResourceNotFound", "DashboardNotFoundError"):
            call.client("cloudwatch").delete_dashboards(DashboardNames=[physical_id])


HANDLERS: tuple[Handler, ...] = (Alarm(), Dashboard())
