"""SSM parameters.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-parameter.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, gone, tag_map


class Parameter(Handler):
    """Ref is the parameter's name."""

    type = "AWS::SSM::Parameter"
    properties = frozenset({"AllowedPattern", "DataType", "Description", "Name", "Policies", "Tags", "Tier", "Type", "Value"})
    required = frozenset({"Type", "Value"})
    replacement = frozenset({"Name"})
    attributes = frozenset({"Type", "Value"})
    name_property = "Name"

    def create(self, call: Call) -> Created:
        name = call.name("Name", 1011)
        tags = [{"Key": key, "Value": value} for key, value in tag_map(call.properties.get("Tags")).items()]
        call.client("ssm").put_parameter(Name=name, Overwrite=False, Tags=tags, **call.request("ssm", "PutParameter", "Name", "Tags"))
        return Created(name, self._known(call))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        ssm = call.client("ssm")
        ssm.put_parameter(Name=physical_id, Overwrite=True, **call.request("ssm", "PutParameter", "Name", "Tags"))
        had, wanted = tag_map(before.get("Tags")), tag_map(call.properties.get("Tags"))
        if had != wanted:
            ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=physical_id, TagKeys=list(had))
            tags = [{"Key": key, "Value": value} for key, value in wanted.items()]
            ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=physical_id, Tags=tags)
        return self._known(call)

    def delete(self, call: Call, physical_id: str) -> None:
        with gone("ParameterNotFound"):
            call.client("ssm").delete_parameter(Name=physical_id)

    def _known(self, call: Call) -> Mapping[str, Any]:
        return {"Type": call.properties["Type"], "Value": call.properties["Value"]}


HANDLERS: tuple[Handler, ...] = (Parameter(),)
