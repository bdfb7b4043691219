"""Predictions are captured, labels come later, and both are joined by inference id: what monitoring will live on."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.api import Answer, PredictionApi
from cli.main import application
from contracts.capture import CaptureRecord
from contracts.ground_truth import GroundTruth
from contracts.inference import row_ids
from contracts.refusal import Refusal
from tests.scenarios.loop import ROW, Loop, table
from twin.sagemaker.capture import FLUSH_SECONDS

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
