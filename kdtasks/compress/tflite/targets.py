"""What an accelerator takes of a `.tflite`: asked of Vela, or of a table."""

from typing import Any

from kdtasks.compress.tflite.accelerators import COVERAGE, find_uncovered
from kdtasks.compress.tflite.graph import read_graphs
from kdtasks.compress.tflite.vela import estimate


def assess_target(content: bytes, target: str) -> dict[str, Any]:
    """Ask Vela or a table what an accelerator takes of each segment.

    Args:
        content: of the file.
        target: a name in `COVERAGE`, or an accelerator as Vela calls it.

    Returns: `source`, and in `segments` by name `accelerated` and `left`, numbers of operators,
        the `fallbacks`, and of Vela the figures of an `Estimate`; as JSON has it.

    Raises:
        BundleError: Vela is not installed, or does not compile it.
    """
    segments: dict[str, dict[str, Any]] = {}
    if coverage := COVERAGE.get(target):
        source = coverage.source
        for graph in read_graphs(content):
            found = find_uncovered(graph, coverage)
            counts = {"accelerated": len(graph.operators) - len(found), "left": len(found)}
            segments[graph.signature] = {**counts, "fallbacks": found}
    else:
        source = "Vela's estimate"
        segments = {name: one._asdict() for name, one in estimate(content, target).items()}
    for one in segments.values():
        one["fallbacks"] = [fallback._asdict() for fallback in one["fallbacks"]]
    return {"source": source, "segments": segments}
