"""What a target gets of an event: the event, a part of it, a constant, or a template filled in. Pure.

docs: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html. A variable whose path is not in the event is
left out of a text, and is null where JSON needs a value (the second is modelled).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.([A-Za-z0-9_\-]+)|\[(\d+)\]|\[[\"']([^\"']+)[\"']\]")
_VARIABLE = re.compile(r"<([A-Za-z0-9_.\-]+)>")


def at_path(path: str, event: Any) -> Any:
    """The value at a path such as $.detail.items[0]; None when there is none. Raises ValueError for a path that is not simple."""
    rest = path.removeprefix("$")
    steps = list(_STEP.finditer(rest))
    if not path.startswith("$") or "".join(step[0] for step in steps) != rest:
        raise ValueError(f"the twin does not understand the path {path}: it takes $.name, [0] and ['name']")
    value = event
    for step in steps:
        key: str | int = int(step[2]) if step[2] else step[1] or step[3]
        if isinstance(key, int):
            value = value[key] if isinstance(value, list) and key < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str, rule_name: str) -> str:
    """The text that is delivered to a target (JSON, except for a transformer whose template is a plain text)."""
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(at_path(target["InputPath"], event))
    transformer = target.get("InputTransformer")
    if transformer:
        values = {name: at_path(path, event) for name, path in (transformer.get("InputPathsMap") or {}).items()}
        return fill(transformer["InputTemplate"], values | _predefined(event, rule_arn, rule_name))
    return json.dumps(event)


def _predefined(event: Mapping[str, Any], rule_arn: str, rule_name: str) -> dict[str, Any]:
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }


def fill(template: str, values: Mapping[str, Any]) -> str:
    """A template with its <variables> filled in: JSON outside of quotation marks, text within them."""
    out: list[str] = []
    position, quoted = 0, False
    for match in _VARIABLE.finditer(template):
        before = template[position : match.start()]
        quoted ^= _quotes(before) % 2 == 1
        out.append(before)
        position = match.end()
        if match[1] not in values:
            out.append(match[0])
            continue
        value = values[match[1]]
        out.append(_in_text(value) if quoted else json.dumps(value))
    return "".join(out) + template[position:]


def _quotes(text: str) -> int:
    return len(re.findall(r'(?<!\\)"', text))


def _in_text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text)[1:-1]
