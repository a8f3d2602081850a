"""A network that hands over features beside its logits, as training looks at it."""

from dataclasses import dataclass
from typing import Any

from kdtasks.backend import Tensor, tf


@dataclass(frozen=True)
class TappedModel:
    """A network with the features of some of its blocks.

    Attributes:
        network: `keras.Model` of the same layers as the one without; its outputs are the logits of
            every exit, then the features. With `heads`, the early exits' places are taken by what
            they look at.
        num_exits: K.
        heads: for each early exit a `keras.Model` from what it looks at to its logits.
        exit_gradient: share of the gradient that heads hand on to what they look at.
    """

    network: Any
    num_exits: int
    heads: tuple[Any, ...] = ()
    exit_gradient: float = 1.0

    @property
    def feature_shapes(self) -> list[tuple[int, ...]]:
        """Shape of each block's features, without the batch."""
        return [tuple(tensor.shape[1:]) for tensor in self.network.outputs[self.num_exits :]]

    def __call__(
        self, images: Tensor, *, training: bool = False
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the logits of every exit and the features of every block, for pixels 0…255."""
        outputs = self.network(images, training=training)
        listed = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        for index, head in enumerate(self.heads):
            seen = listed[index]
            fixed = tf.stop_gradient(seen)
            # The difference is 0, and its gradient the share.
            looked_at = fixed + self.exit_gradient * (seen - fixed)
            listed[index] = head(looked_at, training=training)
        return listed[: self.num_exits], listed[self.num_exits :]
