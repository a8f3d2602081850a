"""A new view of the training split for every epoch, which the teacher answers to as it comes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.reproducibility import generator
from kdtasks.data.stacked_rows import read_rows
from kdtasks.learn.training.examples import Block, Examples, block_of, rows_of_blocks
from kdtasks.learn.training.views import (
    AugmentationParams,
    apply_transforms,
    draw_transforms,
    labels_of,
    mix,
)

# Steps in a block at most: the teacher's answers to a block are what Ctrl-C waits for.
_STEPS_PER_BLOCK = 16

# From uint8 [N, height, width, channels] to logits and hidden features, each float16 [N, …].
PredictTeacher = Callable[[np.ndarray], tuple[np.ndarray, ...]]

# Gives images in the teacher's own size, as of `ResizedViews.draw`.
TeacherViews = Callable[
    [np.ndarray, np.ndarray, np.ndarray | None, Mapping[int, np.ndarray], str, tuple[int, ...]],
    np.ndarray,
]


def no_logits(images: np.ndarray) -> tuple[np.ndarray, ...]:
    """Logits of no class, where nothing is distilled."""
    return (np.zeros((len(images), 0), np.float16),)


@dataclass(frozen=True)
class OnlineExamples(Examples):
    """The training split in a new view for every epoch, a function of seeds and epoch alone.

    The student sees the very view that the teacher answers to; without a teacher it sees the same
    views, so that a student from scratch is compared fairly.

    Attributes:
        images: uint8 [N, height, width, channels], in memory or memory-mapped.
        labels: integers [N], or masks [N, height, width].
        augmentation: how views are drawn.
        seed: the student's; every seed sees views of its own.
        predict_teacher: the teacher's.
        epoch_size: images an epoch, of which each is then shown more than once; None is all once.
        weights: float32 [N], how much each label counts; None where all do alike.
        teacher_views: gives the teacher the same views of its own images; None: it sees the
            student's.
    """

    augmentation: AugmentationParams
    seed: int
    predict_teacher: PredictTeacher = no_logits
    epoch_size: int | None = None
    weights: np.ndarray | None = None
    teacher_views: TeacherViews | None = None

    @property
    def num_examples(self) -> int:
        """Images an epoch."""
        return self.epoch_size or len(self.images)

    @cached_property
    def sample(self) -> Block:
        """The first example as it is; the teacher is asked once for its answers."""
        labels = labels_of(self.labels[:1], self.augmentation)
        first = np.asarray(self.images[:1])
        if self.teacher_views:
            first = self.teacher_views(np.arange(1), labels, None, {}, "", ())
        logits, *features = (array[0] for array in self.predict_teacher(first))
        weights = () if self.weights is None else (self.weights[0],)
        return block_of(self.images[0], labels[0], logits, features, weights)

    def shown_labels(self, epoch: int) -> NDArray[np.integer]:
        """Give the labels of the images that an epoch shows."""
        return np.asarray(self.labels)[self._rows_shown(epoch, np.arange(self.num_examples))]

    def _rows_shown(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the images that an epoch shows at some places of its images."""
        return ((epoch - 1) * self.num_examples + positions) % len(self.images)

    def blocks(
        self, *, epoch: int, order: np.ndarray, batch_size: int, steps_per_block: int
    ) -> Iterator[Block]:
        """Yield an epoch in blocks of whole batches; arguments as in `Examples`."""
        numbers = (self.augmentation.seed, self.seed, epoch)
        rng = generator("fresh views", *numbers)
        shape = (self.num_examples, *self.images.shape[1:3])
        transforms = draw_transforms(shape, rng, self.augmentation)
        step = 0
        for rows in rows_of_blocks(order, batch_size, min(steps_per_block, _STEPS_PER_BLOCK)):
            flat = rows.ravel()
            affine = None if transforms is None else transforms[flat]
            chosen = self._rows_shown(epoch, flat)
            unmoved = labels_of(self.labels[chosen], self.augmentation)
            images, labels = apply_transforms(read_rows(self.images, chosen), unmoved, affine)
            positions = np.arange(rows.size).reshape(rows.shape)
            steps = dict(enumerate(positions, start=step))
            mix(images, labels, steps, self.augmentation, "fresh views", numbers)
            step += len(rows)
            teacher_images = images
            if self.teacher_views:
                teacher_images = self.teacher_views(
                    chosen, unmoved, affine, steps, "fresh views", numbers
                )
            images, labels, logits, *features = (
                array.reshape(*rows.shape, *array.shape[1:])
                for array in (images, labels, *self.predict_teacher(teacher_images))
            )
            weights = () if self.weights is None else (self.weights[chosen].reshape(rows.shape),)
            yield block_of(images, labels, logits, features, weights)
