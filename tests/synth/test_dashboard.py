"""The CloudWatch dashboard: CloudWatch can draw it, and what it shows is this project's. That its metrics are put: see the scenarios."""

import json
from collections.abc import Mapping
from typing import Any

from tests.synth.templates import Template

PREFIX = "breast-cancer-dev"
REGION, ACCOUNT, PARTITION = "us-east-1", "123456789012", "aws"


def body(template: Template) -> dict[str, Any]:
    """The dashboard as an account gets it."""
    (parts,) = (template.only("CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"],)
    known = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": PARTITION}
    found: dict[str, Any] = json.loads("".join(part if isinstance(part, str) else known[part["Ref"]] for part in parts[1]))
    return found


def test_the_dashboard_shows_this_projects_endpoint_windows_functions_and_alarms(templates: Mapping[str, Template]) -> None:
    template = templates["control"]
    assert template.only("CloudWatch::Dashboard")["DashboardName"] == PREFIX
    widgets = body(template)["widgets"]
    lines = [line for widget in widgets if widget["type"] == "metric" for line in widget["properties"]["metrics"]]
    owners = {value for line in lines for value in line[3::2] if isinstance(value, str)}
    made = [resource for part in ("control", "serving") for resource in templates[part].of("Lambda::Function").values()]
    functions = {resource["Properties"]["FunctionName"] for resource in made}
    assert owners == {PREFIX, "AllTraffic"} | functions
    (alarms,) = (widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm")
    assert [arn.rpartition(f"alarm:{PREFIX}-")[2] for arn in alarms] == ["5xx", "latency", "refused", "drift", "quality"]
    assert alarms[0].startswith(f"arn:{PARTITION}:cloudwatch:{REGION}:{ACCOUNT}:alarm:")


def test_widgets_fill_the_page_and_lie_on_no_other(templates: Mapping[str, Template]) -> None:
    cells = [
        (x, y)
        for widget in body(templates["control"])["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(cells) == len(set(cells)) == 24 * (max(y for _, y in cells) + 1)
