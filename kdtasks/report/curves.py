"""The reliability diagram of an exit: how often it is right against how sure it is."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kdtasks.core.records.compress import Sensitivity
from kdtasks.core.records.report import ReliabilityBin
from kdtasks.evaluate.intervals import wilson_interval
from kdtasks.evaluate.metrics import THRESHOLDS, precision_recall
from kdtasks.report.contents import Arrays
from kdtasks.report.drawing import CHOSEN, DISTILL, INK, LINE, MUTED, draw, percent_axis
from kdtasks.report.figures import MODELS, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# More names than this do not fit beside the lines.
NAMED = 8


def reliability_figure(
    index: int, bins: Sequence[ReliabilityBin], *, threshold: float | None, confidence: float
) -> str:
    """Draw one exit's accuracy against its confidence, with how many images are in each bin.

    Args:
        index: of the exit.
        bins: of confidence.
        threshold: confidence from which the exit is left; None where there is none to show.
        confidence: level of the intervals, as of `wilson_interval`.
    """
    total = sum(found.rows for found in bins)
    least = min(found.confidence for found in bins)
    # From a round figure below the least sure image, so that the diagonal fills the frame.
    start = max(0.0, int(least * 10) / 10)

    def plot(axes: "Axes") -> None:
        axes.plot([start, 1], [start, 1], color=MUTED, linewidth=1.2, linestyle=(0, (4, 2)))
        for found in bins:
            right = round(found.accuracy * found.rows)
            interval = wilson_interval(right, int(found.rows), confidence)
            axes.plot([found.confidence] * 2, interval, color=DISTILL, linewidth=1.2, zorder=2)
            axes.scatter(
                found.confidence, found.accuracy, color=DISTILL, zorder=3,
                s=12 + 120 * found.rows / total, alpha=0.85, linewidth=0, clip_on=False,
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


def models_figure(compared: Arrays, examples: Arrays, shown: str) -> str:
    """Draw the curves of all classes together: teacher, both students, the shipped file.

    Args:
        compared: arrays of `plots/compare.npz`.
        examples: arrays of `plots/examples/<variant>.npz` of the variant `shown`.
    """
    curves = [
        (label, colour, dashes, compared[f"probabilities_{key}"])
        for key, (label, colour, _, dashes) in MODELS.items()
        if f"probabilities_{key}" in compared
    ]
    curves.append((shown, CHOSEN, "-", examples["probabilities"]))

    def plot(axes: "Axes") -> None:
        for label, colour, dashes, counts in curves:
            precision, recall = precision_recall(counts.sum(axis=0))
            axes.plot(recall, precision, color=colour, linestyle=dashes, label=label)
            half = THRESHOLDS // 2
            axes.scatter(recall[half], precision[half], color=colour, s=22, zorder=3)
        _finish(axes)

    return draw("precision-recall", "Precision against recall, all classes together", plot)


def classes_figure(examples: Arrays, class_names: list[str], colours: list[str], shown: str) -> str:
    """Draw the curve of every class of the variant `shown`, in the colours of the masks."""

    def plot(axes: "Axes") -> None:
        styles = ("-", (0, (5, 2)), (0, (1.5, 1.2)), (0, (6, 2, 1.5, 2)))
        for index, name in enumerate(class_names):
            precision, recall = precision_recall(examples["probabilities"][index])
            if np.isnan(recall).any():
                continue
            axes.plot(
                recall, precision, color=colours[index], linestyle=styles[index % 4], label=name
            )
        _finish(axes)

    return draw("precision-recall-classes", f"Precision against recall of {shown}, by class", plot)


def _finish(axes: "Axes") -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    percent_axis(axes)
    percent_axis(axes, "x")
    axes.legend(loc="lower left")


def sensitivity_figure(sensitivity: Sensitivity) -> str:
    """Draw validation accuracy against the share of filters silenced, a line a layer.

    The layers that lose most by their largest share are named; the others are pale.
    """
    whole = sensitivity.accuracy
    curves = {name: curve_of(figures, whole) for name, figures in sensitivity.layers.items()}
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


def curve_of(figures: Mapping[str, float], whole: float) -> list[tuple[float, float]]:
    """The points of one layer, from none of its filters silenced to the largest share."""
    shares = sorted((float(key), value) for key, value in figures.items() if key != "filters")
    return [(0.0, whole), *shares]
