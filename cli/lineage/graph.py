"""What came of what: dataset version -> run -> model package -> period at the endpoint -> dataset version of its traffic. Pure.

There are no circles: everything comes of what was there before it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.errors import StateError

SHORTEST_PREFIX = 4
Fact = str | int | float | None


class Kind(StrEnum):
    """In the order in which one comes of the other."""

    DATASET = "dataset"
    RUN = "run"
    MODEL = "model"
    LIVE = "live"


@dataclass(frozen=True)
class Node:
    """`name` is unique within its kind; `says` is a line for people, `facts` are for machines."""

    kind: Kind
    name: str
    says: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict, compare=False, hash=False)

    @property
    def id(self) -> str:
        """Unique in the graph."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Graph:
    """Nodes by id, and (from, to) edges."""

    nodes: Mapping[str, Node]
    edges: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, nodes: Iterable[Node], edges: Iterable[tuple[str, str]]) -> "Graph":
        """Edges to what is not there any more are left out."""
        known = {node.id: node for node in nodes}
        return cls(known, frozenset(edge for edge in edges if edge[0] in known and edge[1] in known))

    def before(self, id: str) -> list[Node]:  # noqa: A002 - a node's id
        """What it came of, directly."""
        return [self.nodes[start] for start, end in sorted(self.edges) if end == id]

    def after(self, id: str) -> list[Node]:  # noqa: A002 - a node's id
        """What came of it, directly."""
        return [self.nodes[end] for start, end in sorted(self.edges) if start == id]

    def around(self, id: str) -> "Graph":  # noqa: A002 - a node's id
        """The node, all that led to it, and all that followed from it."""
        kept = self._reached(id, forward=True) | self._reached(id, forward=False)
        return Graph({each: node for each, node in self.nodes.items() if each in kept}, frozenset(e for e in self.edges if {*e} <= kept))

    def find(self, wanted: str) -> Node:
        """The node that somebody means: an id, a version's number, a run's name, a dataset version or its beginning. Raises StateError."""
        if wanted in self.nodes:
            return self.nodes[wanted]
        exact = [node for node in self.nodes.values() if node.name == wanted.removeprefix("v")]
        started = [node for node in self.nodes.values() if len(wanted) >= SHORTEST_PREFIX and node.name.startswith(wanted)]
        found = exact or started
        if len(found) == 1:
            return found[0]
        many = f": it may be {', '.join(sorted(node.id for node in found))}" if found else ""
        raise StateError(f"nothing is called {wanted}{many}. Next: tide status lists versions, runs and dataset versions")

    def _reached(self, start: str, *, forward: bool) -> set[str]:
        step = self.after if forward else self.before
        reached, todo = {start}, [start]
        while todo:
            new = {node.id for node in step(todo.pop())} - reached
            reached |= new
            todo += new
        return reached
