"""`tide lineage`: what led to a dataset version, run or model, and what followed from it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.lineage.draw import draw
from cli.lineage.gather import gather
from cli.lineage.graph import Graph, Node
from cli.lineage.studio import tell
from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output


def lineage(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="A model version, a dataset version or its beginning, a run; or all.", show_default=False)
    ] = "all",
    picture: Annotated[Path | None, typer.Option("--picture", help="Draw the graph into this SVG file.", show_default=False)] = None,
    sagemaker: Annotated[
        bool, typer.Option("--sagemaker", help="Tell SageMaker Lineage which dataset versions came of which, so that Studio shows it.")
    ] = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Show which data made a model, where it served, and what was trained on its traffic."""
    output = Output(machine)
    app = open_app(config, environment, directory, aws)
    graph = gather(app)
    node = None if name == "all" else graph.find(name)
    shown = graph.around(node.id) if node else graph
    if not shown.nodes:
        output.say("there is nothing yet. Next: tide data push FILE.csv")
    _tell(output, shown, node)
    if picture:
        order = {each: place for place, each in enumerate(reversed(list(graph.nodes)))}  # each kind is read newest first
        picture.write_text(draw(shown, order, node.id if node else None), encoding="utf-8")
        output.say(f"drawn into {picture}")
    told = tell(app.sagemaker, app.data_bucket, [manifest for manifest, _ in app.manifests()]) if sagemaker else None
    if told:
        output.say(f"SageMaker Lineage: {len(told.added)} parents of versions added, {len(told.there)} were there")
        if told.unread:
            output.say(f"no run has read {', '.join(told.unread)}: of these SageMaker knows nothing")
    output.document(
        {
            "ok": True,
            "id": node.id if node else None,
            "nodes": [{"id": each.id, "kind": each.kind, "name": each.name, **each.facts} for each in shown.nodes.values()],
            "edges": sorted(shown.edges),
            "sagemaker": asdict(told) if told else None,
        }
    )


def _tell(output: Output, graph: Graph, node: Node | None) -> None:
    """Every node with what it came of, the marked one first."""
    if node:
        output.say(f"{node.kind} {node.name}: {node.says}", style="bold")
    rows = []
    for each in graph.nodes.values():
        came_of = ", ".join(f"{before.kind} {before.name}" for before in graph.before(each.id))
        rows.append((each.kind, each.name, each.says, came_of))
    if rows:
        output.table(["what", "name", "", "came of"], rows)
