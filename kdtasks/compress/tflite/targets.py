"""What an accelerator takes of a `.tflite`: asked of Vela, or of a table."""

from kdtasks.compress.tflite.accelerators import COVERAGE, covered
from kdtasks.compress.tflite.graph import read_graphs
from kdtasks.compress.tflite.vela import estimate
from kdtasks.core.target_fit import TargetFit


def fit_target(content: bytes, target: str) -> TargetFit:
    """Ask Vela or a table what an accelerator takes of each segment.

    Args:
        content: of the file.
        target: a name in `COVERAGE`, or an accelerator as Vela calls it.

    Raises:
        BundleError: Vela is not installed, or does not compile it.
    """
    if coverage := COVERAGE.get(target):
        segments = {one.signature: covered(one, coverage) for one in read_graphs(content)}
        return TargetFit(coverage.source, segments)
    return TargetFit("Vela's estimate", estimate(content, target))
