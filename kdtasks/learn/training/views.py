"""Augmented views: whole copies of the training split, drawn once and the same for everybody.

A student learns most from a teacher that sees the very same crop ("consistent teaching", Beyer et
al., arXiv 2106.05237). Drawing each view from the augmentation's seed alone lets the teacher's
logits be cached, and lets the student from scratch train on exactly the images of the distilled.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from kdtasks.core.reproducibility import generator
from kdtasks.core.settings import Count, Index, Section
from kdtasks.data.stacked_rows import new_array, read_rows, rows_of
from kdtasks.learn.augmentations import Augmentation, Batch, Geometric, Motion, augmentations
from kdtasks.learn.augmentations.mixing import Mixing, TwoLabels, two_labels
from kdtasks.learn.augmentations.presets import preset_or_list
from kdtasks.learn.training.examples import Block, Examples, block_of, rows_of_blocks
from kdtasks.learn.training.warp import warp

BATCH = 512

# Steps in a block at most: the teacher's answers to a block are what Ctrl-C waits for.
_STEPS_PER_BLOCK = 16

# From uint8 [N, height, width, channels] to logits and hidden features, each float16 [N, …].
Answer = Callable[[np.ndarray], tuple[np.ndarray, ...]]

# Gives images in the teacher's own size, as of `ViewsAlike.moved`.
Seen = Callable[
    [np.ndarray, np.ndarray, np.ndarray | None, Mapping[int, np.ndarray], str, tuple[int, ...]],
    np.ndarray,
]

Kind = TypeVar("Kind", bound=Augmentation)


class AugmentationParams(Section):
    """Augmented views of the training images, drawn once and shared by teacher and student."""

    views: Count = Field(
        default=4,
        description="augmented copies of the training split, the first as it is; an image goes "
        "through them from epoch to epoch",
    )
    transforms: Annotated[
        tuple[Annotated[Augmentation, augmentations], ...],
        Field(strict=False),
        BeforeValidator(preset_or_list),
    ] = Field(
        default=(),
        description="list of augmentations, or its name: `light`, `photo`, `strong` "
        "(docs/augmentation.md), `none`; without any there is one view",
    )
    seed: Index = Field(default=0, description="seed of the views")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [transform.name for transform in self.transforms]
        if len(set(names)) != len(names):
            raise ValueError(f"transforms lists one twice: {', '.join(names)}")
        return self

    def chosen(self, kind: type[Kind]) -> list[Kind]:
        """Those of a kind, in the order in which they are applied."""
        found = [transform for transform in self.transforms if isinstance(transform, kind)]
        return sorted(found, key=lambda transform: transform.order)


def draw_view(
    images: Any, labels: Any, *, view: int, augmentation: AugmentationParams
) -> tuple[np.ndarray, np.ndarray]:
    """Return one view of the images and of their labels, as `labels_of` gives them.

    Args:
        images: uint8 [N, height, width, channels].
        labels: integers [N], or masks [N, height, width], which move with their images.
        view: number of the view; view 0 is the images as they are.
    """
    labels = labels_of(labels, augmentation)
    drawn = np.empty(images.shape, np.uint8), np.empty(labels.shape, labels.dtype)
    fill_view(drawn, images, labels, view=view, augmentation=augmentation)
    return drawn


def fill_view(
    drawn: tuple[np.ndarray, np.ndarray],
    images: Any,
    labels: Any,
    *,
    view: int,
    augmentation: AugmentationParams,
) -> None:
    """Draw a view into arrays, a batch at a time: neither they nor the images need be in memory.

    Args:
        drawn: arrays of the shapes of images and labels.
        images, labels, view: as of `draw_view`.
    """
    labels, shape = labels_of(labels, augmentation), images.shape[:3]
    for rows, motion, batch in batches_of_view(shape, view=view, augmentation=augmentation):
        moved, moved_labels = move(read_rows(images, rows), labels[rows], motion)
        mix(moved, moved_labels, batch, augmentation, "views", (augmentation.seed, view))
        drawn[0][rows], drawn[1][rows] = moved, moved_labels


def batches_of_view(
    shape: tuple[int, int, int],
    *,
    view: int,
    augmentation: AugmentationParams,
    shuffled: bool = False,
) -> Iterator[tuple[np.ndarray, np.ndarray | None, Mapping[int, np.ndarray]]]:
    """Yield rows of a view, how each moves, and the batch that is mixed, as for `mix`.

    Args:
        shape: number of images, their height and width.
        view: as of `draw_view`.
        shuffled: keep the order of what is mixed where nothing is; else rows come as they lie.
    """
    numbers = (augmentation.seed, view)
    order, transforms = np.arange(shape[0]), None
    if is_varied := view > 0 and bool(augmentation.transforms):
        transforms = draw_transforms(shape, generator("views", *numbers), augmentation)
        if shuffled or augmentation.chosen(Batch):
            order = generator("views in batches", *numbers).permutation(shape[0])
    for number, start in enumerate(range(0, shape[0], BATCH)):
        rows = order[start : start + BATCH]
        motion = None if transforms is None else transforms[rows]
        yield rows, motion, {number: np.arange(len(rows))} if is_varied else {}


def labels_of(labels: Any, augmentation: AugmentationParams) -> Any:
    """Return integers [N] as `TwoLabels` [N] where images are mixed; all else as it comes."""
    is_mixed = labels.ndim == 1 and augmentation.chosen(Mixing)
    return two_labels(labels) if is_mixed and labels.dtype != TwoLabels else labels


def draw_transforms(
    shape: tuple[int, int, int], rng: np.random.Generator, augmentation: AugmentationParams
) -> np.ndarray | None:
    """Draw how each image moves, float32 [N, 8] for `move`; None where nothing moves.

    Args:
        shape: number of images, their height and width.
    """
    chosen = augmentation.chosen(Geometric)
    if not chosen:
        return None
    names = [item.name for item in chosen]
    items = [kind.model_validate({}) for kind in augmentations if issubclass(kind, Geometric)]
    unchosen = [item for item in items if item.name not in names]
    count, height, width = shape
    motion = Motion.still(count)
    for item in sorted([*chosen, *unchosen], key=lambda item: item.order):
        drawn = item.draw(rng, count, (height, width), motion)
        motion = drawn if item in chosen else motion
    return motion.transforms((height, width))


def mix(
    images: np.ndarray,
    labels: np.ndarray,
    batches: Mapping[int, np.ndarray],
    augmentation: AugmentationParams,
    purpose: str,
    numbers: tuple[int, ...],
) -> None:
    """Change images and labels in place; each augmentation draws for itself, and for each batch.

    Args:
        batches: number of a batch to its rows.
        purpose, numbers: what the drawn numbers are a function of, besides.
    """
    for number, rows in batches.items():
        for item in augmentation.chosen(Batch):
            rng = generator(f"{purpose} {item.name}", *numbers, number)
            images[rows], labels[rows] = item.mix(images[rows], labels[rows], rng)


def move(images: Any, labels: Any, transforms: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Move each image by its transform; masks move with their images, classes stay.

    Args:
        images: uint8 [N, height, width, channels].
        labels: integers [N], or masks [N, height, width].
        transforms: float32 [N, 8], from output to input coordinates; None moves nothing.
    """
    if transforms is None:
        return np.array(images), np.array(labels)
    moved = warp(images, transforms)
    if np.ndim(labels) == 1:
        return moved, np.array(labels)
    masks = warp(np.asarray(labels)[..., np.newaxis], transforms, nearest=True)[..., 0]
    return moved, masks.astype(labels.dtype)


