"""Finding what a value refers to, without working it out."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")
"""A variable of Fn::Sub; with `!` it is literal."""


class Reference(NamedTuple):
    """A Ref (no attribute) or a Fn::GetAtt, also as ${...} inside Fn::Sub."""

    target: str
    attribute: str | None


def function_of(value: Any) -> str | None:
    """The intrinsic function that this value is a call of, known or not; None for plain data."""
    if isinstance(value, Mapping) and len(value) == 1:
        (key,) = value
        if key == "Ref" or (isinstance(key, str) and key.startswith("Fn::")):
            return str(key)
    return None


def references(value: Any) -> Iterator[Reference]:
    """Every reference in a value, at any depth."""
    function = function_of(value)
    if function == "Ref":
        yield Reference(value["Ref"], None)
    elif function == "Fn::GetAtt":
        yield attribute_of(value["Fn::GetAtt"])
    elif function == "Fn::Sub":
        yield from _sub_references(value["Fn::Sub"])
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def _sub_references(argument: Any) -> Iterator[Reference]:
    text, variables = (argument, {}) if isinstance(argument, str) else argument
    yield from references(variables)
    for literal, name in VARIABLE.findall(text):
        if not literal and name not in variables:
            target, _, attribute = name.partition(".")
            yield Reference(target, attribute or None)


def attribute_of(argument: Any) -> Reference:
    """The target of a Fn::GetAtt, from its list or its dotted string."""
    target, _, attribute = argument.partition(".") if isinstance(argument, str) else (argument[0], ".", argument[1])
    return Reference(target, attribute)


def condition_names(value: Any) -> Iterator[str]:
    """The conditions that the Fn::If calls in a value name."""
    if function_of(value) == "Fn::If" and isinstance(value["Fn::If"], list) and value["Fn::If"]:
        yield str(value["Fn::If"][0])
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        yield from condition_names(child)


def imports_in(value: Any) -> Iterator[Mapping[str, Any]]:
    """The Fn::ImportValue calls in a value, outside Fn::If."""
    function = function_of(value)
    if function == "Fn::ImportValue":
        yield value
    elif function != "Fn::If":
        children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        for child in children:
            yield from imports_in(child)
