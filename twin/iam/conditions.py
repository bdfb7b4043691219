"""Condition blocks of IAM policies: does a request's context fulfil them?

docs: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
A key that the request lacks fails a positive operator and fulfils a negated one; ...IfExists turns the first into true. Under ForAnyValue
it fails both (reference_policies_condition-single-vs-multi-valued-context-keys.html).

Policy variables are condition keys of one value (reference_policies_variables.html). Refused by name: ${*}, ${?} and ${$}, and variables
with a default value.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from twin.iam.errors import PolicyError

Context = Mapping[str, str | Sequence[str]]
"""The request's condition keys, in lower case, and their values."""

_QUALIFIERS = ("ForAllValues:", "ForAnyValue:")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z0-9]+[A-Za-z0-9:/_.-]*")


@lru_cache(maxsize=4096)
def wildcard(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """A policy pattern, in which * is any text and ? one character, as a regular expression."""
    body = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile(body, re.IGNORECASE | re.DOTALL if ignore_case else re.DOTALL)


def like(value: str, pattern: str) -> bool:
    """Does the value fit the pattern, with case?"""
    return wildcard(pattern).fullmatch(value) is not None


def arn_like(value: str, pattern: str) -> bool:
    """Each of the six parts of an ARN is matched by itself, so a * does not reach past its colon."""
    parts, wanted = value.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(wanted) == 6 and all(map(like, parts, wanted))


def _boolean(value: str, wanted: str) -> bool:
    return value.lower() == wanted.lower()


def _date(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _in_network(value: str, wanted: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


_POSITIVE: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": _boolean,
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericLessThan": lambda value, wanted: float(value) < float(wanted),
    "NumericLessThanEquals": lambda value, wanted: float(value) <= float(wanted),
    "NumericGreaterThan": lambda value, wanted: float(value) > float(wanted),
    "NumericGreaterThanEquals": lambda value, wanted: float(value) >= float(wanted),
    "DateLessThan": lambda value, wanted: _date(value) < _date(wanted),
    "DateLessThanEquals": lambda value, wanted: _date(value) <= _date(wanted),
    "DateGreaterThan": lambda value, wanted: _date(value) > _date(wanted),
    "DateGreaterThanEquals": lambda value, wanted: _date(value) >= _date(wanted),
    "DateEquals": lambda value, wanted: _date(value) == _date(wanted),
    "IpAddress": _in_network,
}
_NEGATED: dict[str, Callable[[str, str], bool]] = {
    "StringNotEquals": _POSITIVE["StringEquals"],
    "StringNotEqualsIgnoreCase": _POSITIVE["StringEqualsIgnoreCase"],
    "StringNotLike": like,
    "ArnNotEquals": arn_like,
    "ArnNotLike": arn_like,
    "NumericNotEquals": _POSITIVE["NumericEquals"],
    "DateNotEquals": _POSITIVE["DateEquals"],
    "NotIpAddress": _in_network,
}


def as_list(value: Any) -> list[str]:
    """A policy's scalar or list, as a list of strings (JSON's true and false in lower case)."""
    values = value if isinstance(value, list | tuple) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]


def variables(text: str) -> set[str]:
    """The condition keys that are variables of a policy text, in lower case. Raises PolicyError for those that the twin does not know."""
    found = _VARIABLE.findall(text) if "${" in text else []
    unknown = next((name for name in found if not _NAME.fullmatch(name)), None)
    if unknown is not None:
        raise PolicyError(f"the twin does not know the policy variable ${{{unknown}}}")
    return {name.lower() for name in found}


def substitute(text: str, context: Context) -> str:
    """A policy text with its variables (${aws:username}) filled in, all of which the request has."""
    return _VARIABLE.sub(lambda match: str(context[match[1].lower()]), text) if "${" in text else text


def fulfilled(block: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Are all conditions of a statement's Condition block true? Raises PolicyError for an operator that the twin does not know."""
    return all(_holds(operator, key.lower(), as_list(wanted), context) for operator, keys in block.items() for key, wanted in keys.items())


def keys(block: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The condition keys that a block looks at, in lower case."""
    return {key.lower() for names in block.values() for key in names}


def _holds(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    qualifier = next((q for q in _QUALIFIERS if operator.startswith(q)), "")
    name = operator.removeprefix(qualifier).removesuffix("IfExists")
    present = key in context
    if name == "Null":
        return any((not present) == (value.lower() == "true") for value in wanted)
    negated = name in _NEGATED
    test = _NEGATED.get(name) or _POSITIVE.get(name)
    if test is None:
        raise PolicyError(f"the twin does not know the condition operator {operator}")
    if not present:
        if qualifier == "ForAnyValue:":
            return False
        return negated or operator.endswith("IfExists") or qualifier == "ForAllValues:"
    found = context[key]
    values = [found] if isinstance(found, str) else list(found)
    expected = [substitute(item, context) for item in wanted]

    def one(value: str) -> bool:
        matched = any(test(value, item) for item in expected)
        return not matched if negated else matched

    if qualifier == "ForAllValues:" or (negated and qualifier != "ForAnyValue:"):
        return all(map(one, values))
    return any(map(one, values))
