"""EventBridge event patterns: does an event match? Pure.

docs: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html. moto's matcher is wrong for arrays of
objects; here, as on EventBridge, the fields of one nested pattern must be found in one and the same element.
"""

import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_ABSENT = object()
_COMPARE = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class PatternError(Exception):
    """The pattern is not one that EventBridge takes."""


def validate(pattern: Any) -> None:
    """Raises PatternError for anything but nested objects of non-empty arrays of known filters."""
    if not isinstance(pattern, dict) or not pattern:
        raise PatternError("Event pattern is not a JSON object with at least one field")
    for name, wanted in pattern.items():
        if name == "$or":
            if not isinstance(wanted, list) or len(wanted) < 2:
                raise PatternError("$or takes an array of at least two patterns")
            for alternative in wanted:
                validate(alternative)
        elif isinstance(wanted, dict):
            validate(wanted)
        elif isinstance(wanted, list) and wanted:
            for item in wanted:
                _leaf(item, _ABSENT)
        else:
            raise PatternError(f"'{name}' must be an object or a non-empty array")


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Does the event (or a part of it) match the pattern?"""
    if isinstance(event, list):
        return any(matches(pattern, element) for element in event)
    if not isinstance(event, Mapping):
        event = {}
    return all(_field(name, wanted, event) for name, wanted in pattern.items())


def _field(name: str, wanted: Any, event: Mapping[str, Any]) -> bool:
    if name == "$or":
        return any(matches(alternative, event) for alternative in wanted)
    found = event.get(name, _ABSENT)
    if isinstance(wanted, dict):
        return matches(wanted, {} if found is _ABSENT else found)
    return any(_leaf(item, found) for item in wanted)


def _leaf(wanted: Any, found: Any) -> bool:
    """One filter of an array against a value, or against each element of an array of values."""
    if isinstance(wanted, dict):
        if len(wanted) != 1:
            raise PatternError(f"a filter has one operator: {wanted}")
        [(name, argument)] = wanted.items()
        if name == "exists":
            present = found is not _ABSENT and not isinstance(found, dict)
            return present == bool(argument)
        if name not in _FILTERS:
            raise PatternError(f"unknown filter {name}")
        test: Callable[[Any, Any], bool] = _FILTERS[name]
    else:
        test, argument = _equal, wanted
    if found is _ABSENT:
        test("", argument)  # a wrong argument is an error even when there is nothing to compare with
        return False
    return any(test(value, argument) for value in (found if isinstance(found, list) else [found]))


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool) or value is None or wanted is None:
        return value is wanted
    return isinstance(value, str) == isinstance(wanted, str) and bool(value == wanted)


def _prefix(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(value, str) and value.lower().startswith(str(wanted["equals-ignore-case"]).lower())
    return isinstance(value, str) and value.startswith(wanted)


def _suffix(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(value, str) and value.lower().endswith(str(wanted["equals-ignore-case"]).lower())
    return isinstance(value, str) and value.endswith(wanted)


def _ignore_case(value: Any, wanted: Any) -> bool:
    return isinstance(value, str) and value.lower() == str(wanted).lower()


def _wildcard(value: Any, wanted: Any) -> bool:
    parts = re.split(r"(\\\\|\\\*|\*)", str(wanted))
    body = "".join(".*" if part == "*" else re.escape(part[-1] if part in {r"\\", r"\*"} else part) for part in parts if part)
    return isinstance(value, str) and re.fullmatch(body, value, re.DOTALL) is not None


def _anything_but(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        [(name, argument)] = wanted.items()
        if name not in {"prefix", "suffix", "equals-ignore-case", "wildcard"}:
            raise PatternError(f"anything-but cannot be combined with {name}")
        return not any(_FILTERS[name](value, item) for item in (argument if isinstance(argument, list) else [argument]))
    return not any(_equal(value, item) for item in (wanted if isinstance(wanted, list) else [wanted]))


def _numeric(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, list) or len(wanted) not in {2, 4} or any(name not in _COMPARE for name in wanted[::2]):
        raise PatternError(f"numeric takes one or two comparisons: {wanted}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(_COMPARE[name](value, limit) for name, limit in zip(wanted[::2], wanted[1::2], strict=True))


def _cidr(value: Any, wanted: Any) -> bool:
    network = ipaddress.ip_network(wanted)
    try:
        return ipaddress.ip_address(value) in network
    except ValueError:
        return False


_FILTERS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}
