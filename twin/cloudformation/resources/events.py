"""EventBridge rules.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, HandlerError, gone, tag_list

_GONE = "ResourceNotFoundException"


class Rule(Handler):
    """Ref is the rule's name (on another bus, `bus|name`)."""

    type = "AWS::Events::Rule"
    properties = frozenset(
        {"Description", "EventBusName", "EventPattern", "Name", "RoleArn", "ScheduleExpression", "State", "Tags", "Targets"}
    )
    replacement = frozenset({"Name", "EventBusName"})
    attributes = frozenset({"Arn", "RuleName"})
    name_property = "Name"

    def create(self, call: Call) -> Created:
        name, bus = call.name("Name", 64), call.properties.get("EventBusName")
        call.begun(_ref(name, bus))
        arn = self._put(call, name, [])
        return Created(_ref(name, bus), {"Arn": arn, "RuleName": name})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = {target["Id"] for target in call.properties.get("Targets", ())}
        dropped = [target["Id"] for target in before.get("Targets", ()) if target["Id"] not in wanted]
        arn = self._put(call, physical_id.rpartition("|")[2], dropped)
        had = [tag["Key"] for tag in tag_list(before.get("Tags"))]
        if had and call.properties.get("Tags") != before.get("Tags"):
            call.client("events").untag_resource(ResourceARN=arn, TagKeys=had)
            call.client("events").tag_resource(ResourceARN=arn, Tags=tag_list(call.properties.get("Tags")))
        return {"Arn": arn, "RuleName": physical_id.rpartition("|")[2]}

    def delete(self, call: Call, physical_id: str) -> None:
        events, where = call.client("events"), _bus(call)
        name = physical_id.rpartition("|")[2]
        with gone(_GONE):
            targets = events.list_targets_by_rule(Rule=name, **where)["Targets"]
            if targets:
                events.remove_targets(Rule=name, Ids=[target["Id"] for target in targets], **where)
            events.delete_rule(Name=name, **where)

    def _put(self, call: Call, name: str, dropped: list[str]) -> str:
        events, where = call.client("events"), _bus(call)
        request = call.request("events", "PutRule", "Name", "Targets")
        arn: str = events.put_rule(Name=name, **request)["RuleArn"]
        if dropped:
            events.remove_targets(Rule=name, Ids=dropped, **where)
        if call.properties.get("Targets"):
            targets = call.request("events", "PutTargets", *(self.properties - {"Targets"}))["Targets"]
            reply = events.put_targets(Rule=name, Targets=targets, **where)
            if reply["FailedEntryCount"]:
                raise HandlerError(f"targets of {name} were refused: {reply['FailedEntries']}")
        return arn


def _bus(call: Call) -> dict[str, Any]:
    bus = call.properties.get("EventBusName")
    return {"EventBusName": bus} if bus else {}


def _ref(name: str, bus: Any) -> str:
    return name if bus in (None, "default") else f"{bus}|{name}"


HANDLERS: tuple[Handler, ...] = (Rule(),)
