"""Predictions are captured, labels come later, and both are joined by inference id: what monitoring will live on.

And tables are predicted in batches, by the same live model.
"""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from typer.testing import CliRunner

from cli.api import Answer, PredictionApi
from cli.main import application
from cli.openapi import described
from contracts.capture import CaptureRecord
from contracts.errors import TidewheelError
from contracts.ground_truth import GroundTruth
from contracts.inference import row_ids
from contracts.refusal import Refusal
from tests.formats import as_parquet
from tests.scenarios import batches
from tests.scenarios.fuzz import by_chance, by_description, grown, memory
from tests.scenarios.loop import ROW, Loop, table
from tests.scenarios.tide import start_tide
from twin.sagemaker import transform_run
from twin.sagemaker.capture import FLUSH_SECONDS
from twin.sagemaker.transform_records import RecordError

pytestmark = pytest.mark.timeout(280)

ROWS = [ROW | {"height": height} for height in (3.0, -3.0, 0.5)]


@pytest.fixture(scope="module")
def live(loop: Loop) -> Loop:
    """The app with a live model."""
    loop.accepted(table(300))
    loop.version(1, "Approved")
    loop.live(1)
    return loop


def _ask(loop: Loop, rows: list[dict[str, Any]], inference_id: str | None = None) -> dict[str, Any]:
    answer = loop.api().post(json.dumps({"instances": rows}).encode(), inference_id=inference_id)
    assert answer.status == 200
    found: dict[str, Any] = answer.document()
    return found


def _tell(loop: Loop, document: Any) -> Answer:
    return PredictionApi(loop.app.account, loop.app.feedback_url).post(json.dumps(document).encode())


