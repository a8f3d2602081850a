"""Dice loss: how little the probabilities of a class overlap with its labels."""

from typing import Literal, Unpack

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.labels import LabelLoss, label_losses, rows
from kdtasks.learn.losses.labels.rows import Weighting


@label_losses.register
class Dice(LabelLoss):
    """The mean over classes of 1 − 2·Σ p·y / (Σ p + Σ y), sums over the whole batch.

    p is the probability of the class and y whether a row is of it. A rare class counts as much as
    a common one (Milletari et al. 2016, arXiv 1606.04797, with Σ p + Σ y in place of the squares,
    as in Sudre et al. 2017, arXiv 1707.03237). Classes without a label in the batch are excluded;
    weights of classes are those in the mean.
    """

    name: Literal["dice"] = "dice"

    def __call__(self, logits: Tensor, labels: Tensor, **weighting: Unpack[Weighting]) -> Tensor:
        labels = tf.cast(labels, tf.int32)
        classes = logits.shape[-1]
        of_classes = weighting.pop("class_weights", None)
        counted = rows.label_weights(labels, **weighting)
        counted = tf.reshape(counted, (-1, 1))
        probabilities = tf.nn.softmax(tf.cast(logits, tf.float32))
        probabilities = counted * tf.reshape(probabilities, (-1, classes))
        # Rows without a class have no one in their one-hot vector where the label is beyond it, and
        # a weight of 0 where it is not.
        truth = counted * tf.one_hot(tf.reshape(labels, (-1,)), classes)
        labelled = tf.reduce_sum(truth, axis=0)
        together = tf.reduce_sum(probabilities * truth, axis=0)
        predicted = tf.reduce_sum(probabilities, axis=0)
        overlap = tf.math.divide_no_nan(2.0 * together, predicted + labelled)
        weights = tf.cast(labelled > 0.0, tf.float32)
        if of_classes is not None:
            weights *= tf.constant(of_classes, tf.float32)
        return rows.weighted_mean(1.0 - overlap, weights)
