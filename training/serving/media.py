"""What /invocations speaks, by Content-Type and Accept. Text is UTF-8."""

from collections.abc import Iterable

JSON = "application/json"
JSON_LINES = "application/jsonlines"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"

TABLES = frozenset({PARQUET, ARROW})  # as files: they come from data frames, and are read by a process of their own (tables.py)
GIVEN = (JSON, JSON_LINES, CSV)
TAKEN = frozenset(GIVEN) | TABLES

_SAME = {
    "application/x-jsonlines": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/x-ndjson": JSON_LINES,
    "application/x-parquet": PARQUET,
}
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def media_type(header: str) -> str | None:
    """The type, one of TAKEN, that a Content-Type header names, else None."""
    name, *parameters = (part.strip().lower() for part in header.split(";"))
    charsets = {text.removeprefix("charset=").strip("\"'") for text in parameters if text.startswith("charset=")}
    kind = _SAME.get(name, name)
    return kind if kind in TAKEN and charsets <= _CHARSETS else None


def accepted(header: str) -> str | None:
    """The type of GIVEN that an Accept header weighs most (RFC 9110, 12.5.1), None when it allows none of them.

    Of equal ones it is what the header names first, and JSON of a range. The nearest range counts: with `*/*, text/csv;q=0` no CSV is
    wanted. No header is a wish for anything.
    """
    wanted: dict[str, tuple[float, int]] = {}
    for place, choice in enumerate((header.strip() or "*/*").split(",")):
        name, *parameters = (part.strip().lower() for part in choice.split(";"))
        kind = _SAME.get(name, name)
        wanted[kind] = max((_weight(parameters), -place), wanted.get(kind, (0.0, 0)))
    ranges = ((kind, (kind, f"{kind.partition('/')[0]}/*", "*/*")) for kind in GIVEN)
    found = {kind: next((wanted[name] for name in names if name in wanted), (0.0, 0)) for kind, names in ranges}
    best = max(found, key=lambda kind: found[kind])
    return best if found[best][0] > 0 else None


def _weight(parameters: Iterable[str]) -> float:
    """Between 0 and 1; 1 where none is given, or what is given is no weight."""
    text = next((text.partition("=")[2] for text in parameters if text.partition("=")[0].rstrip() == "q"), "1")
    try:
        weight = float(text)
    except ValueError:
        return 1.0
    return weight if 0 <= weight <= 1 else 1.0
