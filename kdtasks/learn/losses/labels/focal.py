"""Focal loss: cross-entropy that turns away from rows that are right already."""

from collections.abc import Sequence

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.labels.cross_entropy import (
    label_weights,
    row_cross_entropy,
    weighted_mean,
)


def focal(
    logits: Tensor,
    labels: Tensor,
    ignore_label: int | None = None,
    class_weights: Sequence[float] | None = None,
    *,
    gamma: float = 2.0,
) -> Tensor:
    """Return the mean of −(1 − p)^γ · log p, p the probability of the label.

    Source: Lin et al. 2017, arXiv 1708.02002, equation 4.

    Arguments:
        logits: float [..., classes].
        labels: integers [...]; rows equal to `ignore_label` count neither in sum nor in mean.
        class_weights: [classes], of the rows in the mean (α of the paper); None weighs all as 1.
        gamma: 1 or more; below, the gradient of a row that is right has no bound.
    """
    labels = tf.cast(labels, tf.int32)
    losses = row_cross_entropy(tf.cast(logits, tf.float32), labels, ignore_label)
    # 1 − p without the loss of digits that 1 − exp(−loss) has near p = 1.
    focused = (-tf.math.expm1(-losses)) ** gamma * losses
    return weighted_mean(focused, label_weights(labels, ignore_label, class_weights))
