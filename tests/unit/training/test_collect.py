"""collect, on a mocked S3: captures and labels in, a dataset version out, the same each time."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws
from pyarrow import parquet

from contracts.capture import CaptureData, CaptureRecord, Encoding, EventMetadata, Payload
from contracts.collection import Collection
from contracts.columns import ColumnKind, Value, parse
from contracts.config import Data
from contracts.ground_truth import GroundTruth, GroundTruthData
from contracts.layout import capture_prefix, ground_truth_key, manifest_key
from contracts.manifest import ColumnSummary, Manifest
from tests.unit.training.tables import BUCKET, contract, table, upload
from training.__main__ import main
from training.joining import Joiner, Labels, to_line
from training.paths import Paths
from training.serving.media import CSV, JSON, PARQUET
from training.text import read_table

START = datetime(2026, 11, 20, 10, tzinfo=UTC)
END = START + timedelta(hours=3)
ARTIFACTS = "artifacts-bucket"
Row = dict[str, Any]


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=ARTIFACTS)
        yield client


def features(number: int) -> Row:
    return {"size": number / 8, "colour": "blue, dark", "used": number % 2 == 0, "sold at": "2026-01-02T03:04:05+00:00"}


def record(number: int, body: bytes, kind: str = JSON, minute: float | None = None, encoding: Encoding = Encoding.JSON) -> str:
    """A line of a capture file; by default a request a minute."""
    return CaptureRecord(
        capture_data=CaptureData(endpoint_input=Payload.of("INPUT", kind, body, encoding)),
        event_metadata=EventMetadata(
            event_id=f"event-{number}",
            inference_id=f"request-{number}",
            inference_time=START + timedelta(minutes=number if minute is None else minute),
        ),
    ).to_line()


def request(*numbers: int) -> bytes:
    return json.dumps({"instances": [features(number) for number in numbers]}).encode()


def capture(s3: Any, lines: list[str], hour: int = 0, name: str = "a") -> None:
    key = f"capture/{capture_prefix('shop-dev', 'AllTraffic', START + timedelta(hours=hour))}{name}.jsonl"
    s3.put_object(Bucket=ARTIFACTS, Key=key, Body="\n".join(lines).encode())


def label(s3: Any, labels: dict[str, str], hour: int = 4, junk: str = "") -> None:
    lines = [GroundTruth.of(identifier, text).to_line() for identifier, text in labels.items()]
    body = "\n".join([*lines, junk]).encode()
    s3.put_object(Bucket=BUCKET, Key=ground_truth_key(START + timedelta(hours=hour), 0, f"{hour}"), Body=body)


def labels_of(numbers: range) -> dict[str, str]:
    return {f"request-{number}": "yes" if number % 2 else "no" for number in numbers}


def parent(data: Data) -> Manifest:
    """The champion's dataset version, in the bucket."""
    columns = (ColumnSummary(name="size", role="feature", kind=ColumnKind.NUMERIC, missing=3),)
    manifest = upload(table(data.problem).encode(), data, rows=160).model_copy(update={"columns": columns})
    key = manifest_key(manifest.dataset, manifest.version)
    boto3.client("s3", region_name="us-east-1").put_object(Bucket=BUCKET, Key=key, Body=manifest.to_json().encode())
    return manifest


def collect(tmp_path: Path, manifest: Manifest, name: str = "r1", minimum: int = 20, status: int = 0) -> Collection:
    """Run the job; what it says that it found."""
    paths = Paths(tmp_path)
    options = ["--name", name, "--captures", f"s3://{ARTIFACTS}/capture/shop-dev/AllTraffic", "--labels", f"s3://{BUCKET}/ground-truth"]
    options += ["--start", START.isoformat(), "--end", END.isoformat(), "--data-bucket", BUCKET, "--minimum-labels", str(minimum)]
    options += ["--parent", f"s3://{BUCKET}/{manifest_key(manifest.dataset, manifest.version)}"]
    assert main(["collect", *options], paths) == status, paths.message.read_text()
    return Collection.from_json(read(f"collected/{name}/collection.json"))


def read(key: str) -> bytes:
    body: bytes = boto3.client("s3", region_name="us-east-1").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


def collected(name: str = "r1") -> list[Row]:
    return list(csv.DictReader(io.StringIO(read(f"collected/{name}/labelled.csv").decode(), newline="")))


