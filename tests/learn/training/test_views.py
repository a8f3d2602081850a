"""Augmented views: drawn once, the same for everybody, masks with their images."""

import dataclasses
import hashlib
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.reproducibility import generator
from kdtasks.data.stacked_rows import StackedRows
from kdtasks.learn.augmentations import Affine, Augmentation
from kdtasks.learn.augmentations.cutmix import CutMix
from kdtasks.learn.augmentations.horizontal_flip import HorizontalFlip
from kdtasks.learn.augmentations.mixup import Mixup
from kdtasks.learn.augmentations.noise import Noise
from kdtasks.learn.augmentations.rotation import Rotation
from kdtasks.learn.augmentations.shift import Shift
from kdtasks.learn.augmentations.zoom import Zoom
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.views import (
    AugmentationParams,
    apply_transforms,
    count_views,
    draw_transforms,
    draw_view,
    draw_views,
    labels_of,
    mix,
)

DRAW = np.random.default_rng(0)
IMAGES = DRAW.integers(0, 256, (20, 9, 9, 3), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.int32)
ALL = AugmentationParams(
    views=3,
    transforms=(Rotation(degrees=15.0), Zoom(fraction=0.1), Shift(fraction=0.1), HorizontalFlip()),
)


def test_view_0_is_the_images_as_they_are():
    images, labels = draw_view(IMAGES, LABELS, view=0, augmentation=ALL)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


