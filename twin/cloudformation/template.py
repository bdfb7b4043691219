"""A template, parsed and checked before anything is made of it.

Everything that can be wrong without looking at the account is reported here: sections, resource types, properties, intrinsic functions,
references, attributes and cycles. What the twin does not know is refused by name.
docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from twin.cloudformation.errors import ValidationError
from twin.cloudformation.intrinsics import PSEUDO, check_functions
from twin.cloudformation.references import condition_names, imports_in, references
from twin.cloudformation.resources import Handler, handler_of

SECTIONS = frozenset(
    {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions", "Resources", "Outputs"}
)
RESOURCE_KEYS = frozenset(
    {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy"}
)
REFUSED_KEYS = frozenset({"CreationPolicy", "UpdatePolicy"})
DELETION_POLICIES = frozenset({"Delete", "Retain", "RetainExceptOnCreate"})
MAX_BODY = 51_200
MAX_RESOURCES = 500


@dataclass(frozen=True)
class Resource:
    """One entry of the Resources section."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    condition: str | None
    depends_on: tuple[str, ...]
    deletion_policy: str
    replace_policy: str
    metadata: Any

    @property
    def handler(self) -> Handler:
        """What knows how to make it."""
        return handler_of(self.type)

    @cached_property
    def needs(self) -> frozenset[str]:
        """Everything that it names: resources, parameters and pseudo parameters."""
        return frozenset(reference.target for reference in references(self.properties)) | frozenset(self.depends_on)


@dataclass(frozen=True)
class Template:
    """A checked template. `body` is the text as it was given."""

    body: str
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    description: str = ""

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Logical ids, dependencies first; in the template's own order where it is free."""
        graph: TopologicalSorter[str] = TopologicalSorter()
        for resource in self.resources.values():
            graph.add(resource.logical_id, *sorted(resource.needs & self.resources.keys()))
        try:
            return tuple(graph.static_order())
        except CycleError as error:
            raise ValidationError(f"Circular dependency between resources: [{', '.join(sorted(set(error.args[1])))}]") from None

    def imports(self) -> list[Mapping[str, Any]]:
        """Every Fn::ImportValue that is asked for whatever the conditions say: those of unconditional resources, outside Fn::If."""
        found: list[Mapping[str, Any]] = []
        for resource in self.resources.values():
            if resource.condition is None:
                found.extend(imports_in(resource.properties))
        return found

    @cached_property
    def capabilities(self) -> tuple[str, ...]:
        """What the caller must acknowledge: CAPABILITY_IAM, or CAPABILITY_NAMED_IAM when an IAM resource has a name of its own."""
        handlers = [(resource, resource.handler) for resource in self.resources.values() if resource.handler.is_iam]
        if not handlers:
            return ()
        named = any(handler.name_property in resource.properties for resource, handler in handlers)
        return ("CAPABILITY_NAMED_IAM",) if named else ("CAPABILITY_IAM",)


def parse(body: str) -> Template:
    """Parse and check. Raises ValidationError with every mistake found, worded as CloudFormation words it where it has words."""
    try:
        content = json.loads(body)
    except json.JSONDecodeError as error:
        raise ValidationError(
            f"Template format error: JSON not well-formed. ({error}). The twin reads JSON templates, as cdk synth --json."
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict) or not content["Resources"]:
        raise ValidationError("Template format error: At least one Resources member must be defined.")
    if unknown := content.keys() - SECTIONS:
        raise ValidationError(f"Invalid template property or properties [{', '.join(sorted(unknown))}]")
    if len(content["Resources"]) > MAX_RESOURCES:
        raise ValidationError(
            f"Template format error: Number of resources, {len(content['Resources'])}, is greater than maximum allowed, {MAX_RESOURCES}"
        )
    template = Template(
        body=body,
        parameters=content.get("Parameters", {}),
        rules=content.get("Rules", {}),
        mappings=content.get("Mappings", {}),
        conditions=content.get("Conditions", {}),
        resources={logical_id: _resource(logical_id, entry) for logical_id, entry in content["Resources"].items()},
        outputs=content.get("Outputs", {}),
        description=content.get("Description", ""),
    )
    if mistakes := list(_mistakes(template)):
        raise ValidationError("Template error: " + "; ".join(mistakes))
    _ = template.order  # reports a cycle now
    return template


