"""`tide data prune`: versions that nothing names any more."""

from typing import Annotated

import typer

from cli.data.options import NameOption, dataset_name, open_store
from cli.datasets import pruning
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output


def prune(
    keep: Annotated[int, typer.Option("--keep", min=1, help="How many of the newest versions stay in any case.")] = 10,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it only what would go is shown.")] = False,
    name: NameOption = None,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Delete old versions and the object versions that only they name. What a registered model was trained on stays."""
    output = Output(machine)
    app, store = open_store(config, environment, directory, aws)
    dataset = dataset_name(app, name)
    named = frozenset(version.dataset_version for version in app.versions() if version.dataset_version)
    chosen = pruning.plan(store, dataset, named, keep, app.account.now())
    for each in chosen.versions:
        output.say(f"{dataset}/{each.version} of {each.created:%Y-%m-%d %H:%M}")
    what = f"{len(chosen.versions)} versions, {len(chosen.objects)} object versions, {chosen.size:,} bytes; {chosen.kept} versions stay"
    if yes and chosen.objects:
        with output.phase("prune") as phase:
            pruning.carry_out(store, chosen)
            phase.result = what
    else:
        output.say(f"would delete {what}" + (". Next: tide data prune --yes" if chosen.objects else ""))
    output.document(
        {
            "ok": True,
            "deleted": yes,
            "versions": [each.version for each in chosen.versions],
            "objects": len(chosen.objects),
            "bytes": chosen.size,
            "kept": chosen.kept,
        }
    )
