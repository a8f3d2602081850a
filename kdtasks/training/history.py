"""The course of a training run, as a table for plots."""

import csv
from collections.abc import Sequence
from pathlib import Path

from kdtasks.atomic import atomic_file

COLUMNS = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")


def write_history(path: Path, history: Sequence[dict[str, float]]) -> None:
    """Write one row an epoch; accuracies and losses of the last exit but for `loss`, the objective.

    Speed is left out: it is the one figure that differs between two runs of the same thing.
    """
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
