"""Intrinsic functions: which there are, and working values out.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
Fn::Transform, Fn::ForEach and dynamic references ({{resolve:...}}) are refused: `cdk synth` leaves none in the templates of this project.
Fn::GetAZs answers <region>a to <region>c (modelled: the zones of an account differ).
"""

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from twin.cloudformation.errors import ValidationError
from twin.cloudformation.references import VARIABLE, attribute_of, function_of

PSEUDO = frozenset(
    f"AWS::{name}" for name in ("AccountId", "NotificationARNs", "NoValue", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
_DYNAMIC = "{{resolve:"


class _NoValue:
    """AWS::NoValue: the property or list item is left out."""


NO_VALUE = _NoValue()


def check_functions(value: Any, where: str, *, in_condition: bool = False) -> Iterator[str]:
    """Unknown or misplaced functions and dynamic references, as sentences."""
    function = function_of(value)
    if function is not None and function not in FUNCTIONS and not (in_condition and function in CONDITION_FUNCTIONS):
        yield f"{where} uses {function}, which the twin does not emulate here"
    if isinstance(value, str) and _DYNAMIC in value:
        yield f"{where} uses a dynamic reference ({value}), which the twin does not emulate"
    if isinstance(value, Mapping):
        for child in value.values():
            yield from check_functions(child, where, in_condition=in_condition)
    elif isinstance(value, list):
        for child in value:
            yield from check_functions(child, where, in_condition=in_condition)


@dataclass
class Scope:
    """What references resolve to, for one stack at one moment.

    `refs` holds parameters, pseudo parameters and physical ids; `attributes` is looked up per resource; both grow as resources are made.
    """

    refs: dict[str, Any]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    attributes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    imports: Callable[[str], str] = field(default_factory=lambda: _no_import)
    imported: set[str] = field(default_factory=set)
    _decided: dict[str, bool] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        """The value with every function worked out; NO_VALUE entries are left out of objects and lists."""
        function = function_of(value)
        if function is not None:
            if function not in FUNCTIONS:
                raise ValidationError(f"Template error: {function} is no function that the twin emulates")
            return FUNCTIONS[function](self, value[function])
        if isinstance(value, Mapping):
            resolved = {key: self.resolve(inner) for key, inner in value.items()}
            return {key: inner for key, inner in resolved.items() if inner is not NO_VALUE}
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        return value

    def text(self, value: Any) -> str:
        """A resolved value as the string it is joined as. Raises ValidationError for objects and lists."""
        resolved = self.resolve(value)
        if isinstance(resolved, bool):
            return "true" if resolved else "false"
        if isinstance(resolved, str | int | float):
            return str(resolved)
        raise ValidationError(f"Template error: {json.dumps(value, default=str)} must resolve to a string, and is {resolved!r}")

    def holds(self, name: str) -> bool:
        """Whether a named condition is true."""
        if name not in self._decided:
            if name not in self.conditions:
                raise ValidationError(f"Template error: unresolved condition dependency {name}")
            self._decided[name] = self.decide(self.conditions[name])
        return self._decided[name]

    def decide(self, value: Any) -> bool:
        """Work out a condition expression."""
        if isinstance(value, Mapping) and len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Condition":
                return self.holds(argument)
            if function in CONDITION_FUNCTIONS:
                return CONDITION_FUNCTIONS[function](self, argument)
        resolved = self.resolve(value)
        if resolved in (True, "true"):
            return True
        if resolved in (False, "false"):
            return False
        raise ValidationError(f"Template error: {json.dumps(value, default=str)} is no condition")


def _no_import(name: str) -> str:
    raise ValidationError(f"No export named {name} found.")


def _ref(scope: Scope, argument: Any) -> Any:
    if argument == "AWS::NoValue":
        return NO_VALUE
    if argument not in scope.refs:
        raise ValidationError(f"Unresolved resource dependencies [{argument}]: it does not exist under the conditions of this stack")
    return scope.refs[argument]


def _get_att(scope: Scope, argument: Any) -> Any:
    target, attribute = attribute_of(argument)
    if target not in scope.attributes:
        raise ValidationError(f"Unresolved resource dependencies [{target}]: it does not exist under the conditions of this stack")
    if attribute not in scope.attributes[target]:
        raise ValidationError(f"Template error: resource {target} does not support attribute type {attribute} in Fn::GetAtt")
    return scope.attributes[target][str(attribute)]


def _join(scope: Scope, argument: Any) -> str:
    separator, items = argument
    return str(separator).join(scope.text(item) for item in _list(scope, items, "Fn::Join"))


def _sub(scope: Scope, argument: Any) -> str:
    text, variables = (argument, {}) if isinstance(argument, str) else argument

    def replace(match: re.Match[str]) -> str:
        literal, name = match.groups()
        if literal:
            return f"${{{name}}}"
        if name in variables:
            return scope.text(variables[name])
        return scope.text({"Fn::GetAtt": name} if "." in name else {"Ref": name})

    return VARIABLE.sub(replace, text)


def _select(scope: Scope, argument: Any) -> Any:
    index, items = int(scope.text(argument[0])), _list(scope, argument[1], "Fn::Select")
    if not 0 <= index < len(items):
        raise ValidationError(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
    return items[index]


def _split(scope: Scope, argument: Any) -> list[str]:
    return scope.text(argument[1]).split(argument[0])


def _if(scope: Scope, argument: Any) -> Any:
    name, then, otherwise = argument
    return scope.resolve(then if scope.holds(name) else otherwise)


def _find_in_map(scope: Scope, argument: Any) -> Any:
    path = [scope.text(part) for part in argument[:3]]
    found: Any = scope.mappings
    for key in path:
        if key not in found:
            if len(argument) == 4 and "DefaultValue" in argument[3]:
                return scope.resolve(argument[3]["DefaultValue"])
            raise ValidationError(f"Template error: Unable to get mapping for {'::'.join(path)}")
        found = found[key]
    return found


def _import_value(scope: Scope, argument: Any) -> str:
    name = scope.text(argument)
    value = scope.imports(name)
    scope.imported.add(name)
    return value


def _zones(scope: Scope, argument: Any) -> list[str]:
    return [f"{scope.text(argument) or scope.refs['AWS::Region']}{zone}" for zone in "abc"]


def _base64(scope: Scope, argument: Any) -> str:
    return base64.b64encode(scope.text(argument).encode()).decode()


def _length(scope: Scope, argument: Any) -> int:
    return len(_list(scope, argument, "Fn::Length"))


def _to_json(scope: Scope, argument: Any) -> str:
    return json.dumps(scope.resolve(argument), separators=(",", ":"))


def _cidr(scope: Scope, argument: Any) -> list[str]:
    block, count, bits = ipaddress.ip_network(scope.text(argument[0])), int(scope.text(argument[1])), int(scope.text(argument[2]))
    subnets = block.subnets(new_prefix=block.max_prefixlen - bits)
    return [str(subnet) for subnet, _ in zip(subnets, range(count), strict=False)]


def _list(scope: Scope, value: Any, function: str) -> list[Any]:
    resolved = scope.resolve(value)
    if not isinstance(resolved, list):
        raise ValidationError(f"Template error: {function} takes a list, and {json.dumps(value, default=str)} is {resolved!r}")
    return resolved


FUNCTIONS: Mapping[str, Callable[[Scope, Any], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Join": _join,
    "Fn::Sub": _sub,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import_value,
    "Fn::GetAZs": _zones,
    "Fn::Base64": _base64,
    "Fn::Length": _length,
    "Fn::ToJsonString": _to_json,
    "Fn::Cidr": _cidr,
}

CONDITION_FUNCTIONS: Mapping[str, Callable[[Scope, Any], bool]] = {
    "Fn::Equals": lambda scope, argument: _same(scope.resolve(argument[0]), scope.resolve(argument[1])),
    "Fn::And": lambda scope, argument: all(map(scope.decide, argument)),
    "Fn::Or": lambda scope, argument: any(map(scope.decide, argument)),
    "Fn::Not": lambda scope, argument: not scope.decide(argument[0]),
    "Fn::Contains": lambda scope, argument: scope.resolve(argument[1]) in scope.resolve(argument[0]),
    "Fn::EachMemberEquals": lambda scope, argument: all(item == scope.resolve(argument[1]) for item in scope.resolve(argument[0])),
    "Fn::EachMemberIn": lambda scope, argument: all(item in scope.resolve(argument[1]) for item in scope.resolve(argument[0])),
}


def _same(left: Any, right: Any) -> bool:
    return bool(_scalar(left) == _scalar(right))


def _scalar(value: Any) -> Any:
    """Conditions compare strings: true, "true" and 1, "1" are the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value
