"""What /invocations speaks, by Content-Type and Accept. Text is UTF-8."""

JSON = "application/json"
JSON_LINES = "application/jsonlines"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"

TABLES = frozenset({PARQUET, ARROW})  # as files: they come from data frames, and are read by a process of their own (tables.py)
TAKEN = frozenset({JSON, JSON_LINES, CSV}) | TABLES
GIVEN = frozenset({JSON, JSON_LINES, CSV})

_SAME = {
    "application/x-jsonlines": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/x-ndjson": JSON_LINES,
    "application/x-parquet": PARQUET,
}
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
_NEVER = frozenset({"q=0", "q=0.0", "q=0.00", "q=0.000"})


def media_type(header: str) -> str | None:
    """The type, one of TAKEN, that a Content-Type header names, else None."""
    name, *parameters = (part.strip().lower() for part in header.split(";"))
    charsets = {text.removeprefix("charset=").strip("\"'") for text in parameters if text.startswith("charset=")}
    kind = _SAME.get(name, name)
    return kind if kind in TAKEN and charsets <= _CHARSETS else None


def accepted(header: str) -> str | None:
    """The type to answer with: the first of GIVEN that an Accept header names with any weight above zero, else None."""
    for choice in header.split(","):
        name, *parameters = (part.strip().lower() for part in choice.split(";"))
        if any(text.replace(" ", "") in _NEVER for text in parameters):
            continue
        if name in {"", "*/*", "application/*"}:
            return JSON
        if name == "text/*":
            return CSV
        kind = _SAME.get(name, name)
        if kind in GIVEN:
            return kind
    return None