def _lines(loop: Loop, bucket: str, prefix: str) -> list[bytes]:
    keys = [found["Key"] for found in loop.app.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())]
    bodies = [loop.app.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    return [line for body in bodies for line in body.splitlines()]


def _truths(loop: Loop) -> dict[str, str]:
    found = map(GroundTruth.from_line, _lines(loop, loop.app.data_bucket, "ground-truth/"))
    return {truth.inference_id: truth.label for truth in found}


def test_what_was_predicted_and_what_was_true_are_joined_by_row(live: Loop) -> None:
    single, many = _ask(live, ROWS[:1]), _ask(live, ROWS, "batch-7")
    labels = {row["inference_id"]: row["prediction"] for reply in (single, many) for row in reply["predictions"]}
    assert list(labels) == [single["inference_id"], "batch-7-1", "batch-7-2", "batch-7-3"]
    told = {"labels": [{"inference_id": name, "label": label} for name, label in labels.items()]}
    for _ in range(2):
        answer = _tell(live, told)
        assert (answer.status, answer.document()) == (202, {"count": 4})
    assert _truths(live) == labels

    live.twin.cloud.clock.advance(FLUSH_SECONDS)
    prefix = f"capture/{live.app.prefix}/AllTraffic/"
    lines = live.until("both requests to be captured", lambda: _captured(live, prefix, 2))
    joined = {}
    for record in map(CaptureRecord.from_line, lines):
        given, output = record.capture_data.endpoint_input, record.capture_data.endpoint_output
        assert given is not None
        assert output is not None
        assert (given.encoding, output.encoding) == ("JSON", "JSON")
        rows, answers = json.loads(given.body)["instances"], json.loads(output.body)["predictions"]
        for name, row, said in zip(row_ids(record.event_metadata.inference_id or "", len(rows)), rows, answers, strict=True):
            joined[name] = (row["height"], said["prediction"], _truths(live)[name])
    assert {name: found[1] for name, found in joined.items()} == labels
    assert all(said == truth for _, said, truth in joined.values())
    assert joined["batch-7-2"][0] == -3.0


def _captured(loop: Loop, prefix: str, count: int) -> list[bytes] | None:
    lines = _lines(loop, loop.app.artifacts_bucket, prefix)
    return lines if len(lines) == count else None


def test_labels_as_a_file_are_used_and_the_bad_rows_explained(live: Loop, tmp_path: Path) -> None:
    file = tmp_path / "march.csv"
    file.write_text("inference_id,label\nold-1,yes\nold-2,no\n,yes\n")
    place = ["--config", str(live.app.project.folder / "tidewheel.yaml"), "--dir", str(live.twin.cloud.folder)]
    told = CliRunner().invoke(application, ["feedback", str(file), *place, "--json"])
    assert told.exit_code == 0, told.output
    truths = live.until("the labels to be recorded", lambda: found if (found := _truths(live)).keys() >= {"old-1", "old-2"} else None)
    assert (truths["old-1"], truths["old-2"]) == ("yes", "no")

    def reasons() -> list[str] | None:
        listed = live.app.s3.list_objects_v2(Bucket=live.app.data_bucket, Prefix="quarantine/feedback/").get("Contents", ())
        return [found["Key"] for found in listed if found["Key"].endswith("reason.json")] or None

    (key,) = live.until("the reasons", reasons)
    assert f"s3://{live.app.data_bucket}/{key}" == json.loads(told.stdout)["refused"] + "reason.json"
    refusal = Refusal.model_validate_json(live.app.s3.get_object(Bucket=live.app.data_bucket, Key=key)["Body"].read())
    assert [(finding.column, finding.row) for finding in refusal.findings] == [("inference_id", 4)]


def test_a_label_that_cannot_be_used_is_told(live: Loop) -> None:
    answer = _tell(live, {"inference_id": "batch-7-1", "label": ""})
    assert answer.status == 422
    assert "label 1: label is missing" in answer.body.decode()


def test_a_batch_accounts_for_every_row_of_a_table(live: Loop, tmp_path: Path) -> None:
    lines = table(400, seed=6).splitlines()
    lines[7], lines[9] = lines[7].replace(",", ",windy", 1), "1,2"
    source, out = tmp_path / "table.csv", tmp_path / "out.csv"
    source.write_text("\n".join(lines) + "\n")
    result = batches.predict(live, source, out)
    told = batches.summary(result)
    assert result.exit_code == 1
    assert (told["rows"], told["predicted"], told["rejected"], told["failed"], told["ok"]) == (400, 398, 2, 0, False)
    missing = batches.rows(tmp_path / "out-missing.csv")
    assert [(row["row"], row["state"]) for row in missing] == [("8", "rejected"), ("10", "rejected")]
    assert "windy" in missing[0]["why"]
    predicted = batches.rows(out)
    assert [int(row["row"]) for row in predicted] == [number for number in range(2, 402) if number not in {8, 10}]
    named = [dict(zip(lines[0].split(","), lines[int(row["row"]) - 1].split(","), strict=True)) for row in predicted[:20]]
    same = _ask(live, [{"height": float(row["height"]), "wind": float(row["wind"]), "moon": row["moon"]} for row in named])
    assert [(each["prediction"], str(each["probability"])) for each in same["predictions"]] == [
        (row["prediction"], row["probability"]) for row in predicted[:20]
    ]
    assert batches.left_in_s3(live) == []
    assert live.app.sagemaker.list_models(NameContains="-batch-")["Models"] == []


def test_rows_on_which_the_model_fails_are_found_and_listed(live: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model answers nothing to a part that holds one of these rows, as Batch Transform writes nothing for it then."""
    poison = {50, 51, 300}
    answered = transform_run.Run._ask

    def ask(self: transform_run.Run, instance: Any, payload: bytes) -> bytes:
        if any(json.loads(line)["height"] in poison for line in payload.splitlines()):
            raise RecordError("it cannot compute with that")
        return answered(self, instance, payload)

    monkeypatch.setattr(transform_run.Run, "_ask", ask)
    source, out = tmp_path / "table.jsonl", tmp_path / "out.csv"
    source.write_text("".join(json.dumps({"height": number, "wind": 0, "moon": "new"}) + "\n" for number in range(1, 401)))
    result = batches.predict(live, source, out)
    told = batches.summary(result)
    assert (result.exit_code, told["predicted"], told["failed"], len(told["jobs"])) == (1, 397, 3, 3)
    missing = batches.rows(tmp_path / "out-missing.csv")
    assert {int(row["row"]) for row in missing} == poison
    assert all("See job logs" in row["why"] for row in missing)
    assert [int(row["row"]) for row in batches.rows(out)] == [number for number in range(1, 401) if number not in poison]
    assert batches.left_in_s3(live) == []


def test_a_table_in_s3_is_predicted_by_the_version_that_is_named(live: Loop, tmp_path: Path) -> None:
    live.app.s3.put_object(Bucket=live.app.data_bucket, Key="elsewhere/t.parquet", Body=as_parquet(table(30)))
    out = tmp_path / "out.csv"
    (tmp_path / "out-missing.csv").write_text("of an earlier run")
    result = batches.predict(live, f"s3://{live.app.data_bucket}/elsewhere/t.parquet", out, "--version", "1")
    assert result.exit_code == 0, result.output
    assert batches.summary(result)["version"] == 1
    assert len(batches.rows(out)) == 30
    assert not (tmp_path / "out-missing.csv").exists()


@pytest.mark.parametrize(
    ("content", "options", "word"),
    [
        ("", [], "is empty"),
        ("height,wind,moon\n", [], "a header and no row"),
        ("height,wind\n1,2\n", [], "no column moon"),
        ("height;wind;moon\n1;2;new\n", [], "semicolons"),
        ("height,wind,moon\n1,2,new\n", ["--version", "99"], "there is no version 99"),
        ("height,wind,moon\n1,2,new\n", ["--out", "table.csv"], "the table itself"),
        ("height,wind,moon\n1,2,new\n", ["--out", "no/folder/out.csv"], "cannot be written"),
        (None, [], "not there"),
    ],
)
def test_what_is_no_batch_says_so_and_leaves_nothing(
    live: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, options: list[str], word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("table.csv").write_text(content)
    result = CliRunner().invoke(application, ["predict", "--batch", "table.csv", *options, *batches.place(live)])
    assert isinstance(result.exception, TidewheelError)
    assert word in str(result.exception)
    assert {path.name for path in tmp_path.iterdir()} <= {"table.csv"}
    assert live.app.sagemaker.list_models(NameContains="-batch-")["Models"] == []


def test_an_interrupt_stops_the_job_and_leaves_nothing(live: Loop, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(table(60_000, seed=3))
    process = start_tide(tmp_path, "predict", "--batch", "table.csv", *batches.place(live))

    def jobs(status: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = live.app.sagemaker.list_transform_jobs(StatusEquals=status)["TransformJobSummaries"]
        return found

    live.until("the transform job", lambda: jobs("InProgress") or None)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    live.until("the end of the job", lambda: None if jobs("Stopping") else True)
    assert len(jobs("Stopped")) == 1
    assert "nothing was written" in (tmp_path / "tide.txt").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", "tide.txt"}
    assert batches.left_in_s3(live) == []


def test_the_api_tells_what_is_live_and_what_it_takes(live: Loop, tmp_path: Path) -> None:
    place = ["--config", str(live.app.project.folder / "tidewheel.yaml"), "--dir", str(live.twin.cloud.folder)]
    told = CliRunner().invoke(application, ["api", *place, "--json"])
    assert told.exit_code == 0, told.output
    model = json.loads(told.stdout)
    assert (model["version"], model["status"], model["notes"]) == (1, "InService", [])
    assert model["signature"]["features"] == {"height": "numeric", "wind": "numeric", "moon": "categorical"}
    assert model["artifact_sha256"] == _ask(live, ROWS[:1])["model"]["artifact_sha256"]
    assert model["metrics"] == live.app.version(1).metrics
    file = tmp_path / "openapi.json"
    assert CliRunner().invoke(application, ["api", *place, "--openapi", str(file)]).exit_code == 0
    OpenAPIV31SpecValidator(json.loads(file.read_text())).validate()


def test_no_request_breaks_the_api(live: Loop) -> None:
    document = described(live.app)
    by_chance(live, live.app.api_url, examples=5)  # so that predict has its process
    before = memory(live)
    assert by_description(document, live, examples=30) >= 60
    for url in (live.app.api_url, live.app.feedback_url):
        by_chance(live, url, examples=60)
    assert grown(live, before) < 40
