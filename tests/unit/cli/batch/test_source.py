"""What a table's results are named after."""

from pathlib import Path

import pytest

from cli.batch.source import Source


@pytest.mark.parametrize(
    ("shown", "stem"),
    [
        ("customers.csv", "customers"),
        ("in/customers.2026-11.csv", "customers.2026-11"),
        ("s3://bucket/exports/customers.2026-12.CSV.gz", "customers.2026-12"),
        ("a.ndjson.gz", "a"),
        ("a.b.parquet", "a.b"),
        ("notes.txt", "notes.txt"),
    ],
)
def test_only_the_format_is_left_out_of_a_results_name(shown: str, stem: str) -> None:
    assert Source(shown, Path(shown)).stem == stem
