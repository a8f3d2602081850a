"""Views that are drawn anew for every epoch, with the teacher's answers to just these views."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kdtasks.params.data import AugmentationParams
from kdtasks.training.examples import Block, Layout, rows_of_blocks
from kdtasks.training.views import fresh_transforms, move

# Steps in a block at most: the teacher's answers to a block are what Ctrl-C waits for.
_STEPS_PER_BLOCK = 16

# From uint8 [N, height, width, channels] to logits and hidden features, each float16 [N, …].
Answer = Callable[[np.ndarray], tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class FreshExamples:
    """The training split in a new view for every epoch, a function of seeds and epoch alone.

    The student sees the very view that the teacher answers to; without a teacher it sees the same
    views, so that a student from scratch is compared fairly.

    Attributes:
        images: uint8 [N, height, width, channels], in memory or memory-mapped.
        labels: integers [N], or masks [N, height, width].
        augmentation: how views are drawn.
        seed: the student's; every seed sees views of its own.
        answer: the teacher's; None where nothing is distilled.
    """

    images: Any
    labels: Any
    augmentation: AugmentationParams
    seed: int
    answer: Answer | None = None

    @property
    def num_examples(self) -> int:
        """Pictures an epoch."""
        return len(self.images)

    @cached_property
    def layout(self) -> Layout:
        """Shapes and types of one example; the teacher is asked once for those of its answers."""
        logits, features = self._ask(np.asarray(self.images[:1]))
        return Layout(
            image=self.images.shape[1:],
            label=self.labels.shape[1:],
            label_type=self.labels.dtype,
            logits=logits.shape[1:],
            features=tuple(array.shape[1:] for array in features),
        )

    def megabytes(self) -> float:
        """Size of pictures and labels in MB (1,000,000 bytes)."""
        return (self.images.nbytes + self.labels.nbytes) / 1e6

    def in_memory(self) -> "FreshExamples":
        """Read memory-mapped arrays into memory."""
        return dataclasses.replace(
            self,
            images=np.ascontiguousarray(self.images),
            labels=np.ascontiguousarray(self.labels),
        )

    def blocks(
        self, *, epoch: int, order: np.ndarray, batch_size: int, steps_per_block: int
    ) -> Iterator[Block]:
        """Yield an epoch in blocks of whole batches; arguments as in `Examples`."""
        transforms = fresh_transforms(
            len(self.images),
            self.images.shape[1:3],
            epoch=epoch,
            seed=self.seed,
            augmentation=self.augmentation,
        )
        for rows in rows_of_blocks(order, batch_size, min(steps_per_block, _STEPS_PER_BLOCK)):
            flat = rows.ravel()
            images, labels = self.images[flat], self.labels[flat]
            if transforms is not None:
                images, labels = move(images, labels, transforms[flat])
            logits, features = self._ask(images)
            images, labels, logits, *features = (
                array.reshape(*rows.shape, *array.shape[1:])
                for array in (images, labels, logits, *features)
            )
            yield Block(images, labels, logits, tuple(features))

    def _ask(self, images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        if self.answer is None:
            return np.zeros((len(images), 0), np.float16), []
        logits, *features = self.answer(images)
        return logits, features
