"""The CloudFormation API: moto's front (routing, parsing, botocore-shaped replies) with this package's engine behind it.

moto's own operations are all replaced or refused: its engine skips what it does not know, which is kinder than AWS.
Replies come in one page (AWS pages after 1 MB; modelled).
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores

from twin.cloud import Credentials
from twin.cloudformation.changes import ChangeSets
from twin.cloudformation.engine import Engine
from twin.cloudformation.errors import ValidationError
from twin.patches import ABSENT, Patch

Operation = Callable[[Engine, Mapping[str, Any], Credentials], Any]
ChangeSetOperation = Callable[[ChangeSets, Mapping[str, Any], Credentials], Any]
Target = TypeVar("Target", Engine, ChangeSets)
CallerOf = Callable[[str], Credentials]
"""Access key -> the caller's credentials."""

WHY = "moto's engine skips unknown resources and properties, and cannot update or roll back; twin.cloudformation replaces it"
OPERATION = "(self) -> moto.core.responses.ActionResult"
"""The signature of moto's operations."""


def create_stack(engine: Engine, request: Mapping[str, Any], caller: Credentials) -> Any:
    return {"StackId": engine.create(request, caller).stack_id}


def update_stack(engine: Engine, request: Mapping[str, Any], caller: Credentials) -> Any:
    return {"StackId": engine.update(request, caller).stack_id}


def delete_stack(engine: Engine, request: Mapping[str, Any], caller: Credentials) -> Any:
    engine.delete(request, caller)


def update_termination_protection(engine: Engine, request: Mapping[str, Any], _: Credentials) -> Any:
    return {"StackId": engine.protect(request["StackName"], protected=bool(request["EnableTerminationProtection"])).stack_id}


def describe_stacks(engine: Engine, request: Mapping[str, Any], _: Credentials) -> Any:
    named = request.get("StackName")
    stacks = [engine.find(named)] if named else [stack for stack in engine.stacks() if not stack.is_gone]
    return {"Stacks": [stack.described() for stack in stacks]}


def list_stacks(engine: Engine, request: Mapping[str, Any], _: Credentials) -> Any:
    wanted = set(request.get("StackStatusFilter", ()))
    return {"StackSummaries": [stack.summary() for stack in engine.stacks() if not wanted or stack.status.name in wanted]}


def describe_stack_events(engine: Engine, request: Mapping[str, Any], _: Credentials) -> Any:
    return {"StackEvents": engine.find(_required(request, "StackName")).described_events()}


def describe_stack_resources(engine: Engine, request: Mapping[str, Any], _: Credentials) -> Any:
    name = request.get("StackName") or _owner_of(engine, request.get("PhysicalResourceId", ""))
    resources = engine.find(name).described_resources()
    wanted = request.get("LogicalResourceId")
    return {"StackResources": [resource for resource in resources if wanted in (None, resource["LogicalResourceId"])]}


def describe_stack_resource(engine: Engine, request: Mapping[str, Any], _: Credentials) -> Any:
    stack, logical_id = engine.find(request["StackName"]), request["LogicalResourceId"]
    for resource in stack.described_resources():
        if resource["LogicalResourceId"] == logical_id:
            return {"StackResourceDetail": resource | {"LastUpdatedTimestamp": resource["Timestamp"]}}
    raise ValidationError(f"Resource {logical_id} does not exist for stack {stack.name}")


def list_stack_resources(engine: Engine, request: Mapping[str, Any], _: Credentials) -> Any:
    resources = engine.find(request["StackName"]).described_resources()
    return {"StackResourceSummaries": [resource | {"LastUpdatedTimestamp": resource["Timestamp"]} for resource in resources]}


def get_template(engine: Engine, request: Mapping[str, Any], _: Credentials) -> Any:
    body = engine.find(_required(request, "StackName")).desired.template.body
    return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}


def get_template_summary(engine: Engine, request: Mapping[str, Any], caller: Credentials) -> Any:
    template = engine.template_of(request, caller)
    return {
        "Parameters": _declared(template.parameters, "ParameterType"),
        "Description": template.description,
        "Capabilities": list(template.capabilities),
        "ResourceTypes": sorted({resource.type for resource in template.resources.values()}),
        "DeclaredTransforms": [],
    }


def validate_template(engine: Engine, request: Mapping[str, Any], caller: Credentials) -> Any:
    template = engine.template_of(request, caller)
    return {
        "Parameters": _declared(template.parameters, None),
        "Description": template.description,
        "Capabilities": list(template.capabilities),
    }


