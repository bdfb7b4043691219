"""What the proof deploys: all that a project can switch on and the story can tell."""

from pathlib import Path

from cli.project import Project, load_project
from cli.prove_iam.setting import proof_project, replaced

TABLE = """
project: tides
data:
  dataset: tides
  target: swims
  problem: binary
  positive: "yes"
  features: {height: numeric, moon: categorical}
"""


def _proven(folder: Path, more: str = "") -> tuple[Project, Project]:
    own = folder / "tidewheel.yaml"
    own.write_text(TABLE + more)
    (folder / "proof").mkdir()
    project = load_project(own)
    return project, proof_project(project, folder / "proof")


def test_stream_and_schedule_are_proven_though_the_project_has_neither(tmp_path: Path) -> None:
    project, proven = _proven(tmp_path)
    assert (project.config.stream.enabled, project.config.batch.schedule) == (False, None)
    assert proven.config.stream.enabled
    assert proven.config.batch.schedule is not None
    assert replaced(project, proven) == []


def test_a_stream_takes_no_private_columns_so_it_stays_away(tmp_path: Path) -> None:
    _, proven = _proven(tmp_path, "  privacy: {hash: [moon]}\n")
    assert not proven.config.stream.enabled


def test_what_is_proven_in_place_of_the_projects_own_is_told(tmp_path: Path) -> None:
    project, proven = _proven(tmp_path, "monitoring: {backend: model_monitor}\n")
    assert replaced(project, proven) == ["monitoring.backend: processing_job instead of model_monitor"]
