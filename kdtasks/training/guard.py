"""Stop a training run that has broken down, and say what to try."""

import math

import numpy as np

from kdtasks.errors import TrainingError

# What is said of masks, and what helps there besides.
_PIXELS = (
    "pixel",
    "; classes that are rare count for more with train.loss.class_weights: balanced or a Dice loss",
)


class Guard:
    """Watches for a loss that is not a number and for predictions of one class only."""

    def __init__(self, *, patience: int, num_classes: int, collapsed_epochs: int = 0) -> None:
        """Start to watch.

        Arguments:
            patience: epochs in a row that predict one class only, at which the run is stopped.
            collapsed_epochs: such epochs right before; a run that goes on from a checkpoint is
                stopped where one that never stopped would have been.
        """
        self._patience = patience
        self._num_classes = num_classes
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

        Arguments:
            predicted: integers of any shape, the classes predicted on the validation split.
        """
        classes = np.unique(predicted)
        collapsed = self._num_classes > 1 and len(classes) == 1
        self.collapsed_epochs = self.collapsed_epochs + 1 if collapsed else 0
        if self.collapsed_epochs >= self._patience:
            first = epoch - self.collapsed_epochs + 1
            what, rest = ("picture", "") if predicted.ndim == 1 else _PIXELS
            raise TrainingError(
                f"epochs {first} to {epoch} predicted class {classes[0]} for "
                f"every validation {what}; lower the learning rate, use batch normalisation, or "
                f"raise train.guard_epochs if so slow a start is expected{rest}"
            )
