"""`tide data push`: a table into the loop, or any files as a version of a dataset of their own."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.data.options import NameOption, dataset_name, open_index, open_store
from cli.datasets.push import push_tree
from cli.datasets.store import Store
from cli.observe import App
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption, NoWaitOption
from cli.output import Output
from cli.upload import Upload, accepted, read_table, send_table, wait_for_decision
from contracts.manifest import Manifest


def push(
    path: Annotated[
        Path, typer.Argument(help="A table of the project, or a folder of its files; with --name anything.", show_default=False)
    ],
    name: NameOption = None,
    no_wait: NoWaitOption = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Push a version. A table of the project's dataset is checked against its data contract, and trained on when it is good."""
    output = Output(machine)
    app, store = open_store(config, environment, directory, aws)
    dataset = dataset_name(app, name)
    if dataset == app.project.config.data.dataset:
        _push_table(app, path, no_wait, output)
    else:
        _push_files(app, store, dataset, path, output)


def _push_files(app: App, store: Store, dataset: str, path: Path, output: Output) -> None:
    with open_index(app) as index, output.phase("push") as phase:
        done = push_tree(store, index, dataset, path, phase.show, app.account.now)
        what = f"{done.sent_files:,} of {len(done.tree.files):,} files sent, {done.sent_bytes:,} bytes"
        phase.result = f"{dataset}/{done.tree.version}: {what}" + ("" if done.new else "; the version was there already")
    output.document(
        {
            "ok": True,
            "dataset": dataset,
            "version": done.tree.version,
            "new": done.new,
            "files": len(done.tree.files),
            "bytes": done.tree.size,
            "sent_files": done.sent_files,
            "sent_bytes": done.sent_bytes,
        }
    )


def _push_table(app: App, path: Path, no_wait: bool, output: Output) -> None:
    with open_index(app) as index, output.phase("upload") as phase:
        table = read_table(app, index, path, path.resolve().name if path.is_dir() else path.name)
        there = accepted(app, table.contents)
        if there is None:
            upload = send_table(app, index, table, lambda arrived: phase.show(f"{arrived:,} of {table.size:,} bytes"))
            phase.result = f"{upload.uri}, {upload.sent_bytes:,} of {table.size:,} bytes sent"
        else:
            phase.result = f"nothing to send: dataset version {there.version} is there already"
    if there is not None:
        output.say(f"nothing is trained by itself. Next: tide train --dataset-version {there.version}, to train on it again")
        output.document(_document(None, there, new=False))
        return
    if no_wait:
        output.say("Next: tide status says what became of it")
        output.document(_document(upload, None, new=None))
        return
    with output.phase("check against the data contract") as phase:
        manifest = wait_for_decision(app, upload)
        phase.result = f"dataset version {manifest.version}, {manifest.rows:,} rows"
    output.say("training starts by itself. Next: tide status")
    output.document(_document(upload, manifest, new=True))


def _document(upload: Upload | None, manifest: Manifest | None, *, new: bool | None) -> dict[str, Any]:
    """Of a table, for machines; without an upload nothing was sent, and without a manifest nobody waited for it."""
    return {
        "ok": True,
        "uri": upload.uri if upload else None,
        "sha256": upload.sha256 if upload else None,
        "sent_bytes": upload.sent_bytes if upload else 0,
        "dataset_version": manifest.version if manifest else None,
        "rows": manifest.rows if manifest else None,
        "new": new,
    }