def _resource(logical_id: str, entry: Mapping[str, Any]) -> Resource:
    if not isinstance(entry, Mapping) or "Type" not in entry:
        raise ValidationError(f"Template format error: [/Resources/{logical_id}] Every Resources object must contain a Type member.")
    if unknown := entry.keys() - RESOURCE_KEYS:
        raise ValidationError(f"Template format error: [/Resources/{logical_id}] unknown attributes [{', '.join(sorted(unknown))}]")
    if refused := entry.keys() & REFUSED_KEYS:
        raise ValidationError(f"Template error: the twin does not emulate {', '.join(sorted(refused))} of {logical_id}")
    depends_on = entry.get("DependsOn", ())
    policies = [entry.get(key, "Delete") for key in ("DeletionPolicy", "UpdateReplacePolicy")]
    if unknown_policies := set(policies) - DELETION_POLICIES:
        raise ValidationError(f"Template error: the twin does not emulate the policy {sorted(unknown_policies)} of {logical_id}")
    return Resource(
        logical_id=logical_id,
        type=entry["Type"],
        properties=entry.get("Properties", {}),
        condition=entry.get("Condition"),
        depends_on=(depends_on,) if isinstance(depends_on, str) else tuple(depends_on),
        deletion_policy=policies[0],
        replace_policy=policies[1],
        metadata=entry.get("Metadata"),
    )


def _mistakes(template: Template) -> Iterator[str]:
    for resource in template.resources.values():
        yield from _mistakes_of(resource, template)
    for name, output in template.outputs.items():
        where = f"output {name}"
        if unknown := output.keys() - {"Value", "Description", "Export", "Condition"}:
            yield f"{where} has unknown attributes {sorted(unknown)}"
        if "Value" not in output:
            yield f"{where} has no Value"
        if (condition := output.get("Condition")) is not None and condition not in template.conditions:
            yield f"{where} names the undefined condition {condition}"
        yield from _unresolved(output, where, template)
    for section in (template.rules, template.conditions):
        for name, entry in section.items():
            yield from check_functions(entry, name, in_condition=True)


def _instead(kind: str) -> str:
    """What to do about a type that is left out on purpose."""
    if not kind.startswith("AWS::EC2::"):
        return ""
    return ": it has no networks. Next: set network.mode to public for the environment that the twin runs, and deploy the other to AWS"


def _mistakes_of(resource: Resource, template: Template) -> Iterator[str]:
    where = f"resource {resource.logical_id} ({resource.type})"
    try:
        handler = resource.handler
    except KeyError:
        yield f"{where} is of a type that the twin does not emulate{_instead(resource.type)}"
        return
    if unknown := resource.properties.keys() - handler.properties:
        yield f"{where} has properties that the twin does not emulate: {', '.join(sorted(unknown))}"
    if missing := handler.required - resource.properties.keys():
        yield f"{where} lacks the required properties {', '.join(sorted(missing))}"
    if resource.condition is not None and resource.condition not in template.conditions:
        yield f"{where} names the undefined condition {resource.condition}"
    for other in resource.depends_on:
        if other not in template.resources:
            yield f"{where} depends on {other}, which is no resource of the template"
    yield from _unresolved(resource.properties, where, template)


def _unresolved(value: Any, where: str, template: Template) -> Iterator[str]:
    functions = list(check_functions(value, where))
    yield from functions
    if functions:
        return
    for name in condition_names(value):
        if name not in template.conditions:
            yield f"{where} names the undefined condition {name}"
    for reference in references(value):
        resource = template.resources.get(reference.target)
        if resource is None:
            if reference.attribute is not None or (reference.target not in template.parameters and reference.target not in PSEUDO):
                yield f"Unresolved resource dependencies [{reference.target}] in {where}"
        elif reference.attribute is not None and not _has_attribute(resource, reference.attribute):
            yield f"{where}: resource {reference.target} does not support attribute type {reference.attribute} in Fn::GetAtt"


def _has_attribute(resource: Resource, attribute: str) -> bool:
    try:
        return attribute in resource.handler.attributes
    except KeyError:
        return True  # the unknown type is reported already
