"""Stop a training run that has broken down, and say what to try."""

import csv
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.errors import TrainingError
from kdtasks.core.events import MetricsEvent, ProgressEvent, emit
from kdtasks.core.files import atomic_file
from kdtasks.core.text import percent, plain
from kdtasks.tasks.confusion import counted
from kdtasks.tasks.imbalance import is_uneven

# A few stray pixels do not make a mask.
_NEARLY_ALL = 0.9999

# What helps there besides.
_FOR_MASKS = (
    "; rare classes count for more with train.class_balance: weights, or by dice among "
    "train.loss.terms"
)

# What helps where most images are of one class.
_FOR_RARE = (
    "set train.class_balance to weights or sampling, so that rare classes count for more; if it "
    "is, "
)

# A run has to have taken so many steps that led nowhere; with fewer it may not have begun to learn.
_STEPS = 100

# A loss that has fallen by less, as a fraction of the first epoch's, has as good as not fallen.
_FALL = 0.01

# Labels that are counted at a time.
_AT_ONCE = 1024

# What accuracy hides of rare classes, from which on it is told.
_HIDDEN = 0.05

# Seconds without a line after which a long epoch reports from its middle.
_QUIET = 10.0

# Of every run. Behind them stand `validation_mean_iou` of masks, of classes
# `validation_balanced_accuracy` and `validation_macro_f1`, and, where a teacher teaches,
# `teacher_agreement`, the fraction of the training labels that the teacher gets right, and
# the objective's values of the epoch.
COLUMNS = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")


def patience(epochs: int, *, steps: int) -> int:
    """Epochs that may predict one class only: `epochs`, or more of few steps each."""
    return max(epochs, math.ceil(_STEPS / steps))


@dataclass
class CollapseGuard:
    """Watches for a loss that is not a number and for predictions of one class only.

    Attributes:
        patience: epochs in a row that predict one class only, at which the run is stopped.
        labels: [classes], how many validation images, or pixels, each class has.
        steps: of an epoch.
        epochs: of the run.
        class_names: of each class; () numbers them.
        per_pixel: whether pixels are predicted.
        collapsed_epochs: such epochs right before; a run that resumes from a checkpoint is stopped
            where one that never stopped would have been.
    """

    patience: int
    labels: Sequence[int]
    steps: int
    epochs: int
    class_names: Sequence[str] = ()
    collapsed_epochs: int = 0
    per_pixel: bool = False

    def check_loss(self, loss: float, *, epoch: int, name: str = "loss") -> None:
        """Raise TrainingError if the loss is not finite."""
        if not math.isfinite(loss):
            raise TrainingError(
                f"the {name} became {loss} in epoch {epoch}; lower the learning rate, or look for "
                "images and labels that are not what they seem in data/prepared/dataset.json"
            )

    def check_predictions(self, counts: np.ndarray, *, epoch: int) -> None:
        """Raise TrainingError if too many epochs in a row predicted a single class.

        A mask of one class may have a stray pixel in ten thousand of another.

        Args:
            counts: int [classes], how often each was predicted on the validation split.
        """
        fraction = counts.max() / counts.sum()
        collapsed = len(self.labels) > 1 and fraction >= (_NEARLY_ALL if self.per_pixel else 1)
        self.collapsed_epochs = self.collapsed_epochs + 1 if collapsed else 0
        if self.collapsed_epochs >= self.patience:
            first, predicted = epoch - self.collapsed_epochs + 1, int(counts.argmax())
            what, rest, before = "every validation image", "", ""
            labels = dict(enumerate(self.labels))
            if not self.per_pixel and is_uneven(labels) and labels[predicted] == max(self.labels):
                what += (
                    f", of which {plain(percent(labels[predicted] / sum(self.labels)))} are of it"
                )
                before = _FOR_RARE
            if self.per_pixel:
                what, rest = f"{fraction:.2%} of the validation pixels", _FOR_MASKS
            if (steps := self.collapsed_epochs * self.steps) < _STEPS:
                rest += (
                    f"; these were {steps} steps in all, few to learn from: lower "
                    "train.batch_size, or train for more epochs"
                )
            elif self.collapsed_epochs < self.epochs:
                rest += (
                    "; if so slow a start is expected, set train.guard_epochs above "
                    f"{self.collapsed_epochs}"
                )
            raise TrainingError(
                f"epochs {first} to {epoch} of {self.epochs} predicted {self._name(predicted)} for "
                f"{what}; {before}lower the learning rate, or use batch normalisation{rest}"
            )

    def _name(self, predicted: int) -> str:
        return f"class {self.class_names[predicted] if self.class_names else predicted}"


