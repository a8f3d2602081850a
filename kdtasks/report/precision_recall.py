"""Precision against recall, over all thresholds of a class's probability."""

from typing import TYPE_CHECKING

import numpy as np

from kdtasks.evaluation.precision_recall import THRESHOLDS, precision_recall
from kdtasks.report.contents import Arrays
from kdtasks.report.drawing import CHOSEN, draw, percent_axis
from kdtasks.report.figures import MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def models_figure(compared: Arrays, examples: Arrays, shown: str) -> str:
    """Draw the curves of all classes together: teacher, both students, the shipped file.

    Arguments:
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
