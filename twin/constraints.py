"""The limits that AWS's own models put on a request: lengths, ranges, patterns and enumerations. Checked before anything is done.

SDKs leave these to the service (botocore checks required members, types and minima), and so does moto; without them a call that AWS would
refuse would work here. Source: the service models of botocore, whose traits are those of the API references; the wording is the services'.
Checked are SERVICES. Modelled: the models say nothing of constraints between members, and some services refuse more than their models.
"""

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.core.utils import get_service_model

from twin.iam.calls import UnmappedCallError, decode, rewind
from twin.replies import error_reply, signed_service

SERVICES = {
    "application-autoscaling": "ValidationException",
    "cloudformation": "ValidationError",
    "events": "ValidationException",
    "iam": "ValidationError",
    "kinesis": "ValidationException",
    "kms": "ValidationException",
    "lambda": "ValidationException",
    "monitoring": "ValidationError",
    "sagemaker": "ValidationException",
    "scheduler": "ValidationException",
}
"""The error code of each service whose requests are checked, by signing name."""
_CODES = {"sagemaker-runtime": "ValidationError"}
"""Where a signing name stands for several services."""

ASCII = 0x7F
"""The last character of nearly every text; to know what is a letter beyond it takes a look at a million characters."""

_POSIX = {"ASCII": r"\x00-\x7f", "Print": r"\x20-\x7e", "Alnum": "a-zA-Z0-9"}
_ASTRAL = r"\uD800\uDC00-\uDBFF\uDFFF"
_PIECE = re.compile(r"\\p\{(\w+)\}|\\z|\$\{\d+,\d+\}|\\.|[\[\]]", re.DOTALL)


class Constraints:
    """WSGI middleware."""

    def __init__(self, application: Callable[[dict[str, Any], Any], Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer with a validation error, or with what the application answers."""
        signed = signed_service(environ)
        if signed in SERVICES:
            try:
                call = decode(environ, signed)
            except UnmappedCallError:
                return self._application(environ, start_response)  # which says that it does not know the operation
            shape = get_service_model(call.service).operation_model(call.operation).input_shape
            wrong = list(violations(shape, call.parameters)) if shape is not None else []
            rewind(environ)
            if wrong:
                code = _CODES.get(call.service, SERVICES[signed])
                return error_reply(environ, start_response, 400, code, message(wrong))
        return self._application(environ, start_response)


def message(wrong: list[str]) -> str:
    """The services' wording of one or more violations."""
    return f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected: {'; '.join(wrong)}"


def violations(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """What is wrong with a value, with its path, such as `pipelineParameters.1.member.value`."""
    if value is None:
        return
    found = _own(shape, value)
    if found:
        yield f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: {found}"
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in shape.members.items():
            yield from violations(member, value.get(name), _below(path, name[0].lower() + name[1:]))
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, item in enumerate(value, start=1):
            yield from violations(shape.member, item, _below(path, f"{number}.member"))
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for key, item in value.items():
            yield from violations(shape.key, key, path)
            yield from violations(shape.value, item, _below(path, f"{key}.member"))


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _own(shape: Shape, value: Any) -> str:
    """What is wrong with a value itself, not with its parts."""
    limits, is_number = shape.metadata, isinstance(value, int | float) and not isinstance(value, bool)
    if is_number or isinstance(value, str | bytes | list | dict):
        size, what = (value, "value") if is_number else (len(value), "length")
        if "min" in limits and size < limits["min"]:
            return f"Member must have {what} greater than or equal to {limits['min']}"
        if "max" in limits and size > limits["max"]:
            return f"Member must have {what} less than or equal to {limits['max']}"
    if isinstance(value, str):
        if "enum" in limits and value not in limits["enum"]:
            return f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
        last = ASCII if value.isascii() else sys.maxunicode
        if "pattern" in limits and compiled(limits["pattern"], last).fullmatch(value) is None:
            return f"Member must satisfy regular expression pattern: {limits['pattern']}"
    return ""


@cache
def compiled(pattern: str, last: int = sys.maxunicode) -> re.Pattern[str]:
    """A pattern of AWS's models, which are Java's, as Python's, for texts without characters beyond `last`.

    Raises re.error for one that is not known how to translate.
    """
    inside = False

    def translate(match: re.Match[str]) -> str:
        nonlocal inside
        piece = match[0]
        if match[1]:
            members = _POSIX.get(match[1]) or _category(match[1], last)
            return members if inside else f"[{members}]"
        if piece in {"[", "]"}:
            inside = piece == "["
            return piece
        return r"\Z" if piece == r"\z" else "$" if piece.startswith("${") else piece

    return re.compile(_PIECE.sub(translate, pattern.replace(_ASTRAL, r"\U00010000-\U0010FFFF")))


@cache
def _category(name: str, last: int) -> str:
    """The characters of a Unicode category (`L`, `Zs`) up to `last` as the inside of a character class."""
    ranges: list[list[int]] = []
    for code in range(last + 1):
        if unicodedata.category(chr(code)).startswith(name):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
