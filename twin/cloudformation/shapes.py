"""From CloudFormation's properties to an API's request, along botocore's model of the API.

Most resource types repeat the input of an API call, with other capitals and with numbers and booleans that may be strings. Walking both
together keeps the handlers short and finds every nested property that the API does not have.
docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from moto.core.utils import get_service_model

from twin.cloudformation.errors import ValidationError


def request(service: str, operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The input of `service`'s `operation`. Raises ValidationError for a property or value that does not fit, with its path."""
    shape = _operation(service, operation).input_shape
    converted: dict[str, Any] = convert(shape, dict(properties), operation)
    return converted


def convert(shape: Shape | None, value: Any, path: str) -> Any:
    """A value in the form of a botocore shape."""
    if isinstance(shape, StructureShape):
        return _structure(shape, value, path)
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            raise ValidationError(f"Value of property {path} must be of type List")
        return [convert(shape.member, item, f"{path}/{index}") for index, item in enumerate(value)]
    if isinstance(shape, MapShape):
        if not isinstance(value, Mapping):
            raise ValidationError(f"Value of property {path} must be an object")
        return {key: convert(shape.value, item, f"{path}/{key}") for key, item in value.items()}
    return _scalar(shape.type_name if shape is not None else "string", value, path)


def _structure(shape: StructureShape, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValidationError(f"Value of property {path} must be an object")
    members = {name.lower(): name for name in shape.members}
    if unknown := [key for key in value if key.lower() not in members]:
        raise ValidationError(f"extraneous key [{', '.join(unknown)}] is not permitted in {path}")
    return {members[key.lower()]: convert(shape.members[members[key.lower()]], item, f"{path}/{key}") for key, item in value.items()}


def _scalar(kind: str, value: Any, path: str) -> Any:
    try:
        if kind in {"integer", "long"}:
            return int(value)
        if kind in {"float", "double"}:
            return float(value)
    except (TypeError, ValueError):
        raise ValidationError(f"Value of property {path} must be a number, and is {value!r}") from None
    if kind == "boolean":
        return as_bool(value, path)
    if kind == "string":
        return as_text(value)
    return value


def as_bool(value: Any, path: str = "value") -> bool:
    """True or false, also as CloudFormation's strings."""
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise ValidationError(f"Value of property {path} must be of type Boolean, and is {value!r}")


def as_text(value: Any) -> str:
    """A string; an object becomes its JSON, as for policy documents."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


@cache
def _operation(service: str, operation: str) -> OperationModel:
    found: OperationModel = get_service_model(service).operation_model(operation)
    return found
