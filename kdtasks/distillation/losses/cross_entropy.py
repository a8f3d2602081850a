"""The loss of the labels."""

from collections.abc import Sequence

from kdtasks.backend import Tensor, tf
from kdtasks.distillation.losses.weighting import label_weights, weighted_mean


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    ignore_label: int | None = None,
    class_weights: Sequence[float] | None = None,
) -> Tensor:
    """Return the mean cross-entropy of the labels.

    Arguments:
        logits: float [..., classes].
        labels: integers [...]; rows equal to `ignore_label` count neither in sum nor in mean.
        class_weights: [classes], of the rows in the mean; None weighs all as 1.
    """
    labels = tf.cast(labels, tf.int32)
    if ignore_label is None and class_weights is None:
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        )
    losses = row_cross_entropy(logits, labels, ignore_label)
    return weighted_mean(losses, label_weights(labels, ignore_label, class_weights))


def row_cross_entropy(logits: Tensor, labels: Tensor, ignore_label: int | None) -> Tensor:
    """Return the cross-entropy of every row, [...]; of `ignore_label` some finite number."""
    counted = tf.not_equal(labels, -1 if ignore_label is None else ignore_label)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.where(counted, labels, 0), logits=logits
    )