def test_the_labelled_requests_become_a_version_behind_the_champions_rows(s3: Any, tmp_path: Path) -> None:
    before = parent(contract("binary", time="when"))
    capture(s3, [record(number, request(number)) for number in range(59, -1, -1)])
    capture(s3, [record(number, request(number)) for number in range(60, 80)], hour=1)
    label(s3, labels_of(range(70)))
    found = collect(tmp_path, before)
    assert (found.rows, found.unlabelled, found.unreadable, found.why) == (70, 10, 0, "")
    rows = collected()
    assert [row["id"] for row in rows] == [f"request-{number}" for number in range(70)]
    assert rows[1] == {
        "id": "request-1",
        "when": "2026-11-20T10:01:00+00:00",
        "size": "0.125",
        "colour": "blue, dark",
        "used": "false",
        "sold at": "2026-01-02T03:04:05+00:00",
        "answer": "yes",
    }
    after = Manifest.from_json(read(str(found.manifest_key)))
    assert (after.version, after.parents, after.contract) == (found.dataset_version, (before.version,), before.contract)
    assert after.files[:-1] == before.files
    assert after.files[-1].rows == 70
    assert after.columns[0].missing == 3
    assert after.fresh is not None
    assert (after.fresh.rows, after.fresh.start, after.fresh.end) == (70, START, START + timedelta(minutes=69, microseconds=1))


def test_run_twice_it_is_the_same_and_nothing_is_written_again(s3: Any, tmp_path: Path) -> None:
    before = parent(contract("binary"))
    capture(s3, [record(number, request(number)) for number in range(40)])
    label(s3, labels_of(range(40)))
    first = collect(tmp_path, before)
    objects = s3.list_object_versions(Bucket=BUCKET)["Versions"]
    assert collect(tmp_path, before) == first
    assert s3.list_object_versions(Bucket=BUCKET)["Versions"] == objects
    assert collect(tmp_path, before, name="r2").dataset_version == first.dataset_version
    label(s3, {"request-1": "no"}, hour=5)
    collect(tmp_path, before, status=1)
    assert "holds another collection's content" in Paths(tmp_path).message.read_text()


def test_the_last_label_counts_and_each_event_and_inference_once(s3: Any, tmp_path: Path) -> None:
    before = parent(contract("binary"))
    lines = [record(number, request(number)) for number in range(30)]
    again = CaptureRecord.from_line(lines[3])
    retried = again.model_copy(update={"event_metadata": again.event_metadata.model_copy(update={"event_id": "event-3b"})})
    capture(s3, [*lines, retried.to_line()])
    capture(s3, lines[:5], name="b")
    label(s3, labels_of(range(30)))
    label(s3, {"request-0": "yes", "request-99": "no"}, hour=6)
    assert collect(tmp_path, before).rows == 30
    assert [row["answer"] for row in collected()[:3]] == ["yes", "yes", "no"]


def test_what_cannot_be_read_is_counted_and_the_rest_is_used(s3: Any, tmp_path: Path) -> None:
    before = parent(contract("binary"))
    lines = [record(number, request(number)) for number in range(30)]
    broken = [
        "{not json",
        record(31, b'{"instances": [{"size": 1}]}'),
        record(32, b"a,b\n", CSV, encoding=Encoding.CSV),
        record(33, request(33), "text/html"),
        record(34, b"\xff\xfe", encoding=Encoding.BASE64),
    ]
    capture(s3, [*lines, *broken, record(35, request(35), minute=-1), record(36, request(36), minute=180)])
    label(s3, labels_of(range(40)), junk='{"groundTruthData": 7}')
    found = collect(tmp_path, before)
    assert (found.rows, found.unreadable) == (30, 6)


@pytest.mark.parametrize("text", ["a\rb", "a,b", "", '"a', "x" * 200_000, '"a\nb"c'])
def test_a_label_that_is_no_cell_is_counted(text: str) -> None:
    known = Labels(contract("regression"))
    line = GroundTruth.of("request-1", "7").model_copy(update={"ground_truth_data": GroundTruthData(data=text)}).to_line()
    known.add(line.encode())
    assert (known.texts, known.unreadable) == ({}, 1)


def as_parquet(records: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(records), file)
    return file.getvalue()


