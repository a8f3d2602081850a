"""Augmented views: whole copies of the training split, drawn once and the same for everybody.

A student learns most from a teacher that sees the very same crop ("consistent teaching", Beyer et
al., arXiv 2106.05237). Drawing each view from the augmentation's seed alone lets the teacher's
logits be cached, and lets the student from scratch train on exactly the pictures of the distilled.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kdtasks.core.backend import tf
from kdtasks.core.reproducibility import generator
from kdtasks.learn.augmentations.affine import AugmentationParams, _moves, _transforms
from kdtasks.learn.training.examples import Block, Layout, rows_of_blocks

_BATCH = 512

# Steps in a block at most: the teacher's answers to a block are what Ctrl-C waits for.
_STEPS_PER_BLOCK = 16

# From uint8 [N, height, width, channels] to logits and hidden features, each float16 [N, …].
Answer = Callable[[np.ndarray], tuple[np.ndarray, ...]]


def draw_view(
    images: Any, labels: Any, *, view: int, augmentation: AugmentationParams
) -> tuple[np.ndarray, np.ndarray]:
    """Return one view of the pictures and of their labels; masks move with their pictures.

    Arguments:
        images: uint8 [N, height, width, channels].
        labels: integers [N], or masks [N, height, width].
        view: number of the view; view 0 is the pictures as they are.
    """
    if view == 0 or not _moves(augmentation):
        return np.asarray(images), np.asarray(labels)
    draw = generator("views", augmentation.seed, view)
    return move(images, labels, _transforms(len(images), images.shape[1:3], draw, augmentation))


def fresh_transforms(
    count: int, size: tuple[int, int], *, epoch: int, seed: int, augmentation: AugmentationParams
) -> np.ndarray | None:
    """Draw a view that one student sees in one epoch, for `move`; None where nothing moves.

    Arguments:
        count: number of pictures.
        size: their height and width.
        seed: the student's; the views of other seeds are others.
    """
    if not _moves(augmentation):
        return None
    draw = generator("fresh views", augmentation.seed, seed, epoch)
    return _transforms(count, size, draw, augmentation)


def move(images: Any, labels: Any, transforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move each picture by its transform; masks move with their pictures, classes stay.

    Arguments:
        images: uint8 [N, height, width, channels].
        labels: integers [N], or masks [N, height, width].
        transforms: float32 [N, 8], from output to input coordinates.
    """
    moved = _warp(images, transforms, "BILINEAR")
    if np.ndim(labels) == 1:
        return moved, np.asarray(labels)
    masks = _warp(np.asarray(labels)[..., np.newaxis], transforms, "NEAREST")[..., 0]
    return moved, masks.astype(labels.dtype)


def draw_views(
    images: Any,
    labels: Any,
    augmentation: AugmentationParams,
    *,
    memory_limit_mb: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return all views, uint8 [V, N, height, width, channels], and their labels [V, N, …].

    Arguments:
        memory_limit_mb: views beyond this are kept in an unnamed file, which the system removes
            once they are no longer used; None keeps them in memory.
    """
    views = count_views(augmentation)
    megabytes = views * (images.nbytes + labels.nbytes) / 1e6
    in_memory = memory_limit_mb is None or megabytes <= memory_limit_mb
    create = np.empty if in_memory else _unnamed_file
    all_images = create((views, *images.shape), np.uint8)
    all_labels = create((views, *labels.shape), labels.dtype)
    for view in range(views):
        all_images[view], all_labels[view] = draw_view(
            images, labels, view=view, augmentation=augmentation
        )
    return all_images, all_labels


def count_views(augmentation: AugmentationParams) -> int:
    """Number of different views: one where nothing is augmented."""
    return augmentation.views if _moves(augmentation) else 1


def _unnamed_file(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)


def _warp(images: Any, transforms: np.ndarray, interpolation: str) -> np.ndarray:
    batches = []
    for start in range(0, len(images), _BATCH):
        batch = tf.cast(np.asarray(images[start : start + _BATCH]), tf.float32)
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=batch,
            transforms=transforms[start : start + _BATCH],
            output_shape=tf.shape(batch)[1:3],
            fill_value=0.0,
            interpolation=interpolation,
            fill_mode="NEAREST",
        )
        batches.append(np.clip(np.rint(moved.numpy()), 0, 255).astype(np.uint8))
    return np.concatenate(batches)


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
