"""Augmented views: whole copies of the training split, drawn once and the same for everybody.

A student learns most from a teacher that sees the very same crop ("consistent teaching", Beyer et
al., arXiv 2106.05237). Drawing each view from the augmentation's seed alone lets the teacher's
logits be cached, and lets the student from scratch train on exactly the pictures of the distilled.
"""

import tempfile
from typing import Any

import numpy as np

from kdtasks.backend import tf
from kdtasks.params.data import AugmentationParams
from kdtasks.reproducibility import generator

_BATCH = 512


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


def _moves(augmentation: AugmentationParams) -> bool:
    return bool(
        augmentation.shift
        or augmentation.rotation_degrees
        or augmentation.zoom
        or augmentation.horizontal_flip
    )


def _transforms(
    count: int, size: tuple[int, int], draw: np.random.Generator, augmentation: AugmentationParams
) -> np.ndarray:
    """Draw the maps from output to input coordinates, float32 [N, 8], about the centre."""
    height, width = size
    angle = np.radians(draw.uniform(-1, 1, count) * augmentation.rotation_degrees)
    zoom = 1.0 + draw.uniform(-1, 1, count) * augmentation.zoom
    shift_x = draw.uniform(-1, 1, count) * augmentation.shift * width
    shift_y = draw.uniform(-1, 1, count) * augmentation.shift * height
    flipped = augmentation.horizontal_flip & (draw.random(count) < 0.5)
    mirror = np.where(flipped, -1.0, 1.0)
    cosine, sine = np.cos(angle) / zoom, np.sin(angle) / zoom
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    a, b, d, e = cosine * mirror, -sine, sine * mirror, cosine
    c = centre_x - a * centre_x - b * centre_y + shift_x
    f = centre_y - d * centre_x - e * centre_y + shift_y
    zero = np.zeros(count)
    return np.stack([a, b, c, d, e, f, zero, zero], axis=1).astype(np.float32)


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
