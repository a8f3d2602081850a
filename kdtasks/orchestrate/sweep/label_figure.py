"""The image of a label curve: student alone and distilled over the number of labels."""

from collections.abc import Sequence
from itertools import count as count_from
from math import log
from typing import TYPE_CHECKING

import numpy as np

from kdtasks.core.text import count, percent
from kdtasks.orchestrate.sweep.label_curve import LabelCurve, between
from kdtasks.orchestrate.sweep.record import PointSummary, SweepSummary
from kdtasks.report.drawing import Colour, draw, percent_axes
from kdtasks.report.figures import MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# How far to the right, as a fraction of the axis, so that no interval hides another.
SIDES = {"student": -0.006, "distill": 0.006}
LABEL_WIDTH = 0.13  # of a number below the axis, as a fraction of it


def label_figure(curve: LabelCurve, summary: SweepSummary, name: str) -> str:
    """Draw both learning curves with their intervals over seeds, and the teacher.

    `name` is that of the image, unique on the page.
    """
    points = [summary.ended[label] for label in curve.points]
    numbers = [point.labels for point in points]
    teacher = points[0].teacher  # the same everywhere: it does not see which labels are hidden

    fine = np.geomspace(numbers[0], numbers[-1], 200)

    def plot(axes: "Axes") -> None:
        axes.set_xscale("log")
        if teacher is not None:  # a file of answers may lack test images
            dashes = MODELS["teacher"][3]
            axes.axhline(teacher, color=Colour.TEACHER, linewidth=1.3, linestyle=dashes)
            axes.text(numbers[0], teacher, "teacher", color=Colour.TEACHER, va="bottom")
        for key, side in SIDES.items():
            label, colour, marker, dashes = MODELS[key]
            positions = [number * (numbers[-1] / numbers[0]) ** side for number in numbers]
            scores = [getattr(point, key) for point in points]
            by_seed = [list(score.by_seed.values()) for score in scores]
            curve_mean = between(numbers, by_seed, fine).mean(axis=1)
            for position, score in zip(positions, scores, strict=True):
                if score.interval:
                    axes.plot(
                        [position, position], score.interval, color=colour, linewidth=1.2, zorder=2
                    )
            means = [score.mean for score in scores]
            axes.scatter(positions, means, s=24, color=colour, marker=marker, zorder=3)
            axes.plot(
                fine * positions[0] / numbers[0], curve_mean, color=colour, linestyle=dashes,
                marker=marker, markersize=5, markevery=[], label=label, zorder=2,
            )  # fmt: skip
        for worth, point in zip(curve.worth, points, strict=False):
            if worth.alone is not None and worth.alone != worth.labels:
                mean = point.distill.mean
                axes.annotate(
                    "", (worth.alone, mean), (worth.labels, mean),
                    arrowprops={"arrowstyle": "->", "color": Colour.MUTED, "shrinkA": 6},
                )  # fmt: skip
        axes.set_xticks(numbers, tick_texts(numbers))
        axes.minorticks_off()
        axes.margins(x=0.06, y=0.1)
        axes.set(xlabel="labels that students see", ylabel=f"test {summary.metric}")
        percent_axes(axes, "y")
        axes.legend(loc="lower right")

    return draw(name, description(curve, points, summary.metric), plot, height=3.1)


def description(curve: LabelCurve, points: Sequence[PointSummary], metric: str) -> str:
    """Say all that the image shows, for those who do not see it."""
    values = "; ".join(
        f"{count(point.labels)} labels, {percent(point.student.mean)} and "
        f"{percent(point.distill.mean)}"
        for point in points
    )
    where = f" at {curve.title}" if curve.title else ""
    teacher = points[0].teacher
    text = "not tested" if teacher is None else percent(teacher)
    return (
        f"Test {metric}{where} of the student alone and the distilled one by the number of labels "
        f"that they see: {values}. The teacher: {text}."
    )


def tick_texts(numbers: Sequence[int]) -> list[str]:
    """Write every number of labels, ascending; a lower line takes what would overlap."""
    span = log(numbers[-1] / numbers[0])
    ends: dict[int, float] = {}  # where the last number of each line is
    texts = []
    for number in numbers:
        position = log(number / numbers[0]) / span
        line = next(row for row in count_from() if position - ends.get(row, -1) >= LABEL_WIDTH)
        ends[line] = position
        texts.append("\n" * line + count(number))
    return texts
