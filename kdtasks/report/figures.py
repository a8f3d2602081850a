"""The figures of the page, each from its part of the statistics."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from kdtasks.core import text
from kdtasks.core.latency import Statistic
from kdtasks.core.records.calibration import ExpectedPoint
from kdtasks.core.records.evaluate import Evaluation, Gain
from kdtasks.core.records.report import CandidateSummary, Curve, Selection, Statistics
from kdtasks.report.drawing import Colour, Label, draw, percent_axes, write_labels
from kdtasks.tasks.task import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# What a variant costs, and how its axis is labelled.
COSTS = {
    "size": "file, kB",
    "time": "time an image, ms",
    "compute": "mean compute an image, MACs",
}
_WRITE: dict[str, Callable[[float], str]] = {
    "size": lambda cost: text.kilobytes(cost * 1000),
    "time": text.milliseconds,
    "compute": lambda cost: f"{text.millions(cost)} MACs",
}

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


def tradeoff_figure(
    curve: Sequence[tuple[float, float]],
    expected: ExpectedPoint | None,
    test: Evaluation,
    what: str = "accuracy",
) -> str:
    """Draw accuracy, or `what` it is, against compute: calibration, the chosen point, the test."""

    within = test.intervals or {}

    def plot(axes: "Axes") -> None:
        if curve:
            costs, accuracies = zip(*curve, strict=True)
            axes.plot(
                costs, accuracies, color=Colour.DISTILL, label="best on calibration", gid="curve"
            )
        if expected:
            axes.scatter(
                expected.cost, expected.accuracy, s=64, color=Colour.SURFACE, zorder=4,
                edgecolor=Colour.CHOSEN, linewidth=2, label="chosen, on calibration",
            )  # fmt: skip
        whole = test.full.interval if test.full and test.metric in (None, "accuracy") else None
        for cost, result, interval, colour, marker, label in (
            (test.cost, test, within.get("accuracy"), Colour.CHOSEN, "o", "chosen, on test"),
            (1.0, test.full, whole, Colour.MUTED, "s", "whole network, on test"),
        ):
            if not result:
                continue
            low, high = interval or [result.accuracy] * 2
            axes.plot([cost, cost], [low, high], color=colour, linewidth=1.2, zorder=2)
            axes.scatter(
                cost, result.accuracy, s=30, color=colour, marker=marker, zorder=3, label=label
            )
        axes.set(xlim=(0, 1.04), xlabel="mean compute, fraction of all MACs", ylabel=what)
        percent_axes(axes)
        axes.legend(loc="lower right")

    title = what[0].upper() + what[1:]
    return draw("tradeoff", f"{title} against mean compute with early exits", plot, height=3.0)


def limit_figure(selection: Selection, cost: str, what: str) -> str:
    """Draw a validation metric, `what`, against a cost of `COSTS`, with the limits.

    Empty where no variant has both.
    Every point is a link to the variant's row in the table, `#variant-<number>`, whose label tells
    its figures.
    """
    names = list(selection.candidates)
    judged, limits = selection.limits.latency_statistic, selection.limits
    points = {
        name: (found, candidate.accuracy)
        for name, candidate in selection.candidates.items()
        if candidate.accuracy is not None and (found := _cost(candidate, cost, judged)) is not None
    }
    if not points:
        return ""
    within = {name for name, candidate in selection.candidates.items() if candidate.within}
    largest = max(found for found, _ in points.values())
    limit = {"size": limits.max_size_kb, "time": limits.max_latency_ms}.get(cost)
    allowed = [
        most for most in (limits.max_accuracy_drop, limits.max_agreement_drop) if most is not None
    ]
    # One line for all, unless variants come from students of different seeds.
    floors = {
        round(candidate.accuracy + candidate.accuracy_drop - min(allowed), 9)
        for candidate in selection.candidates.values()
        if allowed and candidate.accuracy is not None and candidate.accuracy_drop is not None
    }

    def plot(axes: "Axes") -> None:
        from matplotlib.ticker import EngFormatter, MaxNLocator

        front = _front(list(points.values()))
        if len(front) > 1:
            axes.step(
                *zip(*front, strict=True), where="post", color=Colour.LINE, linewidth=1.4, zorder=1
            )
        for name, point in points.items():
            axes.plot(
                *point, marker="o", markersize=10, zorder=3, linestyle="", url=f"variant:{name}",
                color=(colour := Colour.CHOSEN if name == selection.chosen else Colour.DISTILL),
                markerfacecolor=colour if name in within else Colour.SURFACE,
            )  # fmt: skip
        width = largest
        dashes: Any = {"color": Colour.STUDENT, "linewidth": 1.2, "linestyle": (0, (4, 2))}
        # A limit far beyond every file would squeeze them into a corner.
        if limit is not None and limit < 2 * largest:
            width = max(largest, limit)
            axes.axvline(limit, **dashes)
        if len(floors) == 1:
            axes.axhline(floors.pop(), **dashes)
        axes.margins(y=0.15)
        axes.set(xlabel=COSTS[cost], ylabel=f"validation {what}", xlim=(0, width * 1.12))
        percent_axes(axes, "y")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        if cost == "compute":
            axes.xaxis.set_major_formatter(EngFormatter(sep=text.SPACE))
        for side in (1, -1):
            labels = [
                Label(name, point, side * 9, name == selection.chosen)
                for name, point in points.items()
                if (side > 0) == (point[0] < 0.6 * width)
            ]
            write_labels(axes, labels, Colour.CHOSEN)

    title = f"Validation {what} of the variants by {cost}"
    svg = draw(f"by-{cost}", title, plot, is_interactive=True)
    for number, (name, candidate) in enumerate(selection.candidates.items()):
        sentence = f"{name}: {text.percent(candidate.accuracy)}"
        if name in points:
            sentence += f", {_WRITE[cost](points[name][0])}"
        sentence = escape(f"{sentence}{'' if name in within else ', breaks a limit'}")
        svg = svg.replace(
            f'<a xlink:href="variant:{escape(name)}" target="_blank">',
            f'<a href="#variant-{number}" data-variant="{number}" aria-label="{sentence}">',
        )
    assert "variant:" not in svg, names
    return svg


def _cost(candidate: CandidateSummary, cost: str, judged: Statistic) -> float | None:
    if cost == "size":
        return None if candidate.bytes is None else candidate.bytes / 1000
    if cost == "time":
        return candidate.latency_ms.of(judged) if candidate.latency_ms else None
    return candidate.macs


def _front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no cheaper one equals, cheapest first."""
    front: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or score > front[-1][1]:
            front.append((cost, score))
    return front
