"""The graph as a picture: a column for each kind, time downwards, arrows from what was to what came of it."""

from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, select_autoescape

from cli.lineage.graph import Graph, Kind, Node

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 250, 52, 70, 18, 24
_TITLES = {Kind.DATASET: "dataset versions", Kind.RUN: "runs", Kind.MODEL: "model packages", Kind.LIVE: "at the endpoint"}


@dataclass(frozen=True)
class Box:
    """A node's place, in pixels."""

    node: Node
    x: int
    y: int
    marked: bool

    @property
    def lines(self) -> tuple[str, str]:
        """What stands in it."""
        return _cut(self.node.name, 27), _cut(self.node.says, 42)


def draw(graph: Graph, order: dict[str, int], marked: str | None = None) -> str:
    """SVG. `order` says where a node comes in time; `marked` is drawn with a thick edge."""
    boxes: dict[str, Box] = {}
    for column, kind in enumerate(Kind):
        nodes = sorted((node for node in graph.nodes.values() if node.kind is kind), key=lambda node: order.get(node.id, 0))
        for row, node in enumerate(nodes):
            x, y = MARGIN + column * (WIDTH + GAP_X), MARGIN + 30 + row * (HEIGHT + GAP_Y)
            boxes[node.id] = Box(node, x, y, node.id == marked)
    rows = max((sum(node.kind is kind for node in graph.nodes.values()) for kind in Kind), default=1)
    environment = Environment(loader=PackageLoader("cli.lineage", "."), autoescape=select_autoescape(default=True), trim_blocks=True)
    return environment.get_template("lineage.svg.j2").render(
        width=2 * MARGIN + 4 * WIDTH + 3 * GAP_X,
        height=2 * MARGIN + 30 + rows * (HEIGHT + GAP_Y),
        titles=[(MARGIN + column * (WIDTH + GAP_X), _TITLES[kind]) for column, kind in enumerate(Kind)],
        boxes=list(boxes.values()),
        paths=[_path(boxes[start], boxes[end]) for start, end in sorted(graph.edges)],
        box_width=WIDTH,
        box_height=HEIGHT,
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _path(start: Box, end: Box) -> str:
    """A curve from the right side of one box to the left side of the other; backwards it goes round below."""
    y1, y2 = start.y + HEIGHT // 2, end.y + HEIGHT // 2
    if start.node.kind is end.node.kind:
        return f"M {start.x} {y1} C {start.x - 30} {y1}, {end.x - 30} {y2}, {end.x} {y2}"
    x1, x2 = start.x + WIDTH, end.x
    if end.x < start.x:
        return f"M {x1} {y1} C {x1 + 60} {y1 + 40}, {x2 - 60} {y2 - 40}, {x2} {y2}"
    bend = (x2 - x1) // 2
    return f"M {x1} {y1} C {x1 + bend} {y1}, {x2 - bend} {y2}, {x2} {y2}"
