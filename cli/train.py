"""`tide train`: a run that a person asks for.

It goes through start_training, with the event that the dataset version's manifest once caused, so a run is made in one way only. One cause
is one run: a version that was trained on already is reported, and nothing is started.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.account import find_account
from cli.observe import App, Execution
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption, NoWaitOption
from cli.output import Output
from cli.project import load_project
from cli.waiting import wait_for
from contracts.errors import StateError
from contracts.events import DetailType

START_LIMIT = 120.0
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
    project = load_project(config, environment)
    app = App(find_account(directory or project.state, aws), project)
    version = dataset_version or newest_version(app)
    before = run_of(app, version)
    if before is None:
        start_run(app, version)
        output.say(f"asked start_training for a run on dataset version {version}")
    else:
        output.say(f"dataset version {version} has a run already: {before.name}, {before.status}; nothing was started")
    execution = before
    if not no_wait:
        with output.phase("train, evaluate and register") as phase:
            execution = wait_for_run(app, version, RUN_LIMIT, phase.show)
            phase.result = f"{execution.name} {execution.status}"
    output.document(
        {
            "ok": True,
            "dataset_version": version,
            "started": before is None,
            "execution": execution.arn if execution else None,
            "status": execution.status if execution else None,
        }
    )


def newest_version(app: App) -> str:
    """The dataset version that was accepted last. Raises StateError when there is none."""
    manifests = app.manifests()
    if not manifests:
        raise StateError("there is no dataset version yet. Next: tide data push FILE.csv")
    return manifests[0][0].version


def run_of(app: App, dataset_version: str) -> Execution | None:
    """The newest run on a dataset version."""
    return next((execution for execution in app.executions() if execution.dataset_version == dataset_version), None)


def start_run(app: App, dataset_version: str) -> None:
    """Invoke start_training with the manifest's event. Raises StateError with the function's own error."""
    event = manifest_event(app, app.manifest_object(dataset_version), datetime.now(UTC), str(uuid.uuid4()))
    name = f"{app.prefix}-start-training"
    reply = app.account.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    if reply.get("FunctionError"):
        error = json.loads(reply["Payload"].read())
        raise StateError(f"{name} failed: {error.get('errorType')}: {error.get('errorMessage')}. Next: its log group, /aws/lambda/{name}")


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


def wait_for_run(app: App, dataset_version: str, limit: float, show: Any = lambda _: None) -> Execution:
    """The run on a dataset version, when it has succeeded. Raises StateError with the reason of its failure."""
    seen = ""

    def look() -> Execution | None:
        nonlocal seen
        execution = run_of(app, dataset_version)
        if execution is None:
            return None
        seen = _steps(app, execution)
        show(seen)
        return None if execution.status in RUNNING else execution

    what = f"the run on dataset version {dataset_version}"
    wait_for(f"{what} to start", lambda: run_of(app, dataset_version), START_LIMIT)
    execution = wait_for(f"{what} to end", look, limit, interval=0.5, seen=lambda: seen)
    if execution.status != SUCCEEDED:
        raise StateError(f"{what} is {execution.status}: {execution.reason or 'no reason given'}. Next: mend the data or tidewheel.yaml")
    return execution


def _steps(app: App, execution: Execution) -> str:
    steps = app.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution.arn, SortOrder="Ascending")["PipelineExecutionSteps"]
    return ", ".join(f"{step['StepName']} {step['StepStatus']}" for step in steps) or execution.status
