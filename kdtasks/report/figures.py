"""The images of the page, each from its part of the statistics."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from kdtasks.core.records.evaluate import Evaluation, ExpectedPoint, Gain
from kdtasks.core.records.report import Curve, Selection, Statistics
from kdtasks.report.drawing import (
    CHOSEN,
    DISTILL,
    INK,
    LINE,
    MUTED,
    STUDENT,
    SURFACE,
    TEACHER,
    draw,
    percent_axis,
)
from kdtasks.tasks.task import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Shape and dashes repeat what the colour says, for those who do not see the colour.
MODELS = {
    "teacher": ("teacher", TEACHER, "D", (0, (5, 2))),
    "student": ("student alone", STUDENT, "s", (0, (1.5, 1.2))),
    "distill": ("distilled", DISTILL, "o", "-"),
}


def seeds_figure(statistics: Statistics, metric: Metric) -> str:
    """Draw each seed's test figure, student alone beside distilled, joined by a line."""
    student, distill = statistics.student, statistics.distill
    alone, taught = student.by_seed or {}, distill.by_seed or {}

    def plot(axes: "Axes") -> None:
        for seed, score in alone.items():
            axes.plot([0, 1], [score, taught[seed]], color=LINE, linewidth=1, zorder=1)
        for place, (key, model) in enumerate((("student", student), ("distill", distill))):
            _, colour, marker, _ = MODELS[key]
            values = list((model.by_seed or {}).values())
            axes.scatter([place] * len(values), values, s=26, color=colour, marker=marker, zorder=3)
            side = place + (0.16 if place else -0.16)
            axes.plot(side, model.mean or 0, color=colour, marker="_", markersize=13, zorder=3)
            if model.interval:
                axes.plot([side, side], model.interval, color=colour, linewidth=1.6, zorder=2)
        teacher = getattr(statistics.teacher, metric.key)
        if teacher is not None:
            axes.axhline(teacher, color=TEACHER, linewidth=1.3, linestyle=(0, (5, 2)))
            axes.text(-0.45, teacher, "teacher", color=TEACHER, va="bottom")
        axes.set_xlim(-0.5, 1.5)
        axes.set_xticks([0, 1], ["student alone", "distilled"])
        axes.tick_params(axis="x", length=0, labelcolor=INK)
        axes.grid(visible=False, axis="x")
        axes.margins(y=0.12)
        axes.set_ylabel(f"test {metric.name}")
        percent_axis(axes)

    description = f"Test {metric.name} of every seed, student alone and distilled"
    return draw("seeds", description, plot)


def gain_figure(gain: Gain) -> str:
    """Draw the gain of each seed and the two intervals of its mean, against zero."""
    by_seed = {seed: value * 100 for seed, value in gain.by_seed.items()}

    def plot(axes: "Axes") -> None:
        rows = [f"seed {seed}" for seed in by_seed] + ["over seeds", "over images"]
        places = list(range(len(rows), 0, -1))
        axes.axvline(0, color=INK, linewidth=1)
        axes.scatter(list(by_seed.values()), places[: len(by_seed)], s=26, color=DISTILL, zorder=3)
        for place, interval in zip(
            places[-2:], (gain.interval, gain.bootstrap_interval), strict=True
        ):
            if interval:
                axes.plot([end * 100 for end in interval], [place, place], color=DISTILL)
            axes.scatter(gain.mean * 100, place, s=34, color=DISTILL, marker="D", zorder=3)
        axes.set_yticks(places, rows)
        axes.set_ylim(0.4, len(rows) + 0.6)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.1)
        axes.set_xlabel("distilled less student alone, points")

    return draw("gain", "Gain of every seed and the intervals of the mean gain", plot)


