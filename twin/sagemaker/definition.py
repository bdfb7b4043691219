"""A pipeline definition (version 2020-12-01): what is checked when it is stored, and in which order its steps may run.

Checked by name, before anything runs: step types, functions, conditions, references to parameters, steps, property files and execution
variables, dependencies that do not exist or form a circle, retry policies (refused), step caching (accepted; nothing is ever a hit).
Source: the public JSON schema of SageMaker pipeline definitions (aws-sagemaker-mlops.github.io). Modelled: Std:Join and Std:JsonGet are
taken wherever a value is, as the SDK writes them (aws/sagemaker-python-sdk#2506, JsonGet for all step types); the schema is older.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VERSION = "2020-12-01"
STEP_TYPES = frozenset({"Processing", "Training", "RegisterModel", "Model", "Condition", "Fail", "Lambda"})
EXECUTION_VARIABLES = frozenset(
    {"StartDateTime", "CurrentDateTime", "PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn"}
)
FUNCTIONS = frozenset({"Std:Join", "Std:JsonGet"})
COMPARISONS = frozenset({"Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"})
_TYPES: Mapping[str, Callable[[str], Any]] = {"String": str, "Integer": int, "Float": float}
_STEP_KEYS = frozenset(
    {
        "Name",
        "Type",
        "Arguments",
        "DependsOn",
        "PropertyFiles",
        "DisplayName",
        "Description",
        "CacheConfig",
        "FunctionArn",
        "OutputParameters",
    }
)

_STEP_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")

Step = dict[str, Any]


class DefinitionError(ValueError):
    """The definition, or a value that it refers to, is wrong; the message names the place."""


@dataclass(frozen=True)
class Definition:
    """A checked definition."""

    parameters: dict[str, dict[str, Any]]
    steps: list[Step]

    def values(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The parameters of an execution. Raises DefinitionError for an unknown, missing or wrongly typed one."""
        unknown = sorted(set(given) - set(self.parameters))
        if unknown:
            raise DefinitionError(f"Unknown pipeline parameters: {', '.join(unknown)}. Known: {', '.join(self.parameters) or 'none'}.")
        missing = sorted(name for name, each in self.parameters.items() if name not in given and "DefaultValue" not in each)
        if missing:
            raise DefinitionError(f"Pipeline parameters without a default need a value: {', '.join(missing)}.")
        return {name: _typed(each, given.get(name, each.get("DefaultValue"))) for name, each in self.parameters.items()}


