"""Dice loss: how little the probabilities of a class overlap with its labels."""

from collections.abc import Sequence

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.labels.cross_entropy import label_weights, weighted_mean


def dice(
    logits: Tensor,
    labels: Tensor,
    ignore_label: int | None = None,
    class_weights: Sequence[float] | None = None,
) -> Tensor:
    """Return the mean over classes of 1 − 2·Σ p·y / (Σ p + Σ y), sums over the whole batch.

    p is the probability of the class and y whether a row is of it. A rare class counts as much as
    a common one (Milletari et al. 2016, arXiv 1606.04797, with Σ p + Σ y in place of the squares,
    as in Sudre et al. 2017, arXiv 1707.03237). Classes without a label in the batch are left out.

    Arguments:
        logits: float [..., classes].
        labels: integers [...]; rows equal to `ignore_label` count nowhere.
        class_weights: [classes], of the classes in the mean; None weighs all as 1.
    """
    labels = tf.cast(labels, tf.int32)
    classes = logits.shape[-1]
    rows = tf.reshape(label_weights(labels, ignore_label, None), (-1, 1))
    probabilities = rows * tf.reshape(tf.nn.softmax(tf.cast(logits, tf.float32)), (-1, classes))
    # Rows without a class have no one in their one-hot vector where the label is beyond it, and
    # a weight of 0 where it is not.
    truth = rows * tf.one_hot(tf.reshape(labels, (-1,)), classes)
    labelled = tf.reduce_sum(truth, axis=0)
    together = tf.reduce_sum(probabilities * truth, axis=0)
    overlap = tf.math.divide_no_nan(2.0 * together, tf.reduce_sum(probabilities, axis=0) + labelled)
    occurs = tf.cast(labelled > 0.0, tf.float32)
    weights = occurs if class_weights is None else occurs * tf.constant(class_weights, tf.float32)
    return weighted_mean(1.0 - overlap, weights)
