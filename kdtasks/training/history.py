"""The course of a training run, as a table for plots."""

import csv
from collections.abc import Sequence
from pathlib import Path

from kdtasks.atomic import atomic_file

# Of every run. Behind them stand `validation_mean_iou` of masks and, where a teacher teaches,
# `teacher_agreement`, the share of the training labels that the teacher gets right, and the
# objective's numbers of the epoch.
COLUMNS = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")


def write_history(path: Path, history: Sequence[dict[str, float]]) -> None:
    """Write one row an epoch; accuracies and losses of the last exit but for `loss`, the objective.

    Speed is left out: it is the one figure that differs between two runs of the same thing.
    """
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        names = tuple(history[0]) if history else COLUMNS
        writer = csv.DictWriter(file, fieldnames=names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def mean_history(histories: Sequence[Sequence[dict[str, float]]]) -> list[dict[str, float]]:
    """Return the mean of several courses of the same number of epochs, epoch by epoch."""
    return [
        {
            name: records[0][name]
            if name == "epoch"
            else round(sum(record[name] for record in records) / len(records), 6)
            for name in records[0]
            if all(name in record for record in records)
        }
        for records in zip(*histories, strict=True)
    ]
