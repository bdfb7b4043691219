"""What came of what."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.lineage.draw import draw
from cli.lineage.graph import Graph, Kind, Node
from contracts.errors import StateError

NODES = [Node(kind, f"{kind[0]}{number}aaaa") for kind in Kind for number in range(3)]
# An edge leads from an earlier node to a later one, so there are no circles.
EDGES = st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] < pair[1])).map(
    lambda pairs: {(NODES[start].id, NODES[end].id) for start, end in pairs}
)


@given(EDGES, st.sampled_from(NODES))
def test_around_holds_all_that_led_to_it_and_all_that_followed(edges: set[tuple[str, str]], node: Node) -> None:
    graph = Graph.of(NODES, edges)
    around = graph.around(node.id)

    def leads(start: str, end: str) -> bool:
        return start == end or any(leads(after.id, end) for after in graph.after(start))

    assert set(around.nodes) == {each.id for each in NODES if leads(each.id, node.id) or leads(node.id, each.id)}
    assert around.edges == {edge for edge in edges if {*edge} <= set(around.nodes)}


def test_edges_to_what_is_gone_are_left_out() -> None:
    assert Graph.of(NODES[:1], [(NODES[0].id, "run:gone"), ("dataset:gone", NODES[0].id)]).edges == frozenset()


def test_a_node_is_found_by_what_people_call_it() -> None:
    graph = Graph.of([Node(Kind.MODEL, "3"), Node(Kind.DATASET, "ab12cd"), Node(Kind.DATASET, "ab12ff"), Node(Kind.RUN, "ab12cd-x")], [])
    assert graph.find("3").kind is Kind.MODEL
    assert graph.find("v3").kind is Kind.MODEL
    assert graph.find("ab12cd").kind is Kind.DATASET
    assert graph.find("ab12f").name == "ab12ff"
    with pytest.raises(StateError, match="it may be dataset:ab12cd, dataset:ab12ff, run:ab12cd-x"):
        graph.find("ab12")
    with pytest.raises(StateError, match="nothing is called 99"):
        graph.find("99")


@given(EDGES)
def test_the_picture_holds_every_node_and_edge(edges: set[tuple[str, str]]) -> None:
    root = ElementTree.fromstring(draw(Graph.of(NODES, edges), {}, NODES[0].id))  # noqa: S314 - it was drawn here
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}g")) == len(NODES)
    assert len([path for path in root.findall(f"{space}path") if path.get("class") == "edge"]) == len(edges)


def test_a_name_with_markup_in_it_is_text() -> None:
    svg = draw(Graph.of([Node(Kind.RUN, "<script>alert(1)</script>")], []), {})
    assert "<script>" not in svg
