"""What a Content-Type and an Accept header mean."""

import pytest

from training.serving.media import ARROW, CSV, JSON, JSON_LINES, PARQUET, accepted, media_type


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/json", JSON),
        ("Application/JSON; charset=UTF-8", JSON),
        ('text/csv; charset="utf-8"; header=present', CSV),
        ("application/x-ndjson", JSON_LINES),
        ("application/x-parquet", PARQUET),
        ("application/vnd.apache.parquet", PARQUET),
        ("application/vnd.apache.arrow.stream", ARROW),
        ("text/csv; charset=latin-1", None),
        ("text/plain", None),
        ("", None),
    ],
)
def test_content_types(header: str, expected: str | None) -> None:
    assert media_type(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("*/*", JSON),
        ("", JSON),
        ("text/html, text/csv;q=0.5", CSV),
        ("application/jsonlines", JSON_LINES),
        ("application/json;q=0, text/*", CSV),
        ("image/png", None),
        ("application/vnd.apache.parquet", None),
    ],
)
def test_accept(header: str, expected: str | None) -> None:
    assert accepted(header) == expected