def list_exports(engine: Engine, _request: Mapping[str, Any], _: Credentials) -> Any:
    return {
        "Exports": [{"ExportingStackId": stack.stack_id, "Name": name, "Value": value} for name, (value, stack) in engine.exports().items()]
    }


def list_imports(engine: Engine, request: Mapping[str, Any], _: Credentials) -> Any:
    importers = engine.importers(request["ExportName"])
    if not importers:
        raise ValidationError(f"Export '{request['ExportName']}' is not imported by any stack.")
    return {"Imports": importers}


def create_change_set(change_sets: ChangeSets, request: Mapping[str, Any], caller: Credentials) -> Any:
    made = change_sets.create(request, caller)
    return {"Id": made.arn, "StackId": made.stack.stack_id}


def describe_change_set(change_sets: ChangeSets, request: Mapping[str, Any], _: Credentials) -> Any:
    return change_sets.find(request).described()


def execute_change_set(change_sets: ChangeSets, request: Mapping[str, Any], _: Credentials) -> Any:
    change_sets.execute(request)
    return {}


def delete_change_set(change_sets: ChangeSets, request: Mapping[str, Any], _: Credentials) -> Any:
    change_sets.delete(request)
    return {}


def list_change_sets(change_sets: ChangeSets, request: Mapping[str, Any], _: Credentials) -> Any:
    return {"Summaries": [each.summary() for each in change_sets.of_stack(request["StackName"])]}


CHANGE_SET_OPERATIONS: tuple[ChangeSetOperation, ...] = (
    create_change_set,
    describe_change_set,
    execute_change_set,
    delete_change_set,
    list_change_sets,
)
OPERATIONS: tuple[Operation, ...] = (
    create_stack,
    update_stack,
    delete_stack,
    update_termination_protection,
    describe_stacks,
    list_stacks,
    describe_stack_events,
    describe_stack_resources,
    describe_stack_resource,
    list_stack_resources,
    get_template,
    get_template_summary,
    validate_template,
    list_exports,
    list_imports,
)


def patches(engine: Engine, change_sets: ChangeSets, caller_of: CallerOf) -> list[Patch]:
    """Every operation of the engine on moto's front, and a refusal in place of every other operation that moto has."""
    ours = {operation.__name__: _method(operation, engine, caller_of) for operation in OPERATIONS}
    ours |= {operation.__name__: _method(operation, change_sets, caller_of) for operation in CHANGE_SET_OPERATIONS}
    refused = {name: _refusal for name in _moto_operations() if name not in ours}
    return [
        Patch(CloudFormationResponse, name, method, OPERATION if name in _moto_operations() else ABSENT, WHY)
        for name, method in (ours | refused).items()
    ]


def _method(
    operation: Callable[[Target, Mapping[str, Any], Credentials], Any], target: Target, caller_of: CallerOf
) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        result = operation(target, self.params, caller_of(_access_key(self.headers)))
        return EmptyResult() if result is None else ActionResult(result)

    method.__name__ = operation.__name__
    return method


def _access_key(headers: Mapping[str, str]) -> str:
    """Whose signature the request carries. (moto's own reading knows only keys of twenty characters.)"""
    return headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]


def _refusal(self: Any) -> Any:
    raise NotImplementedError(f"{camelcase_to_underscores(self._get_action())} is not an operation of twin.cloudformation")


def _moto_operations() -> set[str]:
    """The operations that moto implements itself: public methods of its own class that answer an ActionResult."""
    return {
        name
        for name, method in vars(CloudFormationResponse).items()
        if inspect.isfunction(method) and not name.startswith("_") and str(inspect.signature(method)) == OPERATION
    }


def _declared(parameters: Mapping[str, Mapping[str, Any]], type_key: str | None) -> list[dict[str, Any]]:
    return [
        {"ParameterKey": key, "NoEcho": bool(declaration.get("NoEcho")), "Description": declaration.get("Description", "")}
        | ({"DefaultValue": str(declaration["Default"])} if "Default" in declaration else {})
        | ({type_key: declaration["Type"]} if type_key else {})
        for key, declaration in parameters.items()
    ]


def _owner_of(engine: Engine, physical_id: str) -> str:
    for stack in engine.stacks():
        if any(made.physical_id == physical_id for made in stack.made.values()):
            return stack.stack_id
    raise ValidationError(f"Stack for {physical_id} does not exist")


def _required(request: Mapping[str, Any], key: str) -> str:
    if key not in request:
        raise ValidationError(f"1 validation error detected: Value null at '{key}' failed to satisfy constraint: Member must not be null")
    return str(request[key])
