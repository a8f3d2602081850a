"""What the teacher's logits teach, one loss a file."""

from abc import abstractmethod
from typing import ClassVar

from pydantic import Field

from kdtasks.core.backend import Tensor, tf
from kdtasks.core.registry import Registry
from kdtasks.core.settings import Fraction, Section


class DistillationLoss(Section):
    """How far a student's logits are from the teacher's.

    Attributes:
        per_pixel: whether it compares places of an image, so that only masks can be learnt by it.
    """

    per_pixel: ClassVar[bool] = False

    name: str
    warm_up: Fraction = Field(
        default=0.0,
        description="fraction of the epochs over which the loss grows to its full weight",
    )

    @property
    def is_plain(self) -> bool:
        """Whether it teaches softmax(logits / T) as it is: no more than a label where one-hot."""
        return True

    @abstractmethod
    def __call__(
        self, student: Tensor, teacher: Tensor, temperature: Tensor | float, labels: Tensor
    ) -> Tensor:
        """Return the loss, a scalar.

        Args:
            student, teacher: logits, float [batch, …, classes]; all axes but the last are rows.
            temperature: divides both; greater than 0.
            labels: integers [batch, …]; -1 for rows without a true class.
        """


distillation_losses = Registry("distillation loss", __name__, DistillationLoss)


def divergence(
    student: Tensor, teacher: Tensor, temperature: Tensor | float, axis: int = -1
) -> Tensor:
    """Return T² · KL(softmax(teacher / T) ‖ softmax(student / T)) along an axis, its mean."""
    temperature = tf.cast(temperature, tf.float32)
    log_student, log_teacher = (
        tf.nn.log_softmax(tf.cast(logits, tf.float32) / temperature, axis=axis)
        for logits in (student, teacher)
    )
    sums = tf.reduce_sum(tf.exp(log_teacher) * (log_teacher - log_student), axis=axis)
    return temperature**2 * tf.reduce_mean(sums)
