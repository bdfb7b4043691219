"""What a prune leaves alone."""

from datetime import UTC, datetime

from cli.data.prune import in_use
from cli.observe import Execution, Version
from contracts.metadata import ModelMetadata

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def run(dataset_version: str, status: str) -> Execution:
    return Execution("arn", "run", status, NOW, dataset_version, "")


def test_what_a_model_was_trained_on_and_what_a_run_reads_is_in_use() -> None:
    made = ModelMetadata(
        dataset_version="trained",
        run="r",
        git_commit="c",
        image="i",
        seed=1,
        libraries="",
        artifact_sha256="a",
        metric="roc_auc",
        score=0.9,
    )
    versions = [Version(1, "arn", "Rejected", "", NOW, made, {}), Version(2, "arn", "Approved", "", NOW, None, {})]
    runs = [run("executing", "Executing"), run("stopping", "Stopping"), run("failed", "Failed"), run("done", "Succeeded")]
    assert in_use(versions, runs) == {"trained", "executing", "stopping"}
