"""The parameters of a stack: from what the caller gave to what references resolve to.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
Types: String, Number, CommaDelimitedList, List<Number>, and AWS::SSM::Parameter::Value<String>. Others are refused by name.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from twin.cloudformation.errors import ValidationError
from twin.cloudformation.intrinsics import Scope

SSM_TYPE = "AWS::SSM::Parameter::Value<String>"
LISTS = frozenset({"CommaDelimitedList", "List<Number>"})
TYPES = LISTS | {"String", "Number", SSM_TYPE}
MASK = "****"


def given(
    declared: Mapping[str, Mapping[str, Any]], supplied: Sequence[Mapping[str, Any]], previous: Mapping[str, str] | None
) -> dict[str, str]:
    """The raw value of every declared parameter. `previous` are the stack's current ones, None for a new stack."""
    values: dict[str, str] = {}
    for entry in supplied:
        key = entry["ParameterKey"]
        if entry.get("UsePreviousValue"):
            if previous is None or key not in previous:
                raise ValidationError(
                    f"Invalid input for parameter key {key}. "
                    "Cannot specify usePreviousValue as true for a parameter key not in the previous template"
                )
            values[key] = previous[key]
        else:
            values[key] = entry.get("ParameterValue", "")
    if unknown := sorted(values.keys() - declared.keys()):
        raise ValidationError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for key, declaration in declared.items():
        if key not in values and "Default" in declaration:
            values[key] = _text(declaration["Default"])
    if missing := [key for key in declared if key not in values]:
        raise ValidationError(f"Parameters: [{', '.join(missing)}] must have values")
    if mistakes := [mistake for key, declaration in declared.items() for mistake in _mistakes(key, declaration, values[key])]:
        raise ValidationError("; ".join(mistakes))
    return values


def resolved(declared: Mapping[str, Mapping[str, Any]], values: Mapping[str, str], read_ssm: Callable[[str], str]) -> dict[str, Any]:
    """What Ref gives for every parameter. `read_ssm` reads an SSM parameter by name."""

    def resolve(kind: str, value: str) -> Any:
        if kind in LISTS:
            return [item.strip() for item in value.split(",")] if value else []
        return read_ssm(value) if kind == SSM_TYPE else value

    return {key: resolve(declaration["Type"], values[key]) for key, declaration in declared.items()}


def shown(declared: Mapping[str, Mapping[str, Any]], values: Mapping[str, str]) -> dict[str, str]:
    """The values as Describe calls show them: NoEcho ones masked."""
    return {key: MASK if _is_true(declared[key].get("NoEcho")) else value for key, value in values.items()}


def check_rules(rules: Mapping[str, Mapping[str, Any]], scope: Scope) -> None:
    """Check the Rules section. Raises ValidationError with the first assertion that does not hold.

    docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
    """
    for name, rule in rules.items():
        if "RuleCondition" in rule and not scope.decide(rule["RuleCondition"]):
            continue
        for assertion in rule["Assertions"]:
            if not scope.decide(assertion["Assert"]):
                raise ValidationError(
                    f"Template validation error: rule {name} failed: {assertion.get('AssertDescription', 'the assertion is false')}"
                )


def _mistakes(key: str, declaration: Mapping[str, Any], value: str) -> Iterator[str]:
    kind = declaration.get("Type")
    if kind not in TYPES:
        yield f"Parameter {key} is of type {kind}, which the twin does not emulate"
        return
    if kind == SSM_TYPE:
        return
    items = [item.strip() for item in value.split(",")] if kind in LISTS and value else [value]
    if kind in {"Number", "List<Number>"}:
        yield from _number_mistakes(key, declaration, items)
    allowed = [_text(choice) for choice in declaration.get("AllowedValues", ())]
    if allowed and any(item not in allowed for item in items):
        yield declaration.get("ConstraintDescription") or f"Parameter {key} must be one of AllowedValues"
    pattern = declaration.get("AllowedPattern")
    if pattern is not None and any(re.fullmatch(pattern, item) is None for item in items):
        yield declaration.get("ConstraintDescription") or f"Parameter {key} failed to satisfy constraint: must match pattern {pattern}"
    if not int(declaration.get("MinLength", 0)) <= len(value) <= int(declaration.get("MaxLength", 4096)):
        yield f"Parameter {key} failed to satisfy constraint: its length is outside MinLength and MaxLength"


def _number_mistakes(key: str, declaration: Mapping[str, Any], items: Sequence[str]) -> Iterator[str]:
    for item in items:
        try:
            number = float(item)
        except ValueError:
            yield f"Parameter {key} must be a number, and is {item!r}"
            continue
        if not float(declaration.get("MinValue", number)) <= number <= float(declaration.get("MaxValue", number)):
            yield f"Parameter {key} failed to satisfy constraint: {item} is outside MinValue and MaxValue"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _is_true(value: Any) -> bool:
    return value in (True, "true")
