"""DIST: correlations between the probabilities of student and teacher instead of their distance."""

from typing import Literal

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.distillation import DistillationLoss, distillation_losses

# Added to every sum of squares and products, as one more entry that both vectors share: vectors
# without any spread then correlate fully with each other and not with others, with a gradient.
_EPSILON = 1e-8


@distillation_losses.register
class DIST(DistillationLoss):
    """T² · (1 − mean ρ over rows + 1 − mean ρ over classes).

    ρ is Pearson's correlation of the softened probabilities of student and teacher: for each row
    over the classes, and for each class over the rows of the batch. It asks for the teacher's
    preferences, not for its very numbers (Huang et al. 2022, arXiv 2205.10536,
    with β = γ = 1, and T² of their code).
    """

    name: Literal["dist"] = "dist"

    def __call__(
        self, student: Tensor, teacher: Tensor, temperature: Tensor | float, labels: Tensor
    ) -> Tensor:
        temperature = tf.cast(temperature, tf.float32)
        classes = student.shape[-1]
        student, teacher = (
            tf.reshape(tf.nn.softmax(tf.cast(logits, tf.float32) / temperature), (-1, classes))
            for logits in (student, teacher)
        )
        over_classes = _correlation(student, teacher, axis=1)
        over_rows = _correlation(student, teacher, axis=0)
        return temperature**2 * (2.0 - tf.reduce_mean(over_classes) - tf.reduce_mean(over_rows))


def _correlation(first: Tensor, second: Tensor, *, axis: int) -> Tensor:
    first = first - tf.reduce_mean(first, axis=axis, keepdims=True)
    second = second - tf.reduce_mean(second, axis=axis, keepdims=True)
    products = tf.reduce_sum(first * second, axis=axis) + _EPSILON
    squares = tf.reduce_sum(first**2, axis=axis) + _EPSILON
    other_squares = tf.reduce_sum(second**2, axis=axis) + _EPSILON
    return products * tf.math.rsqrt(squares) * tf.math.rsqrt(other_squares)
