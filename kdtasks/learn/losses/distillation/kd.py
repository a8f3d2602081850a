"""Knowledge distillation: the student's softened probabilities against the teacher's."""

from kdtasks.core.backend import Tensor, tf

# Under the root, so that rows of equal logits have a gradient.
_EPSILON = 1e-7


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


def standardize(logits: Tensor) -> Tensor:
    """Shift and scale each row of logits to mean 0 and standard deviation 1.

    Applied to student and teacher before any loss of theirs, it frees the student from matching
    the size of the teacher's logits (Sun et al. 2024, arXiv 2403.01427; theirs is
    z / (σ + ε), with the σ of all classes).

    Arguments:
        logits: float [..., classes].

    Returns: float32 of the same shape; rows of equal logits become 0.
    """
    logits = tf.cast(logits, tf.float32)
    centred = logits - tf.reduce_mean(logits, axis=-1, keepdims=True)
    variance = tf.reduce_mean(centred**2, axis=-1, keepdims=True)
    return centred * tf.math.rsqrt(variance + _EPSILON)
