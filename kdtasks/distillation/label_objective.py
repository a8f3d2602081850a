"""The objective of everything that learns from labels alone: teachers and students from scratch."""

from collections.abc import Sequence
from dataclasses import dataclass

from kdtasks.backend import Tensor
from kdtasks.distillation.label_loss import LabelLoss
from kdtasks.distillation.step import History, Step
from kdtasks.params.distillation import HintParams


@dataclass(frozen=True)
class LabelObjective:
    """The loss of the labels at every exit, equal weights.

    Attributes:
        ignore_label: label of rows that do not count.
        label_loss: the loss of one exit; None is cross-entropy.
    """

    ignore_label: int | None = None
    label_loss: LabelLoss | None = None

    @property
    def hints(self) -> Sequence[HintParams]:
        """None: there is no teacher."""
        return ()

    def numbers(self, *, epoch: int, epochs: int, history: History) -> dict[str, float]:
        """Nothing changes from epoch to epoch."""
        return {}

    def __call__(self, step: Step) -> Tensor:
        """Return the mean over exits."""
        loss = self.label_loss or LabelLoss(self.ignore_label)
        losses = [loss(logits, step.labels) for logits in step.exits]
        return step.mean(losses)
