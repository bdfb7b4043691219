"""EventBridge Scheduler: schedules and their groups.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-scheduler-schedule.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, gone, tag_list

_GONE = "ResourceNotFoundException"


class Schedule(Handler):
    """Ref is the schedule's name."""

    type = "AWS::Scheduler::Schedule"
    properties = frozenset(
        {
            "Description",
            "EndDate",
            "FlexibleTimeWindow",
            "GroupName",
            "KmsKeyArn",
            "Name",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "StartDate",
            "State",
            "Target",
        }
    )
    required = frozenset({"FlexibleTimeWindow", "ScheduleExpression", "Target"})
    replacement = frozenset({"Name", "GroupName"})
    attributes = frozenset({"Arn"})
    name_property = "Name"

    def create(self, call: Call) -> Created:
        name = call.name("Name", 64)
        arn = call.client("scheduler").create_schedule(Name=name, **call.request("scheduler", "CreateSchedule", "Name"))["ScheduleArn"]
        return Created(name, {"Arn": arn})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        request = call.request("scheduler", "UpdateSchedule", "Name")
        return {"Arn": call.client("scheduler").update_schedule(Name=physical_id, **request)["ScheduleArn"]}

    def delete(self, call: Call, physical_id: str) -> None:
        group = call.properties.get("GroupName")
        with gone(_GONE):
            call.client("scheduler").delete_schedule(Name=physical_id, **({"GroupName": group} if group else {}))


class ScheduleGroup(Handler):
    """docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-scheduler-schedulegroup.html"""

    type = "AWS::Scheduler::ScheduleGroup"
    properties = frozenset({"Name", "Tags"})
    replacement = frozenset({"Name"})
    attributes = frozenset({"Arn"})
    name_property = "Name"

    def create(self, call: Call) -> Created:
        name = call.name("Name", 64)
        tags = tag_list(call.properties.get("Tags"))
        return Created(name, {"Arn": call.client("scheduler").create_schedule_group(Name=name, Tags=tags)["ScheduleGroupArn"]})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        arn, scheduler = call.account.arn("scheduler", f"schedule-group/{physical_id}"), call.client("scheduler")
        scheduler.untag_resource(ResourceArn=arn, TagKeys=[tag["Key"] for tag in tag_list(before.get("Tags"))])
        scheduler.tag_resource(ResourceArn=arn, Tags=tag_list(call.properties.get("Tags")))
        return {"Arn": arn}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client("scheduler").delete_schedule_group(Name=physical_id)


HANDLERS: tuple[Handler, ...] = (Schedule(), ScheduleGroup())
