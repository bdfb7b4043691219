"""`tide data checkout` and `tide data pull`: a version into a folder."""

from pathlib import Path
from typing import Annotated

import typer

from cli.data.options import NameOption, VersionArgument, dataset_name, open_index, open_store
from cli.datasets import fetch
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output

ToOption = Annotated[
    Path | None, typer.Option("--to", help="The folder. Default: data/<dataset> beside tidewheel.yaml.", show_default=False)
]
ForceOption = Annotated[bool, typer.Option("--force", help="Lose what was changed in the folder.")]


def checkout(
    version: VersionArgument,
    name: NameOption = None,
    to: ToOption = None,
    force: ForceOption = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Make a folder hold exactly a version. Files that are there already are not fetched again."""
    output = Output(machine)
    app, store = open_store(config, environment, directory, aws)
    found = store.read(store.resolve(dataset_name(app, name), version))
    folder = to or app.project.folder / "data" / found.tree.dataset
    with open_index(app) as index, output.phase("checkout") as phase:
        done = fetch.checkout(store, index, found, folder, force, phase.show)
        phase.result = f"{found.tree.dataset}/{found.version} in {folder}: {done.fetched:,} files fetched, {done.kept:,} were there"
        phase.result += f", {done.removed:,} removed" if done.removed else ""
    output.document(
        {
            "ok": True,
            "dataset": found.tree.dataset,
            "version": found.version,
            "folder": str(folder),
            "fetched_files": done.fetched,
            "fetched_bytes": done.size,
            "kept_files": done.kept,
            "removed_files": done.removed,
        }
    )


def pull(
    name: NameOption = None,
    to: ToOption = None,
    force: ForceOption = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Check out the newest version."""
    checkout("latest", name, to, force, config, environment, directory, aws, machine)
