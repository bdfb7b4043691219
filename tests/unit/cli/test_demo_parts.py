"""The demo's parts: the drift that it makes, what it deploys, and the model that breaks."""

import statistics
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxruntime import InferenceSession
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from sklearn.linear_model import Ridge

from cli.demo.broken import break_archive
from cli.demo.drift import remeasured
from cli.demo.setting import demo_project
from cli.hours import full_hour
from cli.project import REPOSITORY, load_project
from cli.prove_iam.setting import proof_project, replaced
from contracts.columns import ColumnKind
from contracts.evaluation import Problem
from training.artifact import artifact_digest, unpack
from training.export.graph import graph_of

FEATURES = {"size": ColumnKind.NUMERIC, "plan": ColumnKind.CATEGORICAL, "new": ColumnKind.BOOLEAN, "since": ColumnKind.DATETIME}


def record(size: float | None, plan: str | None) -> dict[str, Any]:
    return {"size": size, "plan": plan, "new": True, "since": "2026-01-01"}


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=2, max_size=50).filter(lambda sizes: statistics.pstdev(sizes) > 1e-3))
def test_new_readings_lie_elsewhere_and_in_the_opposite_order(sizes: list[float]) -> None:
    new = [each["size"] for each in remeasured([record(size, "a") for size in sizes], FEATURES)]
    # Four standard deviations up, and a quarter wider.
    assert statistics.fmean(new) == pytest.approx(statistics.fmean(sizes) + 4 * statistics.pstdev(sizes), rel=1e-6, abs=1e-3)
    assert statistics.pstdev(new) == pytest.approx(1.25 * statistics.pstdev(sizes), rel=1e-6)
    assert all((new[i] - new[0]) * (sizes[i] - sizes[0]) <= 0 for i in range(len(sizes)))


def test_categories_are_worded_anew_and_the_rest_stays() -> None:
    (first, second) = remeasured([record(1.0, "gold"), record(None, None)], FEATURES)
    assert first == {"size": 1.0, "plan": "new gold", "new": True, "since": "2026-01-01"}
    assert second == record(None, None)


def test_a_column_without_a_value_is_left_alone() -> None:
    assert remeasured([record(None, "a")], FEATURES)[0]["size"] is None


def test_the_demo_deploys_the_project_with_short_windows_and_a_canary(tmp_path: Path) -> None:
    project = load_project(REPOSITORY / "tidewheel.yaml", "prod")
    deployed = demo_project(project, tmp_path)
    config = deployed.config
    assert (config.prefix, config.data, config.training, config.approval) == (
        project.config.prefix,
        project.config.data,
        project.config.training,
        project.config.approval,
    )
    assert (config.monitoring.window_hours, config.monitoring.alarm.needed) == (1, 1)
    assert (config.serving.rollout.type, config.serving.rollout.step_percent) == ("canary", 10)
    assert config.serving.instance_count == project.config.serving.instance_count


def test_one_instance_becomes_two_so_that_there_can_be_a_canary(tmp_path: Path) -> None:
    text = (REPOSITORY / "tidewheel.yaml").read_text().split("serving:")[0]
    (tmp_path / "tidewheel.yaml").write_text(
        f"{text}serving: {{instance_count: 1, max_instance_count: 1, rollout: {{type: all_at_once}}}}\n"
    )
    (tmp_path / "demo").mkdir()
    serving = demo_project(load_project(tmp_path / "tidewheel.yaml"), tmp_path / "demo").config.serving
    assert (serving.instance_count, serving.max_instance_count) == (2, 2)


def test_what_captures_nothing_is_shown_on_instances_and_without_memory(tmp_path: Path) -> None:
    text = (REPOSITORY / "tidewheel.yaml").read_text().split("serving:")[0]
    serving = "serving: {mode: serverless, rollout: {type: all_at_once}}\nmonitoring: {capture_percent: 0}\n"
    (tmp_path / "tidewheel.yaml").write_text(f"{text}{serving}api: {{maximum_body_kilobytes: 4096, cache_seconds: 60}}\n")
    project = load_project(tmp_path / "tidewheel.yaml")
    folder = tmp_path / "shown"
    folder.mkdir()
    for config in (demo_project(project, folder).config, proof_project(project, folder).config):
        assert (config.serving.is_serverless, config.api.cache_seconds, config.monitoring.capture_percent) == (False, 0, 100)
    proven = proof_project(project, folder)
    assert replaced(project, proven) == ["serving.mode: realtime instead of serverless"]
    assert replaced(proven, proven) == []


def test_a_broken_archive_answers_one_row_and_has_a_digest_that_the_server_accepts(tmp_path: Path) -> None:
    graph = graph_of(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]), Problem.REGRESSION, 1, None)
    (tmp_path / "model.onnx").write_bytes(graph)
    (tmp_path / "signature.json").write_text("{}")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        for name in ("signature.json", "model.onnx"):
            tar.add(tmp_path / name, name)
    digest = break_archive(tmp_path / "model.tar.gz", tmp_path / "work")
    unpack(tmp_path / "model.tar.gz", tmp_path / "served")
    assert artifact_digest(tmp_path / "served") == digest
    session = InferenceSession(tmp_path / "served" / "model.onnx")
    assert session.run(None, {"features": np.zeros((1, 1))})[0].shape == (1, 1)
    with pytest.raises(InvalidArgument, match="invalid dimensions"):
        session.run(None, {"features": np.zeros((2, 1))})


def test_the_next_full_hour() -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert full_hour(noon) == noon
    assert full_hour(noon.replace(minute=1)) == noon.replace(hour=13)
    assert full_hour(noon.replace(hour=23, second=1)).day == 21
