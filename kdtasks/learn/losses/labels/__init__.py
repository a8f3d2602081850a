"""What labels teach, one loss a file."""

from abc import abstractmethod
from collections.abc import Sequence

from pydantic import Field

from kdtasks.core.backend import Tensor
from kdtasks.core.registry import Registry
from kdtasks.core.settings import Positive, Section


class LabelLoss(Section):
    """How far logits are from the labels; one term of what labels teach."""

    name: str
    weight: Positive = Field(default=1.0, description="weight of the loss in the sum of all terms")

    @abstractmethod
    def __call__(
        self,
        logits: Tensor,
        labels: Tensor,
        *,
        ignore_label: int | None = None,
        class_weights: Sequence[float] | None = None,
    ) -> Tensor:
        """Return the loss, a scalar, without its weight.

        Args:
            logits: float [..., classes].
            labels: integers [...].
            ignore_label: label of rows that count nowhere.
            class_weights: [classes]; None weighs all as 1.
        """


label_losses = Registry("label loss", __name__, LabelLoss)
