"""The picture of what the filters of each layer are worth."""

from typing import TYPE_CHECKING, Any

from kdtasks.report.drawing import DISTILL, INK, LINE, MUTED, draw, percent_axis
from kdtasks.report.figures import spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# More names than this do not fit beside the lines.
NAMED = 8


def sensitivity_figure(sensitivity: dict[str, Any]) -> str:
    """Draw validation accuracy against the share of filters silenced, a line a layer.

    The layers that lose most by their largest share are named; the others are pale.

    Arguments:
        sensitivity: content of `metrics/sensitivity.json`.
    """
    whole = sensitivity["accuracy"]
    curves = {name: curve_of(figures, whole) for name, figures in sensitivity["layers"].items()}
    named = sorted(curves, key=lambda name: curves[name][-1][1])[:NAMED]
    weakest = named[0]

    def plot(axes: "Axes") -> None:
        axes.axhline(whole, color=LINE, linewidth=1.2)
        for name, curve in curves.items():
            colour = DISTILL if name == weakest else MUTED if name in named else LINE
            axes.plot(*zip(*curve, strict=True), color=colour, marker="o", markersize=3)
        axes.set_xlabel("share of the layer's filters silenced")
        axes.set_ylabel("validation accuracy")
        percent_axis(axes)
        percent_axis(axes, "x")
        last = max(curve[-1][0] for curve in curves.values())
        axes.set_xlim(0, last * 1.9)
        bottom, top = axes.get_ylim()
        ends = [(curves[name][-1][1] - bottom) / (top - bottom) for name in named]
        for name, end, place in zip(named, ends, spread(ends, 0.07), strict=True):
            axes.annotate(
                name, curves[name][-1], xytext=(6, (place - end) * 160), textcoords="offset points",
                va="center", color=DISTILL if name == weakest else INK,
            )  # fmt: skip

    description = "Validation accuracy without a share of the filters of one layer"
    return draw("sensitivity", description, plot, height=3.0)


def curve_of(figures: dict[str, float], whole: float) -> list[tuple[float, float]]:
    """The points of one layer, from none of its filters silenced to the largest share."""
    shares = sorted((float(key), value) for key, value in figures.items() if key != "filters")
    return [(0.0, whole), *shares]
