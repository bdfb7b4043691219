"""`tide train`: a run that a person asks for.

It goes through start_training, with the event that the dataset version's manifest once caused but another source, so a run is made in one
way only: S3's own event trains a new version once, any other cause has a run of its own.
"""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import typer

from cli.functions import invoke
from cli.observe import App, Execution
from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption, NoWaitOption
from cli.output import Output
from cli.waiting import wait_for
from contracts.errors import StateError
from contracts.events import DetailType

RUN_LIMIT = 6 * 3600.0
RUNNING = frozenset({"Executing", "Stopping"})
SUCCEEDED = "Succeeded"


def train(
    dataset_version: Annotated[
        str | None, typer.Option("--dataset-version", help="Which version to train on. Default: the newest.", show_default=False)
    ] = None,
    no_wait: NoWaitOption = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Start a training run on a dataset version, and wait for its end."""
    output = Output(machine)
    app = open_app(config, environment, directory, aws)
    version = dataset_version or newest_version(app)
    earlier = [execution for execution in app.executions() if execution.dataset_version == version]
    arn = start_run(app, version)
    again = f" (its run number {len(earlier) + 1}; the last one {earlier[0].status.lower()})" if earlier else ""
    output.say(f"started a run on dataset version {version}{again}")
    status = "Executing"
    if not no_wait:
        with output.phase("train, evaluate and register") as phase:
            execution = wait_for_execution(app, arn, RUN_LIMIT, phase.show)
            status = execution.status
            phase.result = f"{execution.name} {status}"
        output.say("Next: tide status")
    output.document({"ok": True, "dataset_version": version, "execution": arn, "status": status})


def newest_version(app: App) -> str:
    """The dataset version that was accepted last. Raises StateError when there is none."""
    manifests = app.manifests()
    if not manifests:
        raise StateError("there is no dataset version yet. Next: tide data push FILE.csv")
    return manifests[0][0].version


def run_of(app: App, dataset_version: str) -> Execution | None:
    """The newest run on a dataset version."""
    return next((execution for execution in app.executions() if execution.dataset_version == dataset_version), None)


def start_run(app: App, dataset_version: str) -> str:
    """Invoke start_training with the manifest's event; the execution's ARN. Raises StateError with the function's own error."""
    event = manifest_event(app, app.manifest_object(dataset_version), app.account.now(), str(uuid.uuid4()))
    return str(invoke(app, "start-training", event)["execution_arn"])


def manifest_event(app: App, manifest: dict[str, Any], now: datetime, identifier: str) -> dict[str, Any]:
    """S3's "Object Created" of a manifest (HeadObject's reply with its Key), as EventBridge delivers it."""
    return {
        "version": "0",
        "id": identifier,
        "source": "tidewheel.cli",
        "detail-type": DetailType.OBJECT_CREATED,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": app.account.region,
        "account": "",
        "resources": [],
        "detail": {
            "bucket": {"name": app.data_bucket},
            "object": {
                "key": manifest["Key"],
                "size": manifest["ContentLength"],
                "etag": manifest["ETag"].strip('"'),
                "version-id": manifest["VersionId"],
            },
        },
    }


def wait_for_execution(app: App, arn: str, limit: float, show: Callable[[str], None] = lambda _: None) -> Execution:
    """A run, when it has succeeded. Raises StateError with the reason of its failure."""
    seen = ""

    def look() -> Execution | None:
        nonlocal seen
        execution = app.execution(arn)
        seen = steps_in_words(app, arn) or execution.status
        show(seen)
        return None if execution.status in RUNNING else execution

    execution = wait_for(f"run {arn} to end", look, limit, interval=0.5, seen=lambda: seen)
    if execution.status != SUCCEEDED:
        raise StateError(f"run {execution.name} {execution.status}: {execution.reason or 'no reason given'}. Next: tide status")
    return execution


def steps_in_words(app: App, arn: str) -> str:
    """A run's steps and their states."""
    steps = app.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")["PipelineExecutionSteps"]
    return ", ".join(f"{step['StepName']} {step['StepStatus']}" for step in steps)
