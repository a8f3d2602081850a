"""What a network learns from labels: cross-entropy, Dice, focal loss, or a sum of them."""

from dataclasses import dataclass, field

from kdtasks.backend import Tensor
from kdtasks.datasets.prepared import PreparedDataset
from kdtasks.distillation.losses.cross_entropy import cross_entropy
from kdtasks.distillation.losses.dice import dice
from kdtasks.distillation.losses.focal import focal
from kdtasks.errors import ParamsError, did_you_mean
from kdtasks.params.training import LabelLossParams


@dataclass(frozen=True)
class LabelLoss:
    """The sum of losses that params name, each with its weight.

    Attributes:
        ignore_label: label of rows that count nowhere.
        params: weights of the losses.
        class_weights: [classes]; None weighs all as 1.
    """

    ignore_label: int | None = None
    params: LabelLossParams = field(default_factory=LabelLossParams)
    class_weights: tuple[float, ...] | None = None

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Arguments:
            logits: float [..., classes].
            labels: integers [...].
        """
        rest = (labels, self.ignore_label, self.class_weights)
        parts = (
            (self.params.cross_entropy, lambda: cross_entropy(logits, *rest)),
            (self.params.dice, lambda: dice(logits, *rest)),
            (self.params.focal, lambda: focal(logits, *rest, gamma=self.params.focal_gamma)),
        )
        first, *others = [
            loss() if weight == 1.0 else weight * loss() for weight, loss in parts if weight
        ]
        return sum(others, first)


def label_loss_of(params: LabelLossParams, dataset: PreparedDataset) -> LabelLoss:
    """Bind params to a dataset's classes.

    Raises:
        ParamsError: `class_weights` names a class that there is not, or leaves one out.
    """
    names = dataset.class_names
    weights: tuple[float, ...] | None = None
    if params.class_weights == "balanced":
        weights = balanced_weights([dataset.counts["train"]["by_class"][name] for name in names])
    elif params.class_weights is not None:
        given = params.class_weights
        for name in given:
            if name not in names:
                raise ParamsError(
                    f"train.loss.class_weights names {name!r}, which is no class of the dataset; "
                    f"its classes: {', '.join(names)}{did_you_mean(name, names)}"
                )
        missing = [name for name in names if name not in given]
        if missing:
            raise ParamsError(
                f"train.loss.class_weights leaves out {', '.join(missing)}; give every class a "
                "weight, 1.0 changes nothing"
            )
        weights = tuple(given[name] for name in names)
    return LabelLoss(dataset.ignore_label, params, weights)


def balanced_weights(counts: list[int]) -> tuple[float, ...]:
    """Weigh each class by rows / (classes · its rows), so that every class weighs the same.

    A class without a row counts for nothing, and not as one of the classes.

    Arguments:
        counts: rows or pixels of each class in the training split.
    """
    total, occurring = sum(counts), sum(1 for count in counts if count)
    return tuple(total / (occurring * count) if count else 0.0 for count in counts)
