"""The reliability diagram of an exit: how often it is right against how sure it is."""

from typing import TYPE_CHECKING

from kdtasks.evaluation.intervals import wilson_interval
from kdtasks.report.drawing import CHOSEN, DISTILL, MUTED, draw, percent_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def reliability_figure(
    index: int, bins: list[dict[str, float]], *, threshold: float | None, confidence: float
) -> str:
    """Draw one exit's accuracy against its confidence, with how many pictures are in each bin.

    Arguments:
        index: of the exit.
        bins: `confidence`, `accuracy` and `rows` of each.
        threshold: confidence from which the exit is left; None where there is none to show.
        confidence: level of the intervals, as of `wilson_interval`.
    """
    total = sum(found["rows"] for found in bins)
    least = min(found["confidence"] for found in bins)
    # From a round figure below the least sure picture, so that the diagonal fills the frame.
    start = max(0.0, int(least * 10) / 10)

    def plot(axes: "Axes") -> None:
        axes.plot([start, 1], [start, 1], color=MUTED, linewidth=1.2, linestyle=(0, (4, 2)))
        for found in bins:
            right = round(found["accuracy"] * found["rows"])
            interval = wilson_interval(right, int(found["rows"]), confidence)
            axes.plot([found["confidence"]] * 2, interval, color=DISTILL, linewidth=1.2, zorder=2)
            axes.scatter(
                found["confidence"], found["accuracy"], color=DISTILL, zorder=3,
                s=12 + 120 * found["rows"] / total, alpha=0.85, linewidth=0, clip_on=False,
            )  # fmt: skip
        if threshold is not None and start < threshold < 1:
            axes.axvline(threshold, color=CHOSEN, linewidth=1.4, zorder=1)
        pad = 0.03 * (1 - start)
        axes.set_xlim(start - pad, 1 + pad)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("confidence")
        axes.set_ylabel("right answers")
        percent_axis(axes)
        percent_axis(axes, "x")

    description = f"How often exit {index + 1} is right against its confidence"
    return draw(f"reliability-{index}", description, plot, width=2.7, height=2.6)