def test_a_view_is_the_same_whenever_it_is_drawn():
    first, again = (draw_view(IMAGES, LABELS, view=2, augmentation=ALL)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("mixed", [True, False])
def test_a_view_drawn_in_batches_is_that_of_all_images_at_once(tmp_path: Path, mixed: bool):
    chosen = (*ALL.transforms, *([Noise(), Mixup(), CutMix()] if mixed else []))
    augmentation = ALL.model_copy(update={"transforms": chosen, "seed": 5})
    images = DRAW.integers(0, 256, (1100, 6, 5, 3), dtype=np.uint8)
    labels = labels_of(np.arange(1100), augmentation)
    np.save(tmp_path / "images.npy", images)
    drawn = draw_view(
        np.load(tmp_path / "images.npy", mmap_mode="r"), labels, view=2, augmentation=augmentation
    )
    transforms = draw_transforms(images.shape[:3], generator("views", 5, 2), augmentation)
    whole = apply_transforms(images, labels, transforms)
    order = generator("views in batches", 5, 2).permutation(1100)
    batches = {number: order[number * 512 :][:512] for number in range(3)}
    mix(*whole, batches, augmentation, "views", (5, 2))
    for found, expected in zip(drawn, whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that Python and NumPy hold at most while something is done."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_more_images_take_no_more_memory(tmp_path: Path):
    mixing = ALL.model_copy(update={"views": 2, "transforms": (*ALL.transforms, Mixup())})
    peaks = []
    for count in (512, 1536):
        np.save(tmp_path / "images.npy", np.zeros((count, 64, 64, 1), np.uint8))
        images = np.load(tmp_path / "images.npy", mmap_mode="r")
        labels = np.zeros(count, np.int32)
        draw = partial(draw_views, images, labels, mixing, memory_limit_mb=0)
        peaks.append(peak_of(draw))
    # a thousand images of 4096 bytes more: what is drawn for each is below 64 numbers of 8 bytes
    assert peaks[1] - peaks[0] < 1024 * 64 * 8


def test_a_single_view_is_the_file_itself(tmp_path: Path):
    np.save(tmp_path / "images.npy", IMAGES)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    drawn, _ = draw_views(images, LABELS, AugmentationParams())
    assert isinstance(drawn, StackedRows)
    np.testing.assert_array_equal(drawn, IMAGES[np.newaxis])
    np.save(tmp_path / "labels.npy", LABELS)
    labels = np.load(tmp_path / "labels.npy", mmap_mode="r")
    examples = TrainingExamples(*draw_views(images, labels, AugmentationParams()))
    assert (examples.sample.images.shape, examples.sample.labels.shape) == ((9, 9, 3), ())
    in_memory = examples.in_memory()
    assert isinstance(in_memory.images, np.ndarray)
    order = DRAW.permutation(20)
    for streamed, held in zip(
        *(
            each.blocks(epoch=2, order=order, batch_size=3, steps_per_block=4)
            for each in (examples, in_memory)
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(streamed.images, held.images)
        np.testing.assert_array_equal(streamed.labels, held.labels)
    assert examples.shown_labels(2).tolist() == LABELS.tolist()


def test_views_and_seeds_differ():
    one, two = (draw_view(IMAGES, LABELS, view=view, augmentation=ALL)[0] for view in (1, 2))
    reseeded = ALL.model_copy(update={"seed": 1})
    other_seed, _ = draw_view(IMAGES, LABELS, view=1, augmentation=reseeded)
    assert (one != two).any()
    assert (one != other_seed).any()
    assert (one != IMAGES).any()


def test_labels_of_images_stay():
    images, labels = draw_views(IMAGES, LABELS, ALL)
    assert images.shape == (3, *IMAGES.shape)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, np.stack([LABELS] * 3))


def test_without_augmentation_there_is_one_view():
    identity = AugmentationParams(views=5)
    assert count_views(identity) == 1
    assert count_views(ALL) == 3
    images, _ = draw_views(IMAGES, LABELS, identity)
    np.testing.assert_array_equal(images, IMAGES[np.newaxis])


def drawn(transforms: tuple[Augmentation, ...], monkeypatch: pytest.MonkeyPatch) -> Affine:
    """What is drawn for 50 images of 9×12 pixels."""
    found: list[Affine] = []
    augmentation = AugmentationParams(transforms=transforms)
    with monkeypatch.context() as patch:
        patch.setattr(Affine, "transforms", lambda affine, size: found.append(affine))
        draw_transforms((50, 9, 12), generator("views", 3, 1), augmentation)
    return found[0]


@pytest.mark.parametrize(
    ("transforms", "checksum"),
    [
        (ALL.transforms, "0f22bb87d0d9cd62"),
        ((HorizontalFlip(),), "a54a8ea9f7dd89fd"),
        ((Shift(),), "bab24d27b0221764"),
    ],
)
def test_numbers_are_drawn_in_the_order_in_which_they_always_were(
    transforms: tuple[Augmentation, ...], checksum: str, monkeypatch: pytest.MonkeyPatch
):
    """Targets, and so weights, change with every number that is drawn."""
    affine = dataclasses.astuple(drawn(transforms, monkeypatch))[:5]  # no flip, no stretch
    content = (np.stack(affine) + 0.0).tobytes()  # without the sign of zeros
    assert hashlib.sha256(content).hexdigest()[:16] == checksum


def test_the_choice_of_one_leaves_the_motions_of_the_others(monkeypatch: pytest.MonkeyPatch):
    alone, among_others = drawn((Shift(),), monkeypatch), drawn(ALL.transforms, monkeypatch)
    np.testing.assert_array_equal(alone.shift_x, among_others.shift_x)
    assert (among_others.angle != 0).all()
    np.testing.assert_array_equal(alone.angle, np.zeros(50))


def test_masks_move_with_their_images():
    coarse = np.random.default_rng(4).integers(0, 2, (30, 5, 5))
    masks = np.kron(coarse, np.ones((1, 6, 6), int)).astype(np.uint8)  # patches of 6×6
    images = (masks * 255)[..., np.newaxis]
    moved, moved_masks = draw_view(images, masks, view=1, augmentation=ALL)
    assert moved_masks.shape == masks.shape
    assert moved_masks.dtype == np.uint8
    assert set(np.unique(moved_masks)) <= {0, 1}
    # Between two patches a pixel of the image is grey; elsewhere image and mask must agree.
    white, black = moved[..., 0] == 255, moved[..., 0] == 0
    assert (white | black).mean() > 0.5
    assert (moved_masks[white] == 1).all()
    assert (moved_masks[black] == 0).all()
    assert (moved_masks != masks).mean() > 0.05


def test_masks_get_no_label_that_was_not_there():
    masks = np.random.default_rng(5).choice([1, 7, 255], (20, 9, 9)).astype(np.uint8)
    _, moved = draw_views(IMAGES, masks, ALL)
    assert set(np.unique(moved)) == {1, 7, 255}
    np.testing.assert_array_equal(moved[0], masks)
