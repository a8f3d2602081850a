"""A loss of this project's own: any file of `extensions/` may add one, and nothing else names it.

Try it with `train.loss: {terms: [{name: squared_error, weight: 1.0}]}` in params.yaml.
"""

from typing import Any, Literal

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.labels import LabelLoss, label_losses, rows


@label_losses.register
class SquaredError(LabelLoss):
    """The squared distance of the probabilities from the one-hot label (Brier, 1950)."""

    name: Literal["squared_error"] = "squared_error"

    def __call__(self, logits: Tensor, labels: Tensor, **weighting: Any) -> Tensor:
        """Give the mean over images, or pixels, as weights and the unlabelled ask for it."""
        labels = tf.cast(labels, tf.int32)
        wanted = tf.one_hot(labels, logits.shape[-1])
        distances = tf.reduce_sum((tf.nn.softmax(logits) - wanted) ** 2, axis=-1)
        return rows.weighted_mean(distances, rows.label_weights(labels, **weighting))