def parse(text: str) -> Definition:
    """Read and check a definition. Raises DefinitionError."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DefinitionError(f"The pipeline definition is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("Version") != VERSION:
        raise DefinitionError(f"The pipeline definition's Version must be {VERSION}.")
    parameters = {each["Name"]: each for each in content.get("Parameters") or ()}
    for name, each in parameters.items():
        if each["Type"] not in {*_TYPES, "Boolean"}:
            raise DefinitionError(f"Parameter {name} has the unknown type {each['Type']}.")
    definition = Definition(parameters, content.get("Steps") or [])
    _check(definition)
    return definition


def all_steps(steps: list[Step]) -> Iterator[Step]:
    """Every step, those in the branches of conditions included."""
    for step in steps:
        yield step
        if step.get("Type") == "Condition":
            yield from all_steps(step["Arguments"].get("IfSteps") or [])
            yield from all_steps(step["Arguments"].get("ElseSteps") or [])


def needs(step: Step) -> set[str]:
    """The steps that must be done before this one: those it depends on and those it refers to.

    The branches of a condition wait for it, not it for them.
    """
    own = {key: value for key, value in step.items() if key != "DependsOn"}
    if step["Type"] == "Condition":
        own["Arguments"] = {"Conditions": step["Arguments"]["Conditions"]}
    referred = {path.split(".")[1].split("[")[0] for path in gets(own) if path.startswith("Steps.")}
    return referred | set(step.get("DependsOn") or ())


def gets(value: Any) -> Iterator[str]:
    """Every path that a value refers to."""
    if isinstance(value, dict):
        if set(value) == {"Get"} and isinstance(value["Get"], str):
            yield value["Get"]
        for each in value.values():
            yield from gets(each)
    elif isinstance(value, list):
        for each in value:
            yield from gets(each)


def _typed(parameter: Mapping[str, Any], value: Any) -> Any:
    try:
        typed = _boolean(value) if parameter["Type"] == "Boolean" else _TYPES[parameter["Type"]](value)
    except (TypeError, ValueError):
        raise DefinitionError(f"Parameter {parameter['Name']} is {value!r}, which is no {parameter['Type']}.") from None
    allowed = parameter.get("EnumValues")
    if allowed and typed not in allowed:
        raise DefinitionError(f"Parameter {parameter['Name']} is {value!r}, which is not one of {', '.join(map(str, allowed))}.")
    return typed


def _boolean(value: Any) -> bool:
    if str(value).lower() not in {"true", "false"}:
        raise ValueError(value)
    return str(value).lower() == "true"


def _check(definition: Definition) -> None:
    steps = list(all_steps(definition.steps))
    if not steps:
        raise DefinitionError("The pipeline definition has no steps.")
    names = [step.get("Name", "") for step in steps]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DefinitionError(f"Step names must be unique, and {', '.join(twice)} are not.")
    wrong = [name for name in names if not _STEP_NAME.fullmatch(name)]
    if wrong:
        raise DefinitionError(f"Step names are 1 to 64 letters, digits, - and _, and {wrong[0]!r} is not.")
    by_name = dict(zip(names, steps, strict=True))
    for step in steps:
        _check_step(step, definition, by_name)
    _check_order({name: needs(step) for name, step in by_name.items()})


def _check_step(step: Step, definition: Definition, by_name: Mapping[str, Step]) -> None:
    name = step.get("Name", "")
    if step.get("Type") not in STEP_TYPES:
        raise DefinitionError(f"Step {name}: the twin does not run steps of type {step.get('Type')}, only {', '.join(sorted(STEP_TYPES))}.")
    unknown = sorted(key for key, value in step.items() if value and key not in _STEP_KEYS)
    if unknown:
        raise DefinitionError(f"Step {name}: the twin does not understand {', '.join(unknown)}.")
    lost = sorted(needs(step) - by_name.keys())
    if lost:
        raise DefinitionError(f"Step {name} needs steps that do not exist: {', '.join(lost)}.")
    arguments = step.get("Arguments") or {}
    for path in gets(arguments if step["Type"] != "Condition" else arguments["Conditions"]):
        _check_path(name, path, definition, by_name)
    _check_functions(name, arguments if step["Type"] != "Condition" else arguments["Conditions"])
    if step["Type"] == "Condition":
        for condition in arguments["Conditions"]:
            _check_condition(name, condition)


def _check_path(name: str, path: str, definition: Definition, by_name: Mapping[str, Step]) -> None:
    root, _, rest = path.partition(".")
    if root == "Parameters" and rest not in definition.parameters:
        raise DefinitionError(f"Step {name} refers to the parameter {rest}, which does not exist.")
    if root == "Execution" and rest not in EXECUTION_VARIABLES:
        raise DefinitionError(f"Step {name} refers to Execution.{rest}, which is not one of {', '.join(sorted(EXECUTION_VARIABLES))}.")
    if root == "Steps" and ".PropertyFiles." in path:
        step, _, file = rest.partition(".PropertyFiles.")
        if file not in {each["PropertyFileName"] for each in by_name[step].get("PropertyFiles") or ()}:
            raise DefinitionError(f"Step {name} refers to the property file {file}, which step {step} does not have.")
    if root not in {"Parameters", "Execution", "Steps"}:
        raise DefinitionError(f"Step {name} refers to {path}; a reference begins with Parameters, Execution or Steps.")


def _check_functions(name: str, value: Any) -> None:
    if isinstance(value, dict):
        unknown = sorted(key for key in value if key.startswith("Std:") and key not in FUNCTIONS)
        if unknown:
            raise DefinitionError(f"Step {name}: the twin does not know the function {', '.join(unknown)}.")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_functions(name, each)


def _check_condition(name: str, condition: Mapping[str, Any]) -> None:
    kind = condition.get("Type")
    if kind in {"And", "Or"}:
        for each in condition["Conditions"]:
            _check_condition(name, each)
    elif kind == "Not":
        _check_condition(name, condition["Expression"])
    elif kind != "In" and kind not in COMPARISONS:
        raise DefinitionError(f"Step {name}: the twin does not know the condition {kind}.")


def _check_order(waiting: dict[str, set[str]]) -> None:
    done: set[str] = set()
    while waiting:
        ready = [name for name, before in waiting.items() if before <= done]
        if not ready:
            raise DefinitionError(f"These steps wait for each other: {', '.join(sorted(waiting))}.")
        for name in ready:
            done.add(name)
            del waiting[name]
