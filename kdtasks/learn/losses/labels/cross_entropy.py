"""Cross-entropy: the logarithm of the label's probability."""

from typing import Annotated, Literal, Unpack

from pydantic import Field

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.labels import LabelLoss, label_losses, rows
from kdtasks.learn.losses.labels.rows import Weighting


@label_losses.register
class CrossEntropy(LabelLoss):
    """The mean of −log p, p the probability of the label, over rows weighted by their classes.

    With smoothing ε the labels are 1 − ε + ε/K for the right one of K classes and ε/K for the
    others (Szegedy et al. 2016, arXiv 1512.00567): the loss of a row is (1 − ε) · −log p and ε
    times the mean of −log p over all classes.
    """

    name: Literal["cross_entropy"] = "cross_entropy"
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0,
        description="fraction of every label that all classes share, 0.1 say; a teacher trained "
        "so often teaches worse (Müller et al., arXiv 1906.02629)",
    )

    def __call__(self, logits: Tensor, labels: Tensor, **weighting: Unpack[Weighting]) -> Tensor:
        labels = tf.cast(labels, tf.int32)
        if not self.smoothing and all(value is None for value in weighting.values()):
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        losses = rows.cross_entropy(logits, labels, weighting.get("ignore_label"))
        if self.smoothing:
            even = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)
            losses = (1.0 - self.smoothing) * losses + self.smoothing * even
        return rows.weighted_mean(losses, rows.label_weights(labels, **weighting))
