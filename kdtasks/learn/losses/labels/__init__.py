"""What labels teach, one loss a file."""

from abc import abstractmethod
from typing import Unpack

from pydantic import Field

from kdtasks.core.backend import Tensor
from kdtasks.core.registry import Registry
from kdtasks.core.settings import Positive, Section
from kdtasks.learn.losses.labels.rows import Weighting


class LabelLoss(Section):
    """How far logits are from the labels; one term of what labels teach."""

    name: str
    weight: Positive = Field(default=1.0, description="weight of the loss in the sum of all terms")

    @abstractmethod
    def __call__(self, logits: Tensor, labels: Tensor, **weighting: Unpack[Weighting]) -> Tensor:
        """Return the loss, a scalar, without its weight.

        Args:
            logits: float [..., classes].
            labels: integers [...].
            weighting: which rows count, and how much.
        """


label_losses = Registry("label loss", __name__, LabelLoss)