def curve_figure(training: Mapping[str, Mapping[str, Curve]], column: str, what: str) -> str:
    """Draw a validation curve of teacher, students and distilled students over epochs.

    Args:
        what: name of what the column holds: `loss`, or a share where higher is better.
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
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"validation {what}")
        if what != "loss":
            percent_axis(axes)
        else:
            axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.legend(loc="upper right" if what == "loss" else "lower right")

    return draw(f"curve-{what.replace(' ', '-')}", f"Validation {what} over epochs", plot)


def tradeoff_figure(
    curve: Sequence[tuple[float, float]], expected: ExpectedPoint | None, test: Evaluation
) -> str:
    """Draw accuracy against compute: the calibration curve, the chosen point, the test."""

    def plot(axes: "Axes") -> None:
        if curve:
            costs, accuracies = zip(*curve, strict=True)
            axes.plot(costs, accuracies, color=DISTILL, label="best on calibration")
        if expected:
            axes.scatter(
                expected.cost, expected.accuracy, s=64, color=SURFACE, edgecolor=CHOSEN,
                linewidth=2, zorder=4, label="chosen, on calibration",
            )  # fmt: skip
        for cost, result, colour, marker, label in (
            (test.cost, test, CHOSEN, "o", "chosen, on test"),
            (1.0, test.full, MUTED, "s", "whole network, on test"),
        ):
            if not result:
                continue
            low, high = result.interval or [result.accuracy] * 2
            axes.plot([cost, cost], [low, high], color=colour, linewidth=1.2, zorder=2)
            axes.scatter(
                cost, result.accuracy, s=30, color=colour, marker=marker, zorder=3, label=label
            )
        axes.set_xlim(0, 1.04)
        axes.set_xlabel("mean compute, share of all MACs")
        axes.set_ylabel("accuracy")
        percent_axis(axes)
        percent_axis(axes, "x")
        axes.legend(loc="lower right")

    return draw("tradeoff", "Accuracy against mean compute with early exits", plot, height=3.0)


def pareto_figure(selection: Selection, what: str) -> str:
    """Draw a validation figure, `what`, against bytes; larger circles are slower."""
    shown = {
        name: (candidate, candidate.bytes / 1000, candidate.accuracy)
        for name, candidate in selection.candidates.items()
        if candidate.bytes is not None and candidate.accuracy is not None
    }
    largest = max(size for _, size, _ in shown.values())
    slowest = max(candidate.latency_ms or 0 for candidate, _, _ in shown.values())
    areas = {
        name: 30 + 190 * (candidate.latency_ms or 0) / slowest if slowest else 30
        for name, (candidate, _, _) in shown.items()
    }
    colours = {name: CHOSEN if name == selection.chosen else DISTILL for name in shown}

    def plot(axes: "Axes") -> None:
        front = sorted(shown[name][1:] for name in selection.pareto)
        if len(front) > 1:
            axes.step(*zip(*front, strict=True), where="post", color=LINE, linewidth=1.4, zorder=1)
        for name, (candidate, size, accuracy) in shown.items():
            axes.scatter(
                size, accuracy, s=areas[name], zorder=3,
                color=colours[name], alpha=0.85 if candidate.within else 0.3,
            )  # fmt: skip
        width = largest
        limit = selection.limits.max_size_kb
        # A limit far beyond every file would squeeze them into a corner.
        if limit is not None and limit < 2 * largest:
            width = max(largest, limit)
            axes.axvline(limit, color=MUTED, linewidth=1.2, linestyle=(0, (4, 2)))
        axes.set_xlabel("file, kB")
        axes.set_ylabel(f"validation {what}")
        axes.margins(y=0.15)
        axes.set_xlim(0, width * 1.12)
        percent_axis(axes)
        bottom, top = axes.get_ylim()
        for to_the_right in (True, False):
            names = [name for name in shown if (shown[name][1] < 0.6 * width) == to_the_right]
            values = [(shown[name][2] - bottom) / (top - bottom) for name in names]
            for name, value, place in zip(names, values, spread(values, 0.07), strict=True):
                shift = (areas[name] / 3.14) ** 0.5 + 4
                axes.annotate(
                    name, shown[name][1:],
                    xytext=(shift if to_the_right else -shift, (place - value) * 160),
                    textcoords="offset points", ha="left" if to_the_right else "right",
                    va="center", color=colours[name] if name == selection.chosen else INK,
                )  # fmt: skip

    return draw("pareto", f"Validation {what} of the variants by size", plot, height=3.0)


def spread(values: list[float], gap: float) -> list[float]:
    """Move values up, as little as needed, until neighbours are `gap` apart; order is kept."""
    places = list(values)
    order = sorted(range(len(values)), key=lambda index: (values[index], index))
    for before, index in pairwise(order):
        places[index] = max(places[index], places[before] + gap)
    return places
