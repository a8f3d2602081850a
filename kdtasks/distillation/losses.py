"""Losses as pure functions of logits; any leading shape, classes last.

All are computed from log-softmax in float32, so that logits of ±10,000 neither overflow nor lose
the loss.
"""

from collections.abc import Callable

from kdtasks.backend import Tensor, tf


def cross_entropy(logits: Tensor, labels: Tensor, ignore_label: int | None = None) -> Tensor:
    """Return the mean cross-entropy of the labels.

    Arguments:
        logits: float [..., classes].
        labels: integers [...]; rows equal to `ignore_label` count neither in sum nor in mean.
    """
    labels = tf.cast(labels, tf.int32)
    if ignore_label is None:
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        )
    counted = tf.not_equal(labels, ignore_label)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.where(counted, labels, 0), logits=logits
    )
    weights = tf.cast(counted, losses.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(losses * weights), tf.reduce_sum(weights))


def kd(student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor | float) -> Tensor:
    """Return T² · KL(softmax(teacher / T) ‖ softmax(student / T)), the mean over rows.

    The factor T² keeps the size of the gradients independent of the temperature (Hinton, Vinyals
    and Dean, arXiv 1503.02531, section 2).

    Arguments:
        student_logits, teacher_logits: float [..., classes].
        temperature: greater than 0.
    """
    temperature = tf.cast(temperature, tf.float32)
    log_student = tf.nn.log_softmax(tf.cast(student_logits, tf.float32) / temperature)
    log_teacher = tf.nn.log_softmax(tf.cast(teacher_logits, tf.float32) / temperature)
    divergence = tf.reduce_sum(tf.exp(log_teacher) * (log_teacher - log_student), axis=-1)
    return temperature**2 * tf.reduce_mean(divergence)


# Name in `distill.loss` to the loss of one exit.
LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor | float], Tensor]] = {"kd": kd}
