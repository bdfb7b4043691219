"""`tide` in a folder of the test's own, and tables to give it."""

import csv
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from cli.main import application
from tests.unit.cli.datasets.conftest import BUCKET, Counting

Write = Callable[..., Path]
Tide = Callable[..., Result]


@pytest.fixture
def tide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tide:
    """Run a command in an empty folder, with no AWS variables; the result holds exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "TIDEWHEEL_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(application, list(arguments), **options)

    return run


@pytest.fixture
def s3() -> Iterator[Counting]:
    """An empty, versioned bucket."""
    with mock_aws():
        client = boto3.client("s3", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield Counting(client)


@pytest.fixture
def write_table(tmp_path: Path) -> Write:
    """Write a CSV file; its path."""

    def write(header: Sequence[str], rows: Sequence[Sequence[object]], name: str = "table.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        return path

    return write


@pytest.fixture
def churn(write_table: Write) -> Path:
    """A small table with every kind of column, and a few that are no features."""
    chance = random.Random(7)
    rows = [
        [
            f"c-{n}",
            chance.random(),
            chance.choice(["a", "b", "c"]),
            chance.choice(["yes", "no"]),
            f"2026-01-{n % 28 + 1:02}",
            1,
            "Yes" if n % 4 == 0 else "No",
        ]
        for n in range(100)
    ]
    return write_table(("customer", "amount", "plan", "paperless", "joined", "constant", "Churn"), rows, "Telco Churn.csv")
