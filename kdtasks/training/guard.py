"""Stop a training run that has broken down, and say what to try."""

import math

import numpy as np

from kdtasks.errors import TrainingError

# A few stray pixels do not make a mask.
_NEARLY_ALL = 0.9999
# What helps there besides.
_FOR_MASKS = (
    "; rare classes count for more with train.loss.class_weights: balanced, or by train.loss.dice"
)
# A run has to have taken so many steps that led nowhere; with fewer it may not have begun to learn.
_STEPS = 100


def patience(epochs: int, *, steps: int) -> int:
    """Epochs that may predict one class only: `epochs`, or more of few steps each."""
    return max(epochs, math.ceil(_STEPS / steps))


class Guard:
    """Watches for a loss that is not a number and for predictions of one class only."""

    def __init__(
        self, *, patience: int, num_classes: int, steps: int = _STEPS, collapsed_epochs: int = 0
    ) -> None:
        """Start to watch.

        Arguments:
            patience: epochs in a row that predict one class only, at which the run is stopped.
            steps: of an epoch.
            collapsed_epochs: such epochs right before; a run that goes on from a checkpoint is
                stopped where one that never stopped would have been.
        """
        self._patience = patience
        self._num_classes, self._steps = num_classes, steps
        self.collapsed_epochs = collapsed_epochs

    def check_loss(self, loss: float, *, epoch: int, name: str = "loss") -> None:
        """Raise TrainingError if the loss is not finite."""
        if not math.isfinite(loss):
            raise TrainingError(
                f"the {name} became {loss} in epoch {epoch}; lower the learning rate, or look for "
                "pictures and labels that are not what they seem in data/prepared/dataset.json"
            )

    def check_predictions(self, predicted: np.ndarray, *, epoch: int) -> None:
        """Raise TrainingError if too many epochs in a row predicted a single class.

        A mask of one class may have a stray pixel in ten thousand of another.

        Arguments:
            predicted: integers of any shape, the classes predicted on the validation split.
        """
        counts = np.bincount(np.ravel(predicted), minlength=self._num_classes)
        share = counts.max() / counts.sum()
        collapsed = self._num_classes > 1 and share >= (1 if predicted.ndim == 1 else _NEARLY_ALL)
        self.collapsed_epochs = self.collapsed_epochs + 1 if collapsed else 0
        if self.collapsed_epochs >= self._patience:
            first = epoch - self.collapsed_epochs + 1
            what, rest = "every validation picture", ""
            if predicted.ndim > 1:
                what, rest = f"{share:.2%} of the validation pixels", _FOR_MASKS
            if self.collapsed_epochs * self._steps < _STEPS:
                rest += (
                    f"; these were {self.collapsed_epochs * self._steps} steps in all, few to "
                    "learn from: lower train.batch_size, or train for more epochs"
                )
            raise TrainingError(
                f"epochs {first} to {epoch} predicted class {counts.argmax()} for "
                f"{what}; lower the learning rate, use batch normalisation, or "
                f"raise train.guard_epochs if so slow a start is expected{rest}"
            )
