"""Decoupled knowledge distillation: the true class and the others, each with its own weight."""

from typing import Annotated

from pydantic import Field

from kdtasks.core.backend import Tensor, tf
from kdtasks.core.settings import Fraction, Section

# A logit that no other comes near, for classes that are left out.
_NEVER = -1e30


class DkdParams(Section):
    """The two parts of `dkd`, and its warm-up."""

    target_weight: Annotated[float, Field(ge=0.0)] = Field(
        default=1.0, description="weight of the part about the true class (α of the paper)"
    )
    others_weight: Annotated[float, Field(ge=0.0)] = Field(
        default=8.0, description="weight of the part about all other classes (β of the paper)"
    )
    warm_up: Fraction = Field(
        default=0.08,
        description="share of the epochs over which the loss grows to its full weight "
        "(the paper: 20 of 240)",
    )


def dkd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: Tensor | float,
    labels: Tensor,
    *,
    target_weight: float = 1.0,
    others_weight: float = 8.0,
    ignore_label: int | None = None,
) -> Tensor:
    """Return T² · (α · KL of (true class, rest) + β · KL among the other classes), mean over rows.

    With p the softened probability of the true class and p̂ those of the others among themselves,
    KL(p_teacher ‖ p_student) = KL(b_teacher ‖ b_student) + (1 − p_teacher) · KL(p̂_teacher ‖
    p̂_student), b = (p, 1 − p): a teacher that is sure of the true class hardly teaches the others.
    Here their weight is β whatever the teacher's confidence (Zhao et al. 2022, arXiv 2203.08679,
    equation 7, and T² of their code).

    Arguments:
        student_logits, teacher_logits: float [..., classes], two classes or more.
        temperature: greater than 0.
        labels: integers [...]; rows equal to `ignore_label` have no true class and are left out.
        target_weight, others_weight: α and β.
    """
    temperature = tf.cast(temperature, tf.float32)
    labels = tf.cast(labels, tf.int32)
    counted = tf.not_equal(labels, -1 if ignore_label is None else ignore_label)
    classes = student_logits.shape[-1]
    is_target = tf.one_hot(tf.where(counted, labels, 0), classes, on_value=True, off_value=False)
    student = _Parts(tf.cast(student_logits, tf.float32) / temperature, is_target)
    teacher = _Parts(tf.cast(teacher_logits, tf.float32) / temperature, is_target)
    target = tf.exp(teacher.log_target) * (teacher.log_target - student.log_target)
    rest = tf.exp(teacher.log_rest) * (teacher.log_rest - student.log_rest)
    among_others = tf.where(
        is_target, 0.0, tf.exp(teacher.log_others) * (teacher.log_others - student.log_others)
    )
    rows = target_weight * (target + rest) + others_weight * tf.reduce_sum(among_others, axis=-1)
    weights = tf.cast(counted, tf.float32)
    mean = tf.math.divide_no_nan(tf.reduce_sum(rows * weights), tf.reduce_sum(weights))
    return temperature**2 * mean


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