def label_counts(labels: Any, classes: int, ignore_label: int | None) -> tuple[int, ...]:
    """Count the images, or pixels, of each class: [classes]."""
    found = np.zeros(classes, np.int64)
    for start in range(0, len(labels), _AT_ONCE):
        part = np.asarray(labels[start : start + _AT_ONCE])
        found += np.bincount(part[counted(part, ignore_label)], minlength=classes)
    return tuple(found.tolist())


def best_epoch(history: Sequence[Mapping[str, float]], metric: str) -> int:
    """Give the epoch of the best validation score, of equal ones that of the least loss.

    Args:
        history: records of the epochs so far, at least one.
        metric: key of the score.
    """

    def rank(record: Mapping[str, float]) -> tuple[float, float]:
        return record[f"validation_{metric}"], -record["validation_loss"]

    return int(max(history, key=rank)["epoch"])


def stalled(history: Sequence[Mapping[str, float]], *, epochs: int, learning_rate: float) -> str:
    """Say at the end of the first tenth of a run that its training loss has not fallen; else ``.

    Args:
        history: records of the epochs so far.
        epochs: of the run.
        learning_rate: its first one.
    """
    tenth = max(2, math.ceil(epochs / 10))
    first, last = history[0]["loss"], history[-1]["loss"]
    if len(history) != tenth or last < first - _FALL * abs(first):
        return ""
    return (
        f"the training loss has not fallen in the first {tenth} epochs ({first:.4g}, now "
        f"{last:.4g}); the learning rate of {learning_rate:g} may be wrong for train.optimizer: "
        "set learning_rate in the section that trains (teacher or student), about 0.001 for "
        "adam and 0.05 for sgd with momentum"
    )


class EpochReporter:
    """Prints epoch, loss, accuracy, images a second and time left, and tells them as events."""

    def __init__(self, *, first_epoch: int, epochs: int, images: int) -> None:
        """Args: first_epoch is the epochs done before; images are those of an epoch."""
        self._epochs, self._images = epochs, images
        self._epoch = self._first_epoch = first_epoch
        self._begin = self._epoch_begin = self._last_line = time.monotonic()

    def start_epoch(self, epoch: int) -> None:
        """Start the clock of an epoch."""
        self._epoch = epoch
        self._epoch_begin = time.monotonic()

    def show_block(self, images: int, *, loss: float) -> None:
        """Report if the last time is long ago."""
        now = time.monotonic()
        if now - self._last_line < _QUIET or images >= self._images:
            return
        part = images / self._images
        self._report(f"{part:4.0%}  loss {loss:.4f}", images / (now - self._epoch_begin), part)

    def end_epoch(self, record: Mapping[str, float]) -> None:
        """Report a whole epoch."""
        speed = self._images / max(time.monotonic() - self._epoch_begin, 1e-9)
        values = {name: value for name, value in record.items() if name != "epoch"}
        emit(MetricsEvent(self._epoch, values))
        line = f"loss {record['loss']:.4f}  "
        if "accuracy" in record:  # where any label is seen
            line += f"accuracy {record['accuracy']:.4f}  "
        line += f"validation {record['validation_accuracy']:.4f}"
        if "validation_mean_iou" in record:
            line += f", mean IoU {record['validation_mean_iou']:.4f}"
        balanced = record.get("validation_balanced_accuracy", math.inf)
        if balanced < record["validation_accuracy"] - _HIDDEN:
            line += f", balanced {balanced:.4f}"
        self._report(line, speed, 1.0)

    def _report(self, middle: str, speed: float, part: float) -> None:
        self._last_line = now = time.monotonic()
        epochs_done = self._epoch - 1 + int(part)
        emit(ProgressEvent(epochs_done, self._epochs, "epoch", round(speed, 1)))
        done = self._epoch - 1 + part - self._first_epoch
        left = (now - self._begin) / done * (self._epochs - self._first_epoch - done)
        width = len(str(self._epochs))
        print(
            f"epoch {self._epoch:{width}}/{self._epochs}  {middle}  "
            f"{speed:,.0f} images/s  {int(left) // 60}:{int(left) % 60:02} left",
            flush=True,
        )


def write_history(path: Path, history: Sequence[dict[str, float]]) -> None:
    """Write one row an epoch; accuracies and losses of the last exit but for `loss`, the objective.

    Speed is excluded: it is the one value that differs between two runs of the same thing.
    """
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        names = dict.fromkeys(name for record in history for name in record) or COLUMNS
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def mean_history(histories: Sequence[Sequence[dict[str, float]]]) -> list[dict[str, float]]:
    """Return the mean of several courses of the same number of epochs, epoch by epoch."""
    return [
        {
            name: round(sum(record[name] for record in records) / len(records), 6)
            for name in records[0]
        }
        | {"epoch": records[0]["epoch"]}
        for records in zip(*histories, strict=True)
    ]