def test_requests_of_every_shape_with_many_rows_are_labelled_row_by_row(s3: Any, tmp_path: Path) -> None:
    before = parent(contract("regression"))
    one, two = features(1), features(2)
    lines = [
        record(1, json.dumps([one, two]).encode()),
        record(2, f"{json.dumps(one)}\n{json.dumps(two)}".encode(), "application/jsonlines"),
        record(3, b'colour,size,used,sold at\n"blue, dark",0.125,no,\nred,,yes,\n', CSV, encoding=Encoding.CSV),
        record(4, json.dumps(one).encode(), encoding=Encoding.BASE64),
        record(5, request(*range(40))),
        record(6, as_parquet([one, two]), PARQUET, encoding=Encoding.BASE64),
    ]
    capture(s3, lines)
    label(s3, {"request-1-1": "1", "request-1-2": "2", "request-2-2": "3.5", "request-3-1": "4", "request-3-2": "5", "request-4": "6"})
    label(s3, {f"request-5-{number}": str(number) for number in range(1, 41)} | {"request-2-1": "many"}, hour=5)
    label(s3, {"request-6-2": "7"}, hour=6)
    found = collect(tmp_path, before)
    assert (found.rows, found.unlabelled, found.unreadable) == (47, 2, 1)
    rows = collected()
    assert [(row["id"], row["size"], row["answer"]) for row in rows[:6]] == [
        ("request-1-1", "0.125", "1"),
        ("request-1-2", "0.25", "2"),
        ("request-2-2", "0.25", "3.5"),
        ("request-3-1", "0.125", "4"),
        ("request-3-2", "", "5"),
        ("request-4", "0.125", "6"),
    ]
    assert (rows[-1]["id"], rows[-1]["size"], rows[-1]["answer"]) == ("request-6-2", "0.25", "7")
    after = Manifest.from_json(read(str(found.manifest_key)))
    assert after.columns[0].missing == 4


@pytest.mark.parametrize(
    ("labels", "minimum", "why"),
    [
        ({}, 20, "0 rows have a label, and 20 are needed"),
        (labels_of(range(30)), 31, "30 rows have a label, and 31 are needed"),
        ({f"request-{number}": "no" if number else "yes" for number in range(40)}, 20, "'not yes'; two classes need 2 rows each"),
    ],
    ids=["none", "few", "one class"],
)
def test_too_few_labels_make_no_version_and_say_why(s3: Any, tmp_path: Path, labels: dict[str, str], minimum: int, why: str) -> None:
    before = parent(contract("binary"))
    capture(s3, [record(number, request(number)) for number in range(40)])
    label(s3, labels)
    found = collect(tmp_path, before, minimum=minimum)
    assert why in found.why
    assert (found.dataset_version, found.manifest_key) == (None, None)
    manifests = s3.list_objects_v2(Bucket=BUCKET, Prefix="datasets/")["KeyCount"]
    assert manifests == 1


texts = st.text(st.characters(codec="utf-8"), max_size=12)
cells = {
    ColumnKind.NUMERIC: st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.sampled_from(["", "NA", "1e5", " 7 "]),
    ColumnKind.CATEGORICAL: texts,
    ColumnKind.BOOLEAN: st.sampled_from(["yes", "no", "1", "0.0", "", "null"]),
    ColumnKind.DATETIME: st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
    | st.sampled_from(["", "2026-11-20", "2026-11-20T10:00:00+05:30"]),
}
kinds = {"n": ColumnKind.NUMERIC, "c": ColumnKind.CATEGORICAL, "b": ColumnKind.BOOLEAN, "d": ColumnKind.DATETIME}
DATA = Data.model_validate(
    {"dataset": "demo", "target": "t", "problem": "multiclass", "id": "i", "features": {name: str(kind) for name, kind in kinds.items()}}
)
rows_of_cells = st.lists(st.fixed_dictionaries({name: cells[kind] for name, kind in kinds.items()}), min_size=1, max_size=5)


def json_value(value: Value) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


@given(rows=rows_of_cells, labels=st.lists(texts.filter(str.strip), min_size=5, max_size=5), as_csv=st.booleans())
@settings(deadline=None)
def test_values_survive_table_request_capture_and_table(
    rows: list[dict[str, str]], labels: list[str], as_csv: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = [{name: parse(kind, row[name]) for name, kind in kinds.items()} for row in rows]
    if as_csv:
        body = b"".join(to_line([row[name] for name in kinds]) for row in rows)
    else:
        body = json.dumps({"instances": [{name: json_value(value) for name, value in row.items()} for row in values]}).encode()
    names = ["request-1"] if len(rows) == 1 else [f"request-1-{number}" for number in range(1, len(rows) + 1)]
    known = Labels(DATA)
    for name, text in zip(names, labels, strict=False):
        known.add(GroundTruth.of(name, text).to_line().encode())
    joiner = Joiner(DATA, known, START, END)
    line = record(1, body, CSV if as_csv else JSON, encoding=Encoding.CSV if as_csv else Encoding.JSON)
    made = list(joiner.join([line.encode()]))
    assert joiner.unreadable == 0
    file = b"".join(map(to_line, [joiner.header, *made]))
    back = read_table(io.BytesIO(file), "labelled.csv", joiner.header)
    found = [{name: parse(kind, row[name]) for name, kind in kinds.items()} for _, row in back.iterrows()]
    assert found == values
    assert [text.strip() for text in back["t"]] == [text.strip() for text in labels[: len(rows)]]
