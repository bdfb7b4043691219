"""`tide data prune`: versions that nothing names any more."""

from collections.abc import Iterable
from typing import Annotated

import typer

from cli.data.options import NameOption, dataset_name, open_store
from cli.datasets import pruning
from cli.observe import Execution, Version
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from cli.train import RUNNING


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
    """Delete old versions and the object versions that only they name. What a registered model was trained on, or a run reads, stays."""
    output = Output(machine)
    app, store = open_store(config, environment, directory, aws)
    dataset = dataset_name(app, name)
    chosen = pruning.plan(store, dataset, in_use(app.versions(), app.executions()), keep, app.account.now())
    versions, kept = [*chosen.versions, *chosen.hidden], len(chosen.staying)
    for each in versions:
        output.say(f"{dataset}/{each.version} of {each.created:%Y-%m-%d %H:%M}")
    what = f"{len(versions)} versions, {len(chosen.objects)} object versions, {chosen.size:,} bytes; {kept} versions stay"
    if yes and not chosen.is_empty:
        with output.phase("prune") as phase:
            pruning.carry_out(store, chosen)
            phase.result = what
    else:
        output.say(f"would delete {what}" + ("" if chosen.is_empty else ". Next: tide data prune --yes"))
    output.document(
        {
            "ok": True,
            "deleted": yes,
            "versions": [each.version for each in versions],
            "objects": len(chosen.objects),
            "bytes": chosen.size,
            "kept": kept,
        }
    )


def in_use(versions: Iterable[Version], runs: Iterable[Execution]) -> frozenset[str]:
    """The dataset versions that registered models were trained on, and those that runs are reading."""
    named = {version.dataset_version for version in versions} | {run.dataset_version for run in runs if run.status in RUNNING}
    return frozenset(name for name in named if name)
