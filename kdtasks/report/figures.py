"""The figures of the page, each from its part of the statistics."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kdtasks.core.records.evaluate import Gain
from kdtasks.core.records.report import Curve, Statistics
from kdtasks.report.drawing import Colour, draw, percent_axes
from kdtasks.tasks.task import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Shape and dashes repeat what the colour says, for those who do not see the colour.
MODELS = {
    "teacher": ("teacher", Colour.TEACHER, "D", (0, (5, 2))),
    "student": ("student alone", Colour.STUDENT, "s", (0, (1.5, 1.2))),
    "distill": ("distilled", Colour.DISTILL, "o", "-"),
}


def seeds_figure(statistics: Statistics, metric: Metric) -> str:
    """Draw each seed's test metric, student alone beside distilled, joined by a line."""
    student, distill = statistics.student, statistics.distill
    alone, taught = student.by_seed or {}, distill.by_seed or {}

    def plot(axes: "Axes") -> None:
        for seed, score in alone.items():
            axes.plot([0, 1], [score, taught[seed]], color=Colour.LINE, linewidth=1, zorder=1)
        for index, (key, model) in enumerate((("student", student), ("distill", distill))):
            _, colour, marker, _ = MODELS[key]
            values = list((model.by_seed or {}).values())
            axes.scatter([index] * len(values), values, s=26, color=colour, marker=marker, zorder=3)
            side = index + (0.16 if index else -0.16)
            axes.plot(side, model.mean or 0, color=colour, marker="_", markersize=13, zorder=3)
            if model.interval:
                axes.plot([side, side], model.interval, color=colour, linewidth=1.6, zorder=2)
        teacher = getattr(statistics.teacher, metric.key)
        if teacher is not None:
            axes.axhline(teacher, color=Colour.TEACHER, linewidth=1.3, linestyle=(0, (5, 2)))
            axes.text(-0.45, teacher, "teacher", color=Colour.TEACHER, va="bottom")
        axes.set(xlim=(-0.5, 1.5), ylabel=f"test {metric.name}")
        axes.set_xticks([0, 1], ["student alone", "distilled"])
        axes.tick_params(axis="x", length=0, labelcolor=Colour.INK)
        axes.grid(visible=False, axis="x")
        axes.margins(y=0.12)
        percent_axes(axes, "y")

    description = f"Test {metric.name} of every seed, student alone and distilled"
    return draw("seeds", description, plot)


def gain_figure(gain: Gain) -> str:
    """Draw the gain of each seed and the two intervals of its mean, against zero."""
    by_seed = {seed: value * 100 for seed, value in gain.by_seed.items()}

    def plot(axes: "Axes") -> None:
        rows = [f"seed {seed}" for seed in by_seed] + ["over seeds", "over images"]
        heights = list(range(len(rows), 0, -1))
        axes.axvline(0, color=Colour.INK, linewidth=1)
        axes.scatter(
            list(by_seed.values()), heights[: len(by_seed)], s=26, color=Colour.DISTILL, zorder=3
        )
        for height, interval in zip(
            heights[-2:], (gain.interval, gain.bootstrap_interval), strict=True
        ):
            if interval:
                axes.plot([end * 100 for end in interval], [height, height], color=Colour.DISTILL)
            axes.scatter(gain.mean * 100, height, s=34, color=Colour.DISTILL, marker="D", zorder=3)
        axes.set_yticks(heights, rows)
        axes.set(ylim=(0.4, len(rows) + 0.6), xlabel="distilled minus student alone, points")
        axes.tick_params(axis="y", length=0, labelcolor=Colour.INK)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.1)

    return draw("gain", "Gain of every seed and the intervals of the mean gain", plot)


def curve_figure(training: Mapping[str, Mapping[str, Curve]], column: str, what: str) -> str:
    """Draw a validation curve of teacher, students and distilled students over epochs.

    Args:
        what: name of what the column holds: `loss`, or a metric where higher is better.
    """
    from matplotlib.ticker import MaxNLocator

    def plot(axes: "Axes") -> None:
        for key, (label, colour, _, dashes) in MODELS.items():
            curve = training[key].get(column)
            if not curve:
                continue
            axes.plot(curve.epoch, curve.mean, color=colour, linestyle=dashes, label=label)
            axes.fill_between(
                curve.epoch, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0
            )
        axes.set(xlabel="epoch", ylabel=f"validation {what}")
        if what == "loss":
            axes.set_ylim(bottom=0)
        else:
            percent_axes(axes, "y")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.legend(loc="upper right" if what == "loss" else "lower right")

    return draw(f"curve-{what.replace(' ', '-')}", f"Validation {what} over epochs", plot)
