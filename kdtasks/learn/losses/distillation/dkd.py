"""Decoupled knowledge distillation: the true class and the others, each with its own weight."""

from typing import Annotated, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, tf
from kdtasks.core.settings import Fraction
from kdtasks.learn.losses.distillation import DistillationLoss, distillation_losses
from kdtasks.learn.losses.distillation.kd import standardize

# A logit far below all others, for classes that are excluded.
_NEVER = -1e30


@distillation_losses.register
class DKD(DistillationLoss):
    """T² · (α · KL of (true class, rest) + β · KL among the other classes), the mean over rows.

    With p the softened probability of the true class and p̂ those of the others among themselves,
    KL(p_teacher ‖ p_student) = KL(b_teacher ‖ b_student) + (1 − p_teacher) · KL(p̂_teacher ‖
    p̂_student), b = (p, 1 − p): a teacher that is sure of the true class hardly teaches the others.
    Here their weight is β whatever the teacher's confidence (Zhao et al. 2022, arXiv 2203.08679,
    equation 7, and T² of their code). In rows without a label the teacher's likeliest class is
    taken for the true one.
    """

    name: Literal["dkd"] = "dkd"
    warm_up: Fraction = Field(
        default=0.08,
        description="fraction of the epochs over which the loss grows to its full weight "
        "(the paper: 20 of 240)",
    )
    target_weight: Annotated[float, Field(ge=0.0)] = Field(
        default=1.0, description="weight of the part about the true class (α of the paper)"
    )
    non_target_weight: Annotated[float, Field(ge=0.0)] = Field(
        default=8.0, description="weight of the part about all other classes (β of the paper)"
    )
    standardize: bool = Field(
        default=False,
        description="give the logits of each row mean 0 and standard deviation 1 first, as in `kd`",
    )

    @property
    def is_plain(self) -> bool:
        """Not, as the other classes have a weight of their own."""
        return False

    def __call__(
        self, student: Tensor, teacher: Tensor, temperature: Tensor | float, labels: Tensor
    ) -> Tensor:
        if self.standardize:
            student, teacher = standardize(student), standardize(teacher)
        temperature = tf.cast(temperature, tf.float32)
        labels = tf.cast(labels, tf.int32)
        likeliest = tf.argmax(teacher, axis=-1, output_type=tf.int32)
        labels = tf.where(tf.equal(labels, -1), likeliest, labels)
        is_target = tf.one_hot(labels, student.shape[-1], on_value=True, off_value=False)
        of_student = _Parts(tf.cast(student, tf.float32) / temperature, is_target)
        of_teacher = _Parts(tf.cast(teacher, tf.float32) / temperature, is_target)
        target = tf.exp(of_teacher.log_target) * (of_teacher.log_target - of_student.log_target)
        rest = tf.exp(of_teacher.log_rest) * (of_teacher.log_rest - of_student.log_rest)
        others = tf.exp(of_teacher.log_others) * (of_teacher.log_others - of_student.log_others)
        others = tf.where(is_target, 0.0, others)
        rows = self.target_weight * (target + rest)
        rows += self.non_target_weight * tf.reduce_sum(others, axis=-1)
        return temperature**2 * tf.reduce_mean(rows)


class _Parts:
    """Logarithms of probabilities: of the true class, of all others together, of each among them.

    Each is a difference of logarithms of sums, so none is log(1 − p), which is lost for p near 1.
    """

    def __init__(self, logits: Tensor, is_target: Tensor) -> None:
        of_all = tf.reduce_logsumexp(logits, axis=-1)
        others = tf.where(is_target, _NEVER, logits)
        of_others = tf.reduce_logsumexp(others, axis=-1)
        self.log_target = tf.reduce_sum(tf.where(is_target, logits, 0.0), axis=-1) - of_all
        self.log_rest = of_others - of_all
        self.log_others = tf.where(is_target, 0.0, logits - of_others[..., tf.newaxis])
