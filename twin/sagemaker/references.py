"""How the references of a pipeline definition become values: Get, Std:Join, Std:JsonGet, and the conditions.

Source: SageMaker developer guide, build-and-manage-properties (property references follow the Describe reply of a step's job).
"""

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from twin.sagemaker.definition import DefinitionError

_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
# Lists in Describe replies whose elements a path may pick by name.
_NAMED_BY = ("OutputName", "ChannelName", "InputName", "MetricName")
_TOKEN = re.compile(r"\.?([A-Za-z0-9_-]+)|\[\s*['\"]([^'\"]+)['\"]\s*\]|\[\s*(\d+)\s*\]")


def follow(value: Any, path: str, what: str) -> Any:
    """Walk a path such as `ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri`. Raises DefinitionError, naming `what`."""
    position = 0
    while position < len(path):
        token = _TOKEN.match(path, position)
        if token is None:
            raise DefinitionError(f"{what}: the path {path} cannot be read at {path[position:]}.")
        key: Any = int(token[3]) if token[3] is not None else token[1] or token[2]
        value = _down(value, key, f"{what}: nothing is at {path[: token.end()]}.")
        position = token.end()
    return value


def _down(value: Any, key: Any, missing: str) -> Any:
    if isinstance(value, dict) and key in value:
        return value[key]
    if isinstance(value, list):
        if isinstance(key, str):
            named = [each for each in value if isinstance(each, dict) and key in {each.get(name) for name in _NAMED_BY}]
            if named:
                return named[0]
            key = int(key) if key.isdigit() else len(value)
        if key < len(value):
            return value[key]
    raise DefinitionError(missing)


class Resolver:
    """Turns arguments with references into plain values, for one execution."""

    def __init__(
        self,
        parameters: Mapping[str, Any],
        execution: Mapping[str, Any],
        described: Callable[[str], Mapping[str, Any]],
        json_file: Callable[[str, str], Any],
        json_at: Callable[[str], Any],
    ) -> None:
        """`described` gives a step's Describe reply, `json_file` (step, property file) and `json_at` (S3 URI) read JSON."""
        self._parameters = parameters
        self._execution = execution
        self._described = described
        self._json_file = json_file
        self._json_at = json_at

    def value(self, node: Any) -> Any:
        """The plain value of any part of a definition. Raises DefinitionError."""
        if isinstance(node, list):
            return [self.value(each) for each in node]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Get"}:
            return self._get(node["Get"])
        if set(node) == {"Std:Join"}:
            join = node["Std:Join"]
            return join["On"].join(_text(self.value(each)) for each in join["Values"])
        if set(node) == {"Std:JsonGet"}:
            return self._json_get(node["Std:JsonGet"])
        return {key: self.value(each) for key, each in node.items()}

    def holds(self, condition: Mapping[str, Any]) -> bool:
        """Whether a condition is true. Raises DefinitionError when its values cannot be compared."""
        kind = condition["Type"]
        if kind == "Not":
            return not self.holds(condition["Expression"])
        if kind in {"And", "Or"}:
            return (all if kind == "And" else any)(self.holds(each) for each in condition["Conditions"])
        if kind == "In":
            return self.value(condition["QueryValue"]) in [self.value(each) for each in condition["Values"]]
        left, right = self.value(condition["LeftValue"]), self.value(condition["RightValue"])
        try:
            return bool(_COMPARISONS[kind](left, right))
        except TypeError:
            raise DefinitionError(f"{kind} cannot compare {left!r} with {right!r}.") from None

    def _get(self, path: str) -> Any:
        root, _, rest = path.partition(".")
        if root == "Parameters":
            return self._parameters[rest]
        if root == "Execution":
            value = self._execution[rest]
            return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value
        step = re.split(r"[.\[]", rest, maxsplit=1)[0]
        return follow(self._described(step), rest[len(step) :], path)

    def _json_get(self, asked: Mapping[str, Any]) -> Any:
        path = self.value(asked["Path"])
        if "S3Uri" in asked:
            uri = self.value(asked["S3Uri"])
            return follow(self._json_at(uri), path, f"Std:JsonGet of {uri}")
        step, _, file = asked["PropertyFile"]["Get"].removeprefix("Steps.").partition(".PropertyFiles.")
        return follow(self._json_file(step, file), path, f"Std:JsonGet of {step}.{file}")


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
