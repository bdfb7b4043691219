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
        ("application/json;q=0, */*", JSON_LINES),
        ("*/*, application/json;q=0.0000", JSON_LINES),
        ("text/csv;q=0.1, application/json", JSON),
        ("*/*;q=0.1, text/csv", CSV),
        ("text/csv; q=0.1, */*; q=1", JSON),
        ("text/html, */*;q=0.8", JSON),
        ("text/csv, application/json", CSV),
        ("application/json, text/csv", JSON),
        ("application/*;q=0, text/*;q=0", None),
        ("text/csv;q=much, application/json;q=0.9", CSV),
        ("text/csv;q=nan, application/json;q=2", CSV),
        ("*/*;q=0", None),
        ("image/png", None),
        ("application/vnd.apache.parquet", None),
    ],
)
def test_accept(header: str, expected: str | None) -> None:
    assert accepted(header) == expected
