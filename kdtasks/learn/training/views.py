"""Augmented views: whole copies of the training split, drawn once and the same for everybody.

A student learns most from a teacher that sees the very same crop ("consistent teaching", Beyer et
al., arXiv 2106.05237). Drawing each view from the augmentation's seed alone lets the teacher's
logits be cached, and lets the student from scratch train on exactly the images of the distilled.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self, TypeVar

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from kdtasks.core.reproducibility import generator
from kdtasks.core.settings import Count, Index, Section
from kdtasks.data.stacked_rows import new_array, read_rows, rows_of, written_anywhere
from kdtasks.learn.augmentations import Affine, Augmentation, Batch, Geometric, augmentations
from kdtasks.learn.augmentations.mixing import Mixing, TwoLabels, two_labels
from kdtasks.learn.augmentations.presets import preset_or_list
from kdtasks.learn.training.warp import warp

BATCH = 512

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

    def of_kind(self, kind: type[Kind]) -> list[Kind]:
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
    with written_anywhere(drawn[0]), written_anywhere(drawn[1]):
        for rows, affine, batch in batches_of_view(shape, view=view, augmentation=augmentation):
            moved, moved_labels = apply_transforms(read_rows(images, rows), labels[rows], affine)
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
        if shuffled or augmentation.of_kind(Batch):
            order = generator("views in batches", *numbers).permutation(shape[0])
    for number, start in enumerate(range(0, shape[0], BATCH)):
        rows = order[start : start + BATCH]
        affine = None if transforms is None else transforms[rows]
        yield rows, affine, {number: np.arange(len(rows))} if is_varied else {}


def labels_of(labels: Any, augmentation: AugmentationParams) -> Any:
    """Return integers [N] as `TwoLabels` [N] where images are mixed; all else as it comes."""
    is_mixed = labels.ndim == 1 and augmentation.of_kind(Mixing)
    return two_labels(labels) if is_mixed and labels.dtype != TwoLabels else labels


def draw_transforms(
    shape: tuple[int, int, int], rng: np.random.Generator, augmentation: AugmentationParams
) -> np.ndarray | None:
    """Draw how each image moves, float32 [N, 8] for `apply_transforms`; None where nothing moves.

    Args:
        shape: number of images, their height and width.
    """
    chosen = augmentation.of_kind(Geometric)
    if not chosen:
        return None
    names = [item.name for item in chosen]
    items = [kind.model_validate({}) for kind in augmentations if issubclass(kind, Geometric)]
    unchosen = [item for item in items if item.name not in names]
    count, height, width = shape
    affine = Affine.identity(count)
    for item in sorted([*chosen, *unchosen], key=lambda item: item.order):
        drawn = item.draw(rng, count, (height, width), affine)
        affine = drawn if item in chosen else affine
    return affine.transforms((height, width))


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
        for item in augmentation.of_kind(Batch):
            rng = generator(f"{purpose} {item.name}", *numbers, number)
            images[rows], labels[rows] = item.mix(images[rows], labels[rows], rng)


def apply_transforms(
    images: Any, labels: Any, transforms: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
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
