"""Curves of the page: reliability, precision against recall, sensitivity."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kdtasks.core.records.compress import Sensitivity
from kdtasks.core.records.evaluate import ReliabilityBin
from kdtasks.evaluate.intervals import wilson_interval
from kdtasks.evaluate.metrics import THRESHOLDS, precision_recall
from kdtasks.report.drawing import Colour, Label, draw, percent_axes, write_labels
from kdtasks.report.figures import MODELS
from kdtasks.report.inputs import Arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# A curve: its label, colour and style, and int64 [2, thresholds] as of `count_probabilities`.
Line = tuple[str, str, Any, np.ndarray]
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
    total = sum(point.rows for point in bins)
    least = min(point.confidence for point in bins)
    # From a round number below the least confident image, so that the diagonal fills the frame.
    start = max(0.0, int(least * 10) / 10)

    def plot(axes: "Axes") -> None:
        axes.plot([start, 1], [start, 1], color=Colour.MUTED, linewidth=1.2, linestyle=(0, (4, 2)))
        for point in bins:
            right = round(point.accuracy * point.rows)
            interval = wilson_interval(right, int(point.rows), confidence)
            axes.plot(
                [point.confidence] * 2, interval, color=Colour.DISTILL, linewidth=1.2, zorder=2
            )
            axes.scatter(
                point.confidence, point.accuracy, color=Colour.DISTILL, zorder=3,
                s=12 + 120 * point.rows / total, alpha=0.85, linewidth=0, clip_on=False,
            )  # fmt: skip
        if threshold is not None and start < threshold < 1:
            axes.axvline(threshold, color=Colour.CHOSEN, linewidth=1.4, zorder=1)
        pad = 0.03 * (1 - start)
        axes.set(xlim=(start - pad, 1 + pad), ylim=(-0.03, 1.03))
        axes.set(xlabel="confidence", ylabel="right answers")
        percent_axes(axes)

    description = f"How often exit {index + 1} is right against its confidence"
    return draw(f"reliability-{index}", description, plot, width=2.7, height=2.6)


def models_figure(compared: Arrays, examples: Arrays, shown: str) -> str:
    """Draw the curves of all classes together: teacher, both students, the shipped file.

    Args:
        compared: arrays of `plots/compare.npz`.
        examples: arrays of `plots/examples/<variant>.npz` of the variant `shown`.
    """
    curves: list[Line] = [
        (label, colour, dashes, compared[f"probabilities_{key}"].sum(axis=0))
        for key, (label, colour, _, dashes) in MODELS.items()
        if f"probabilities_{key}" in compared
    ]
    curves.append((shown, Colour.CHOSEN, "-", examples["probabilities"].sum(axis=0)))
    description = "Precision against recall, all classes together"
    return _precision_recall_figure("precision-recall", description, curves, dots=True)


def classes_figure(examples: Arrays, colours: Mapping[str, str], shown: str) -> str:
    """Draw the curve of every class of the variant `shown`; `colours` of the masks by class."""
    styles = ("-", (0, (5, 2)), (0, (1.5, 1.2)), (0, (6, 2, 1.5, 2)))
    curves: list[Line] = [
        (name, colour, styles[index % 4], examples["probabilities"][index])
        for index, (name, colour) in enumerate(colours.items())
    ]
    description = f"Precision against recall of {shown}, by class"
    return _precision_recall_figure("precision-recall-classes", description, curves)


def _precision_recall_figure(
    name: str, description: str, curves: Sequence[Line], *, dots: bool = False
) -> str:
    """Draw curves, without those of classes that nothing is labelled of; `dots` mark ½."""

    def plot(axes: "Axes") -> None:
        for label, colour, style, counts in curves:
            precision, recall = precision_recall(counts)
            if np.isnan(recall).any():
                continue
            axes.plot(recall, precision, color=colour, linestyle=style, label=label)
            if dots:
                half = THRESHOLDS // 2
                axes.scatter(recall[half], precision[half], color=colour, s=22, zorder=3)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="recall", ylabel="precision")
        percent_axes(axes)
        axes.legend(loc="lower left")

    return draw(name, description, plot)


def sensitivity_figure(sensitivity: Sensitivity, what: str = "accuracy") -> str:
    """Draw validation accuracy, or `what` it is, against the filters masked, a line a layer.

    The layers that lose most by their largest fraction are named; the others are pale.
    """
    whole = sensitivity.accuracy
    curves = {name: curve_of(accuracies, whole) for name, accuracies in sensitivity.layers.items()}
    named = sorted(curves, key=lambda name: curves[name][-1][1])[:NAMED]
    weakest = named[0]

    def plot(axes: "Axes") -> None:
        axes.axhline(whole, color=Colour.LINE, linewidth=1.2)
        for name, curve in curves.items():
            colour = (
                Colour.DISTILL
                if name == weakest
                else Colour.MUTED
                if name in named
                else Colour.LINE
            )
            axes.plot(*zip(*curve, strict=True), color=colour, marker="o", markersize=3)
        axes.set(xlabel="fraction of the layer's filters masked", ylabel=f"validation {what}")
        percent_axes(axes)
        last = max(curve[-1][0] for curve in curves.values())
        axes.set_xlim(0, last * 1.9)
        labels = [Label(name, curves[name][-1], 6, name == weakest) for name in named]
        write_labels(axes, labels, Colour.DISTILL)

    description = f"Validation {what} without a fraction of the filters of one layer"
    return draw("sensitivity", description, plot, height=3.0)


def curve_of(accuracies: Mapping[str, float], whole: float) -> list[tuple[float, float]]:
    """The points of one layer, from none of its filters masked to the largest fraction."""
    points = sorted((float(key), value) for key, value in accuracies.items() if key != "filters")
    return [(0.0, whole), *points]
