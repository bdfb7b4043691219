"""What the scenarios of batch predictions share: the command in this process, and what it leaves."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from cli.main import application
from contracts.batch.schedule import INPUT, OUTPUT, SUMMARY
from contracts.layout import BATCH
from tests.scenarios.loop import Loop


def place(loop: Loop) -> list[str]:
    """The options that name the app."""
    return ["--config", str(loop.app.project.folder / "tidewheel.yaml"), "--dir", str(loop.twin.cloud.folder)]


def predict(loop: Loop, table: str | Path, out: Path, *more: str) -> Result:
    """`tide predict --batch`."""
    return CliRunner().invoke(application, ["predict", "--batch", str(table), "--out", str(out), "--json", *place(loop), *more])


def summary(result: Result) -> dict[str, Any]:
    """What it says to machines."""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def rows(path: Path) -> list[dict[str, str]]:
    """A table that it wrote."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def left_in_s3(loop: Loop) -> list[str]:
    """What batches left in the artifacts bucket, old versions included."""
    found = loop.app.s3.list_object_versions(Bucket=loop.app.artifacts_bucket, Prefix=BATCH)
    return [each["Key"] for each in found.get("Versions", [])]


def wait_here(loop: Loop, name: str, content: bytes) -> str:
    """Put a table where the schedule looks; its URI."""
    loop.app.s3.put_object(Bucket=loop.app.data_bucket, Key=INPUT + name, Body=content)
    return f"s3://{loop.app.data_bucket}/{INPUT}{name}"


def told(loop: Loop) -> list[dict[str, Any]]:
    """What came of the tables that waited, of each object version, with the folder of its results."""
    found = loop.app.s3.list_objects_v2(Bucket=loop.app.data_bucket, Prefix=OUTPUT).get("Contents", [])
    keys = [each["Key"] for each in found if each["Key"].endswith(SUMMARY)]
    return [json.loads(loop.app.read(loop.app.data_bucket, key)) | {"folder": key.removesuffix(SUMMARY)} for key in keys]


def summaries(loop: Loop) -> dict[str, dict[str, Any]]:
    """The same by URI, where each table was put once."""
    return {each["source"]: each for each in told(loop)}


def result(loop: Loop, summary_: dict[str, Any], name: str) -> list[dict[str, str]]:
    """A table of a result."""
    content = loop.app.read(loop.app.data_bucket, summary_["folder"] + name).decode()
    return list(csv.DictReader(io.StringIO(content, newline="")))
