"""Cross-entropy: the logarithm of the label's probability."""

from collections.abc import Sequence
from typing import Literal

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.labels import LabelLoss, label_losses
from kdtasks.learn.losses.labels.rows import label_weights, row_cross_entropy, weighted_mean


@label_losses.register
class CrossEntropy(LabelLoss):
    """The mean of −log p, p the probability of the label, over rows weighted by their classes."""

    name: Literal["cross_entropy"] = "cross_entropy"

    def __call__(
        self,
        logits: Tensor,
        labels: Tensor,
        *,
        ignore_label: int | None = None,
        class_weights: Sequence[float] | None = None,
    ) -> Tensor:
        labels = tf.cast(labels, tf.int32)
        if ignore_label is None and class_weights is None:
            return tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            )
        losses = row_cross_entropy(logits, labels, ignore_label)
        return weighted_mean(losses, label_weights(labels, ignore_label, class_weights))
