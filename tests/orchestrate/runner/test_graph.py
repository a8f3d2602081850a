"""What waits for what, in graphs drawn at random."""

from hypothesis import given
from hypothesis import strategies as st

from kdtasks.orchestrate.runner.graph import StageGraph, StageNode

GRAPHS = st.lists(st.sets(st.integers(0, 20)), max_size=12).map(
    lambda needs: StageGraph.of(
        StageNode(str(i), tuple(str(other) for other in sorted(of_one) if other < i))
        for i, of_one in enumerate(needs)
    )
)


def test_dependants_of_a_diamond():
    graph = StageGraph.of(
        [
            StageNode("first"),
            StageNode("left", needs=("first",)),
            StageNode("right", needs=("first",)),
            StageNode("last", needs=("left", "right")),
            StageNode("alone"),
        ]
    )
    assert graph.dependants == {
        "first": {"left", "right", "last"},
        "left": {"last"},
        "right": {"last"},
        "last": set(),
        "alone": set(),
    }


@given(GRAPHS)
def test_dependants_are_needs_read_backwards(graph: StageGraph):
    def needs(name: str) -> set[str]:
        direct = set(graph.nodes[name].needs)
        return direct.union(*map(needs, direct))

    for name in graph.nodes:
        assert graph.dependants[name] == {other for other in graph.nodes if name in needs(other)}
