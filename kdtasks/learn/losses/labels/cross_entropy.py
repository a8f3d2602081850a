"""Cross-entropy: the logarithm of the label's probability."""

from typing import Literal, Unpack

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.labels import LabelLoss, label_losses, rows
from kdtasks.learn.losses.labels.rows import Weighting


@label_losses.register
class CrossEntropy(LabelLoss):
    """The mean of −log p, p the probability of the label, over rows weighted by their classes."""

    name: Literal["cross_entropy"] = "cross_entropy"

    def __call__(self, logits: Tensor, labels: Tensor, **weighting: Unpack[Weighting]) -> Tensor:
        labels = tf.cast(labels, tf.int32)
        if all(value is None for value in weighting.values()):
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        losses = rows.cross_entropy(logits, labels, weighting.get("ignore_label"))
        return rows.weighted_mean(losses, rows.label_weights(labels, **weighting))
