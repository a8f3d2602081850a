"""The picture of every point's gain with its interval."""

from typing import TYPE_CHECKING, Any

from kdtasks.report.drawing import CHOSEN, DISTILL, INK, MUTED, STUDENT, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_HEIGHT, FRAME_HEIGHT = 0.27, 0.75  # inches
COLOURS = {"helps": DISTILL, "hurts": STUDENT, "cannot tell": MUTED}


def gains_figure(summary: dict[str, Any]) -> str:
    """Draw the mean gain of every point, its interval and its seeds, against zero."""
    shown = [point for point in summary["points"] if "gain" in point]
    chosen = (summary["chosen"] or {}).get("label")

    def plot(axes: "Axes") -> None:
        places = list(range(len(shown), 0, -1))
        axes.axvline(0, color=INK, linewidth=1)
        for place, point in zip(places, shown, strict=True):
            gain = point["gain"]
            colour = COLOURS[gain["verdict"]]
            by_seed = [value * 100 for value in gain["by_seed"].values()]
            axes.scatter(by_seed, [place] * len(by_seed), s=7, color=colour, alpha=0.45, zorder=2)
            if gain["interval"]:
                ends = [end * 100 for end in gain["interval"]]
                axes.plot(ends, [place, place], color=colour, zorder=2)
            axes.scatter(
                gain["mean"] * 100, place, s=30, color=colour, zorder=3,
                marker="D" if point["label"] == chosen else "o",
            )  # fmt: skip
        axes.set_yticks(places, [point["label"] for point in shown])
        for point, label in zip(shown, axes.get_yticklabels(), strict=True):
            label.set_color(CHOSEN if point["label"] == chosen else INK)
        axes.set_ylim(0.4, len(shown) + 0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.08)
        axes.set_xlabel("distilled less student alone, points")

    height = FRAME_HEIGHT + ROW_HEIGHT * max(1, len(shown))
    return draw("gains", "Mean gain of every point with its interval", plot, height=height)
