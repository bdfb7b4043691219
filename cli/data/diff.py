"""`tide data diff`: what changed between two versions."""

from dataclasses import asdict

from cli.data.options import NameOption, VersionArgument, dataset_name, open_store
from cli.datasets.difference import Difference, compare
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output

SHOWN = 50


def diff(
    before: VersionArgument,
    after: VersionArgument = "latest",
    name: NameOption = None,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Compare two versions by their manifests alone: files, and for tables rows, columns and their statistics."""
    output = Output(machine)
    app, store = open_store(config, environment, directory, aws)
    dataset = dataset_name(app, name)
    a, b = (store.read(store.resolve(dataset, wanted)) for wanted in (before, after))
    found = compare(a, b)
    output.say(f"{dataset}: {a.version} -> {b.version}", style="bold")
    _say(output, found)
    output.document({"ok": True, "before": a.version, "after": b.version, "same": found.is_empty, **asdict(found)})


def _say(output: Output, found: Difference) -> None:
    if found.is_empty:
        output.say("the same files")
        return
    output.say(f"{len(found.added):,} added, {len(found.removed):,} removed, {len(found.changed):,} changed, {len(found.moved):,} moved")
    output.say(f"bytes: {found.bytes[0]:,} -> {found.bytes[1]:,}")
    if found.rows:
        output.say(f"rows: {found.rows[0]:,} -> {found.rows[1]:,}")
    lines = [f"  {line}" for line in found.columns]
    lines += [f"  {each.in_words}" for each in found.statistics if each.in_words]
    lines += [f"+ {path}" for path in found.added] + [f"- {path}" for path in found.removed] + [f"~ {path}" for path in found.changed]
    lines += [f"> {old} -> {new}" for old, new in found.moved]
    for line in lines[:SHOWN]:
        output.say(line)
    if len(lines) > SHOWN:
        output.say(f"and {len(lines) - SHOWN:,} more; --json lists all")
