"""What each row costs and counts, for the losses of the labels."""

from collections.abc import Sequence
from typing import TypedDict

from kdtasks.core.backend import Tensor, tf
from kdtasks.tasks.confusion import uncounted


class Weighting(TypedDict, total=False):
    """Which rows count, and how much.

    Attributes:
        ignore_label: label of rows that count nowhere.
        class_weights: [classes]; None weighs all as 1.
        row_weights: float32 [...], how much each row's label counts besides; not there where all
            count the same.
    """

    ignore_label: int | None
    class_weights: Sequence[float] | None
    row_weights: Tensor


def cross_entropy(logits: Tensor, labels: Tensor, ignore_label: int | None) -> Tensor:
    """Return the cross-entropy of every row, [...]; of `ignore_label` some finite number."""
    counted = tf.not_equal(labels, uncounted(ignore_label))
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.where(counted, labels, 0), logits)


def label_weights(
    labels: Tensor,
    *,
    ignore_label: int | None = None,
    class_weights: Sequence[float] | None = None,
    row_weights: Tensor | None = None,
) -> Tensor:
    """Give the weight of every label, int32 [...], float32 of its shape; 0 for `ignore_label`."""
    counted = tf.not_equal(labels, uncounted(ignore_label))
    weights = tf.cast(counted, tf.float32)
    if row_weights is not None:
        weights *= row_weights
    if class_weights is None:
        return weights
    return weights * tf.gather(tf.constant(class_weights, tf.float32), tf.where(counted, labels, 0))


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Give Σ weight · value / Σ weight; 0 where no weight is."""
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights), tf.reduce_sum(weights))
