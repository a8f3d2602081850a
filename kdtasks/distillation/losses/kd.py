"""Knowledge distillation: the student's softened probabilities against the teacher's."""

from kdtasks.backend import Tensor, tf


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
