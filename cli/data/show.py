"""`tide data show`: one version."""

from typing import Any

from cli.data.options import NameOption, VersionArgument, dataset_name, open_store
from cli.datasets.movement import shown
from cli.datasets.store import Version
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from contracts.statistics import Statistics

SHOWN = 20
NAMED = 4  # categories of a column


def show(
    version: VersionArgument = "latest",
    name: NameOption = None,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Show a version: its files, its columns with their statistics when it is a table, and its parents."""
    output = Output(machine)
    app, store = open_store(config, environment, directory, aws)
    found = store.read(store.resolve(dataset_name(app, name), version))
    tree, manifest = found.tree, found.manifest
    output.say(f"{tree.dataset}/{found.version}: {len(tree.files):,} files, {tree.size:,} bytes", style="bold")
    if tree.parents:
        output.say(f"parents: {', '.join(tree.parents)}")
    if manifest:
        output.say(f"{manifest.rows:,} rows")
        rows = [(each.name, each.role, each.kind or "", f"{each.missing:,}", *_told(each.statistics)) for each in manifest.columns]
        output.table(["column", "role", "kind", "missing", "distinct", "values"], rows)
    output.table(["file", "bytes", "sha256"], [(file.path, f"{file.size:,}", file.sha256[:16]) for file in tree.files[:SHOWN]])
    if len(tree.files) > SHOWN:
        output.say(f"and {len(tree.files) - SHOWN:,} more; --json lists all")
    output.document(document(found))


def _told(statistics: Statistics | None) -> tuple[str, str]:
    """(different values, what they are) of a column, for people."""
    if statistics is None:
        return "", ""
    distinct = "many" if statistics.distinct is None else f"{statistics.distinct:,}"
    if statistics.mean is not None:
        spread = f" ± {shown(statistics.standard_deviation)}" if statistics.standard_deviation is not None else ""
        return distinct, f"{shown(statistics.mean)}{spread}, {shown(statistics.minimum)} to {shown(statistics.maximum)}"
    if statistics.earliest is not None and statistics.latest is not None:
        return distinct, f"{statistics.earliest:%Y-%m-%d %H:%M} to {statistics.latest:%Y-%m-%d %H:%M}"
    named = [f"{each.value} {each.rows / statistics.present:.0%}" for each in statistics.frequent[:NAMED]]
    return distinct, ", ".join([*named, *(["..."] if len(statistics.frequent) > NAMED else [])])


def document(found: Version) -> dict[str, Any]:
    """A version for machines."""
    result: dict[str, Any] = {"ok": True, "version": found.version, **found.tree.model_dump(mode="json")}
    if found.manifest:
        result |= {"rows": found.manifest.rows, "columns": [each.model_dump(mode="json") for each in found.manifest.columns]}
    return result
