"""Channel-wise distillation: where in the picture each class is, for segmentation."""

from kdtasks.core.backend import Tensor, tf


def channelwise_kd(
    student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor | float
) -> Tensor:
    """Return T² / C · Σ over classes of KL(teacher ‖ student) over positions, mean over pictures.

    The softmax runs over the positions of one class's map, so that the student learns where the
    teacher sees each class, rare classes as much as common ones (Shu et al. 2021, arXiv
    2011.13256).

    Arguments:
        student_logits, teacher_logits: float [batch, height, width, C].
        temperature: greater than 0.
    """
    temperature = tf.cast(temperature, tf.float32)
    classes = student_logits.shape[-1]
    log_student, log_teacher = (
        tf.nn.log_softmax(_maps(tf.cast(logits, tf.float32), classes) / temperature, axis=1)
        for logits in (student_logits, teacher_logits)
    )
    divergence = tf.reduce_sum(tf.exp(log_teacher) * (log_teacher - log_student), axis=1)
    return temperature**2 * tf.reduce_mean(divergence)


def _maps(logits: Tensor, classes: int) -> Tensor:
    """Put all positions of a picture on one axis: [batch, height · width, C]."""
    return tf.reshape(logits, (tf.shape(logits)[0], -1, classes))
