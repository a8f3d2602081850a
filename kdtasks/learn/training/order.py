"""In which order an epoch shows its images."""

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.reproducibility import generator
from kdtasks.learn.objectives.objective import ClassBalance
from kdtasks.learn.training.examples import Examples


def order_of(
    examples: Examples, balance: ClassBalance, *, seed: int, epoch: int
) -> NDArray[np.int64]:
    """Draw the order of an epoch, int64 [N]: each image once, or of each class as many.

    Args:
        examples: N images an epoch.
        balance: only `sampling` draws images by class.
        seed, epoch: what the order is a function of.
    """
    draw = generator("order", seed, epoch)
    if balance != "sampling":
        return draw.permutation(examples.num_examples)
    return balanced_order(examples.shown_labels(epoch), draw)


def balanced_order(labels: NDArray[np.integer], draw: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many images as there are, of every class equally many but for rounding.

    Of a class with fewer images than that each is shown again and again, equally often but for
    rounding; of one with more some wait for another epoch. Images without a label stay as many.

    Args:
        labels: integers [N], below 0 of images without one.
        draw: what is drawn from.

    Returns: int64 [N], rows.
    """
    classes = draw.permutation(np.unique(labels[labels >= 0]))  # who gets what is left over
    labelled = int(np.count_nonzero(labels >= 0))
    shares = [labelled // len(classes) + (k < labelled % len(classes)) for k in range(len(classes))]
    rows = [np.flatnonzero(labels < 0)]
    for of_class, count in zip(classes, shares, strict=True):
        rows.append(np.resize(draw.permutation(np.flatnonzero(labels == of_class)), count))
    return draw.permutation(np.concatenate(rows))
