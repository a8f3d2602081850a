"""Logit standardisation: the student is to rank as the teacher does, whatever the scale."""

from kdtasks.backend import Tensor, tf

# Under the root, so that rows of equal logits have a gradient.
_EPSILON = 1e-7


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
