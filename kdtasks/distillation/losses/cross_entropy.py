"""The loss of the labels."""

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
