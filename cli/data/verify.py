"""`tide data verify`: does the bucket still hold what a version's manifest says?"""

import typer

from cli.data.options import NameOption, VersionArgument, dataset_name, open_store
from cli.datasets import check
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output


def verify(
    version: VersionArgument = "latest",
    name: NameOption = None,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Read every byte of a version in the bucket, and name each file that is not what the manifest says."""
    output = Output(machine)
    app, store = open_store(config, environment, directory, aws)
    found = store.read(store.resolve(dataset_name(app, name), version))
    with output.phase("verify") as phase:
        wrong = check.verify(store, found, phase.show)
        phase.result = f"{found.tree.dataset}/{found.version}: {len(found.tree.files):,} files, {len(wrong):,} of them damaged"
    for path, problem in wrong.items():
        output.say(f"{path}: {problem}", style="red")
    if wrong:
        output.say("Next: push the good files again, and train on that version; object versions cannot be mended")
    output.document({"ok": not wrong, "dataset": found.tree.dataset, "version": found.version, "damaged": wrong})
    if wrong:
        raise typer.Exit(1)