def draw_views(
    images: Any,
    labels: Any,
    augmentation: AugmentationParams,
    *,
    memory_limit_mb: float = math.inf,
) -> tuple[Any, Any]:
    """Return all views, uint8 [V, N, height, width, channels], and their labels [V, N, …].

    A single view is the images themselves, which are not copied where they are not in memory.

    Args:
        memory_limit_mb: views beyond this are kept in a file, as of `new_array`.
    """
    labels, views = labels_of(labels, augmentation), count_views(augmentation)
    if views == 1:
        rows = np.arange(len(images))[np.newaxis]
        return rows_of(images, rows), rows_of(labels, rows)
    limit = (
        memory_limit_mb if views * (images.nbytes + labels.nbytes) / 1e6 <= memory_limit_mb else 0
    )
    all_images = new_array((views, *images.shape), np.uint8, memory_limit_mb=limit)
    all_labels = new_array((views, *labels.shape), labels.dtype, memory_limit_mb=limit)
    for view in range(views):
        drawn = all_images[view], all_labels[view]
        fill_view(drawn, images, labels, view=view, augmentation=augmentation)
    return all_images, all_labels


def count_views(augmentation: AugmentationParams) -> int:
    """Number of different views: one where nothing is augmented."""
    return augmentation.views if augmentation.transforms else 1


def no_answer(images: np.ndarray) -> tuple[np.ndarray, ...]:
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
        answer: the teacher's.
        epoch_size: images an epoch, of which each is then shown more than once; None is all once.
        weights: float32 [N], how much each label counts; None where all do alike.
        seen: gives the teacher the same views of its own images; None: it sees the student's.
    """

    augmentation: AugmentationParams
    seed: int
    answer: Answer = no_answer
    epoch_size: int | None = None
    weights: np.ndarray | None = None
    seen: Seen | None = None

    @property
    def num_examples(self) -> int:
        """Images an epoch."""
        return self.epoch_size or len(self.images)

    @cached_property
    def sample(self) -> Block:
        """The first example as it is; the teacher is asked once for its answers."""
        labels = labels_of(self.labels[:1], self.augmentation)
        first = np.asarray(self.images[:1])
        if self.seen:
            first = self.seen(np.arange(1), labels, None, {}, "", ())
        logits, *features = (array[0] for array in self.answer(first))
        weights = () if self.weights is None else (self.weights[0],)
        return block_of(self.images[0], labels[0], logits, features, weights)

    def shown_labels(self, epoch: int) -> NDArray[np.integer]:
        """Give the labels of the images that an epoch shows."""
        return np.asarray(self.labels)[self._shown(epoch, np.arange(self.num_examples))]

    def _shown(self, epoch: int, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the images that an epoch shows at some places of its images."""
        return ((epoch - 1) * self.num_examples + places) % len(self.images)

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
            motion = None if transforms is None else transforms[flat]
            chosen = self._shown(epoch, flat)
            unmoved = labels_of(self.labels[chosen], self.augmentation)
            images, labels = move(read_rows(self.images, chosen), unmoved, motion)
            places = np.arange(rows.size).reshape(rows.shape)
            steps = dict(enumerate(places, start=step))
            mix(images, labels, steps, self.augmentation, "fresh views", numbers)
            step += len(rows)
            asked = images
            if self.seen:
                asked = self.seen(chosen, unmoved, motion, steps, "fresh views", numbers)
            images, labels, logits, *features = (
                array.reshape(*rows.shape, *array.shape[1:])
                for array in (images, labels, *self.answer(asked))
            )
            weights = () if self.weights is None else (self.weights[chosen].reshape(rows.shape),)
            yield block_of(images, labels, logits, features, weights)
