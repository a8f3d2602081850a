"""What a training step minimises: the mean over exits of label loss and teacher loss."""

from collections.abc import Callable, Sequence

from kdtasks.backend import Tensor, tf
from kdtasks.distillation.losses import LOSSES, cross_entropy

# From the logits of every exit, the labels and the teacher's logits to one scalar.
Objective = Callable[[Sequence[Tensor], Tensor, Tensor], Tensor]


def label_objective(ignore_label: int | None = None) -> Objective:
    """Cross-entropy of every exit, equal weights."""

    def objective(exits: Sequence[Tensor], labels: Tensor, _teacher_logits: Tensor) -> Tensor:
        losses = [cross_entropy(logits, labels, ignore_label) for logits in exits]
        return tf.add_n(losses) / len(losses)

    return objective


def distillation_objective(
    *, alpha: float, temperature: float, loss: str = "kd", ignore_label: int | None = None
) -> Objective:
    """alpha · cross-entropy + (1 − alpha) · distillation loss at every exit, equal weights.

    Arguments:
        alpha: 0 is the teacher alone, 1 the labels alone.
        temperature: greater than 0.
        loss: a name in `LOSSES`.
        ignore_label: label of rows without a truth; there the teacher alone teaches.
    """
    distillation_loss = LOSSES[loss]

    def objective(exits: Sequence[Tensor], labels: Tensor, teacher_logits: Tensor) -> Tensor:
        losses = [
            alpha * cross_entropy(logits, labels, ignore_label)
            + (1.0 - alpha) * distillation_loss(logits, teacher_logits, temperature)
            for logits in exits
        ]
        return tf.add_n(losses) / len(losses)

    return objective
