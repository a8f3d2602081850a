"""Focal loss: cross-entropy that turns away from rows that are right already."""

from typing import Annotated, Literal, Unpack

from pydantic import Field

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.labels import LabelLoss, label_losses, rows
from kdtasks.learn.losses.labels.rows import Weighting


@label_losses.register
class Focal(LabelLoss):
    """The mean of −(1 − p)^γ · log p, p the probability of the label.

    Source: Lin et al. 2017, arXiv 1708.02002, equation 4; weights of classes are α of the paper.
    """

    name: Literal["focal"] = "focal"
    # Below 1 the gradient of a row that is right has no bound.
    gamma: Annotated[float, Field(ge=1.0)] = Field(
        default=2.0, description="how strongly the loss turns away from rows that are right"
    )

    def __call__(self, logits: Tensor, labels: Tensor, **weighting: Unpack[Weighting]) -> Tensor:
        labels = tf.cast(labels, tf.int32)
        logits, ignore_label = tf.cast(logits, tf.float32), weighting.get("ignore_label")
        losses = rows.cross_entropy(logits, labels, ignore_label)
        # 1 − p without the loss of digits that 1 − exp(−loss) has near p = 1.
        focused = (-tf.math.expm1(-losses)) ** self.gamma * losses
        return rows.weighted_mean(focused, rows.label_weights(labels, **weighting))
