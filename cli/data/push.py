"""`tide data push`: a table into the loop, or any files as a version of a dataset of their own."""

from pathlib import Path
from typing import Annotated

import typer

from cli.data.options import NameOption, dataset_name, open_index, open_store
from cli.datasets.push import push_tree
from cli.datasets.store import Store
from cli.observe import App
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption, NoWaitOption
from cli.output import Output
from cli.tables import table_files
from cli.upload import upload_table, upload_tables, wait_for_decision


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
        done = push_tree(store, index, dataset, path, phase.show)
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
    known = {manifest.version for manifest, _ in app.manifests()}
    with output.phase("upload") as phase:
        files = table_files(path) if path.is_dir() else [path] if path.is_file() else []
        size = max(1, sum(file.stat().st_size for file in files))

        def show(sent: int) -> None:
            phase.show(f"{sent / size:.0%} of {size:,} bytes")

        upload = upload_tables(app, path, show) if path.is_dir() else upload_table(app, path, path.name, show)
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
