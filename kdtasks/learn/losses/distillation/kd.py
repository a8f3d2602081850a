"""Knowledge distillation: the student's softened probabilities against the teacher's."""

from typing import Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.distillation import DistillationLoss, distillation_losses, divergence

# Under the root, so that rows of equal logits have a gradient.
_EPSILON = 1e-7


@distillation_losses.register
class KD(DistillationLoss):
    """T² · KL(softmax(teacher / T) ‖ softmax(student / T)), the mean over rows.

    The factor T² keeps the size of the gradients independent of the temperature (Hinton, Vinyals
    and Dean, arXiv 1503.02531, section 2).
    """

    name: Literal["kd"] = "kd"
    standardize: bool = Field(
        default=False,
        description="give each row's logits mean 0 and standard deviation 1 first, so that the "
        "student need not match their size (Sun et al., arXiv 2403.01427)",
    )

    @property
    def is_plain(self) -> bool:
        """Unless logits are standardised."""
        return not self.standardize

    def __call__(
        self, student: Tensor, teacher: Tensor, temperature: Tensor | float, labels: Tensor
    ) -> Tensor:
        if self.standardize:
            student, teacher = standardize(student), standardize(teacher)
        return divergence(student, teacher, temperature)


def standardize(logits: Tensor) -> Tensor:
    """Shift and scale each row of logits to mean 0 and standard deviation 1.

    The paper has z / (σ + ε), with the σ of all classes.

    Args:
        logits: float [..., classes].

    Returns:
        float32 of the same shape; rows of equal logits become 0.
    """
    logits = tf.cast(logits, tf.float32)
    centred = logits - tf.reduce_mean(logits, axis=-1, keepdims=True)
    variance = tf.reduce_mean(centred**2, axis=-1, keepdims=True)
    return centred * tf.math.rsqrt(variance + _EPSILON)
