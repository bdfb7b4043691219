"""Which route takes a request. Pure.

docs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html: the most specific route
wins: a path in full, then one with parameters, then a greedy one; a method before ANY; $default last.
"""

from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT = "$default"


@dataclass(frozen=True)
class Match:
    """The chosen route key, its path, and the path's parameters."""

    route_key: str
    path: str
    parameters: dict[str, str]


def choose(route_keys: Iterable[str], method: str, path: str) -> Match | None:
    """The route for a request; None when there is none."""
    found: list[tuple[tuple[int, ...], Match]] = []
    for key in route_keys:
        if key == DEFAULT:
            found.append(((3,), Match(key, DEFAULT, {})))
            continue
        wanted, _, template = key.partition(" ")
        parameters = _parameters(template, path) if wanted in {method, "ANY"} else None
        if parameters is not None:
            kind = 2 if "+}" in template else 1 if "{" in template else 0
            found.append(((kind, -len(template.split("/")), wanted == "ANY"), Match(key, template, parameters)))
    return min(found, key=lambda item: item[0])[1] if found else None


def _parameters(template: str, path: str) -> dict[str, str] | None:
    wanted, given = template.strip("/").split("/"), path.strip("/").split("/")
    parameters: dict[str, str] = {}
    for index, part in enumerate(wanted):
        if part.endswith("+}"):
            rest = "/".join(given[index:])
            return parameters | {part[1:-2]: rest} if rest else None
        if index >= len(given):
            return None
        if part.startswith("{"):
            parameters[part[1:-1]] = given[index]
        elif part != given[index]:
            return None
    return parameters if len(wanted) == len(given) else None
