"""Templates, as these tests look at them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

STACKS = ("data", "training", "endpoint", "serving", "control")  # in the order of their deployment


class Template:
    """One synthesised template."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body
        self.resources: Mapping[str, Any] = body["Resources"]

    def of(self, kind: str) -> dict[str, Any]:
        """Logical id -> resource, of one type, such as S3::Bucket."""
        return {name: resource for name, resource in self.resources.items() if resource["Type"] == f"AWS::{kind}"}

    def only(self, kind: str) -> dict[str, Any]:
        """The properties of the one resource of a type."""
        (resource,) = self.of(kind).values()
        properties: dict[str, Any] = resource["Properties"]
        return properties

    def statements(self, role: str) -> list[dict[str, Any]]:
        """The statements of the role whose logical id begins with `role`."""
        (found,) = (resource for name, resource in self.of("IAM::Role").items() if name.startswith(role))
        return [statement for policy in found["Properties"]["Policies"] for statement in policy["PolicyDocument"]["Statement"]]


def as_list(value: Any) -> list[Any]:
    """What IAM lets be one or many."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """A value with its intrinsic functions, as text to look into."""
    return json.dumps(value, sort_keys=True)


def imports(value: Any) -> Iterator[str]:
    """Every export that a template imports."""
    if isinstance(value, Mapping):
        if "Fn::ImportValue" in value:
            yield value["Fn::ImportValue"]
        for item in value.values():
            yield from imports(item)
    elif isinstance(value, list):
        for item in value:
            yield from imports(item)
