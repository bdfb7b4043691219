"""`tide data push`: a table into the loop."""

from pathlib import Path
from typing import Annotated

import typer

from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption, NoWaitOption
from cli.output import Output
from cli.upload import upload_table, wait_for_decision

data = typer.Typer(help="Datasets: push a table into the loop.", no_args_is_help=True)


@data.callback()
def group() -> None:
    """Datasets: push a table into the loop."""


@data.command()
def push(
    file: Annotated[Path, typer.Argument(help="A CSV file of the project's data contract.", show_default=False)],
    name: Annotated[str | None, typer.Option("--name", help="Its name in the bucket. Default: the file's.", show_default=False)] = None,
    no_wait: NoWaitOption = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Upload a table, and wait until it is accepted as a dataset version or refused with its reasons."""
    output = Output(machine)
    app = open_app(config, environment, directory, aws)
    known = {manifest.version for manifest, _ in app.manifests()}
    with output.phase("upload") as phase:
        size = max(1, file.stat().st_size) if file.is_file() else 1
        upload = upload_table(app, file, name or file.name, lambda sent: phase.show(f"{sent / size:.0%} of {size:,} bytes"))
        phase.result = upload.uri
    if no_wait:
        output.say("Next: tide status says what became of it")
        output.document({"ok": True, "uri": upload.uri, "sha256": upload.sha256, "dataset_version": None})
        return
    with output.phase("check against the data contract") as phase:
        manifest = wait_for_decision(app, upload)
        phase.result = f"dataset version {manifest.version}, {manifest.rows:,} rows"
    new = manifest.version not in known
    output.say(
        "training starts by itself. Next: tide status"
        if new
        else "the same rows were accepted before, so nothing is trained by itself. Next: tide train, to train on them again"
    )
    output.document(
        {
            "ok": True,
            "uri": upload.uri,
            "sha256": upload.sha256,
            "dataset_version": manifest.version,
            "rows": manifest.rows,
            "new": new,
        }
    )
