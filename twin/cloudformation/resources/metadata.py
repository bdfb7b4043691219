"""AWS::CDK::Metadata: what CDK says about its own version. It makes nothing."""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler


class Metadata(Handler):
    """docs: https://docs.aws.amazon.com/cdk/v2/guide/usage-data.html"""

    type = "AWS::CDK::Metadata"
    properties = frozenset({"Analytics"})

    def create(self, call: Call) -> Created:
        return Created(call.name("Name"))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def delete(self, call: Call, physical_id: str) -> None:
        return None


HANDLERS: tuple[Handler, ...] = (Metadata(),)
