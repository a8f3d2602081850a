"""The objective of everything that learns from labels alone: teachers and students from scratch."""

from collections.abc import Sequence
from dataclasses import dataclass

from kdtasks.backend import Tensor, tf
from kdtasks.distillation.losses.cross_entropy import cross_entropy
from kdtasks.distillation.step import History, Step
from kdtasks.params.distillation import HintParams


@dataclass(frozen=True)
class LabelObjective:
    """Cross-entropy of every exit, equal weights.

    Attributes:
        ignore_label: label of rows that do not count.
    """

    ignore_label: int | None = None

    @property
    def hints(self) -> Sequence[HintParams]:
        """None: there is no teacher."""
        return ()

    def numbers(self, *, epoch: int, epochs: int, history: History) -> dict[str, float]:
        """Nothing changes from epoch to epoch."""
        return {}

    def __call__(self, step: Step) -> Tensor:
        """Return the mean over exits."""
        losses = [cross_entropy(logits, step.labels, self.ignore_label) for logits in step.exits]
        return tf.add_n(losses) / len(losses)
