"""A few labelled images, shown as often as the many that a distilled student sees."""

import math
from typing import Any

import numpy as np

from kdtasks.data.stacked_rows import StackedRows
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.views import AugmentationParams, count_views, draw_views

# Fewer views starve a student that has few images, and make distillation look better than it is.
LEAST_VIEWS = 16


def repeated_examples(
    images: Any,
    labels: Any,
    augmentation: AugmentationParams,
    *,
    epoch_size: int,
    memory_limit_mb: float = math.inf,
    weights: np.ndarray | None = None,
) -> TrainingExamples:
    """Draw as many different views of the images as fill epochs of a given size.

    There are as many different ones altogether as `epoch_size` images have in the views of
    `augmentation`, and `LEAST_VIEWS` of each image at least; every epoch shows each image equally
    often, but for rounding. With `epoch_size` images these are just those views.

    Args:
        images: uint8 [N, height, width, channels], N up to `epoch_size`.
        labels: integers [N], or masks [N, height, width].
        epoch_size: images an epoch.
        memory_limit_mb: as of `draw_views`.
        weights: float32 [N], how much each label counts; None where all do alike.
    """
    cycles, repeated = repetition_of(len(images), augmentation, epoch_size)
    drawn_images, drawn_labels = (
        in_cycles(drawn, cycles, epoch_size)
        for drawn in draw_views(images, labels, repeated, memory_limit_mb=memory_limit_mb)
    )
    if weights is not None:
        weights = np.resize(weights, (cycles, epoch_size))
    return TrainingExamples(drawn_images, drawn_labels, weights=weights)


def repetition_of(
    count: int, augmentation: AugmentationParams, epoch_size: int
) -> tuple[int, AugmentationParams]:
    """Give the different epochs of `count` images, and the augmentation with as many views."""
    cycles = count_views(augmentation)
    if augmentation.transforms and count < epoch_size:
        cycles = max(cycles, math.ceil(LEAST_VIEWS * count / epoch_size))
    views = math.ceil(cycles * epoch_size / count)
    return cycles, augmentation.model_copy(update={"views": views})


def in_cycles(drawn: Any, cycles: int, epoch_size: int) -> Any:
    """Show what belongs to views, [V, N, …], one behind the other: [cycles, epoch_size, …].

    One view alone, where nothing is augmented, is repeated, without a copy of it.
    """
    views, count = drawn.shape[:2]
    indices = np.resize(np.arange(views * count), (cycles, epoch_size))
    if isinstance(drawn, StackedRows):
        return drawn.take((indices // count, indices % count))
    flat = drawn.reshape(-1, *drawn.shape[2:])
    if len(flat) < indices.size:
        return StackedRows((flat, indices))
    return flat[: indices.size].reshape(*indices.shape, *flat.shape[1:])
