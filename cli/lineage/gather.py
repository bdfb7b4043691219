"""An app's lineage, from the manifests, the pipeline's runs, the registry and the ledger."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from cli.lineage.graph import Fact, Graph, Kind, Node
from cli.live import Period, live_periods
from cli.observe import App, Execution, Version
from contracts.manifest import Manifest


def gather(app: App) -> Graph:
    """Everything that is known."""
    return build(app.manifests(), app.executions(), app.versions(), live_periods(app.decisions()))


def build(
    manifests: Iterable[tuple[Manifest, datetime]], runs: Iterable[Execution], versions: Iterable[Version], periods: Iterable[Period]
) -> Graph:
    """The graph. A period's traffic made the dataset versions whose fresh rows are of its time."""
    nodes: list[Node] = []
    edges: list[tuple[str, str]] = []
    served = _periods(periods)
    nodes += [node for node, _ in served]
    for manifest, created in manifests:
        dataset = _dataset(manifest, created)
        nodes.append(dataset)
        edges += [(f"{Kind.DATASET}:{parent}", dataset.id) for parent in manifest.parents]
        edges += [(node.id, dataset.id) for node, period in served if _taught(period, manifest)]
    for run in runs:
        node = Node(Kind.RUN, run.name, f"{run.status}, started {run.started:%Y-%m-%d %H:%M}", {"status": run.status, "arn": run.arn})
        nodes.append(node)
        edges.append((f"{Kind.DATASET}:{run.dataset_version}", node.id))
    for version in versions:
        model = _model(version)
        nodes.append(model)
        if version.metadata:
            edges.append((f"{Kind.RUN}:{version.metadata.run}", model.id))
        edges += [(model.id, node.id) for node, period in served if period.arn == version.arn]
    return Graph.of(nodes, edges)


def _periods(periods: Iterable[Period]) -> list[tuple[Node, Period]]:
    """Each with a name: the version's number, and which time it is that it serves."""
    times: Counter[int | None] = Counter()
    found = []
    for period in periods:
        times[period.version] += 1
        until = f"{period.end:%Y-%m-%d %H:%M}" if period.end else "now"
        says = f"version {period.version}, {period.start:%Y-%m-%d %H:%M} to {until}"
        found.append((Node(Kind.LIVE, f"{period.version}.{times[period.version]}", says, period.document()), period))
    return found


def _dataset(manifest: Manifest, created: datetime) -> Node:
    fresh = f", {manifest.fresh.rows:,} of traffic" if manifest.fresh else ""
    says = f"{manifest.rows:,} rows{fresh}, {created:%Y-%m-%d %H:%M}"
    return Node(Kind.DATASET, manifest.version, says, {"rows": manifest.rows, "created": created.isoformat()})


def _taught(period: Period, manifest: Manifest) -> bool:
    """Whether fresh rows of a version are of the time in which a model served."""
    return manifest.fresh is not None and period.start < manifest.fresh.end and (period.end is None or period.end > manifest.fresh.start)


def _model(version: Version) -> Node:
    facts: dict[str, Fact] = {"approval": version.approval, "arn": version.arn, **version.metrics}
    score = f", {version.metadata.metric} {version.metadata.score:.4f}" if version.metadata else ""
    return Node(Kind.MODEL, str(version.number), f"version {version.number}, {version.approval}{score}", facts)
