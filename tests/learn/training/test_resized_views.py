"""Views of the same images in two sizes show the same."""

import numpy as np
import pytest
from PIL import Image

from kdtasks.learn.augmentations.blur import Blur
from kdtasks.learn.augmentations.brightness import Brightness
from kdtasks.learn.augmentations.cutmix import CutMix
from kdtasks.learn.augmentations.mixup import Mixup
from kdtasks.learn.augmentations.random_crop import RandomCrop
from kdtasks.learn.augmentations.rotation import Rotation
from kdtasks.learn.augmentations.shift import Shift
from kdtasks.learn.training.online import OnlineExamples
from kdtasks.learn.training.resized_views import ResizedViews, view_in_batches
from kdtasks.learn.training.views import AugmentationParams, draw_view
from kdtasks.learn.training.warp import rescaled, warp

DRAW = np.random.default_rng(0)


def resized(images: np.ndarray, height: int, width: int) -> np.ndarray:
    frames = [
        Image.fromarray(image).resize((width, height), Image.Resampling.BOX) for image in images
    ]
    return np.stack([np.asarray(frame) for frame in frames])


def clouds(count: int, height: int, width: int) -> np.ndarray:
    """Smooth images, of which a size smaller still shows everything."""
    coarse = DRAW.integers(0, 256, (count, 4, 4, 3), np.uint8)
    frames = [
        Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC) for image in coarse
    ]
    return np.stack([np.asarray(frame) for frame in frames])


LARGE = clouds(30, 96, 72)
SMALL = resized(LARGE, 32, 36)  # of another shape, too: 3 times and 2 times smaller
LABELS = np.arange(30, dtype=np.int32) % 4


def in_order(images: np.ndarray, augmentation: AugmentationParams, view: int = 1) -> np.ndarray:
    seen = np.zeros_like(images)
    batches = view_in_batches(images, LABELS, view=view, augmentation=augmentation, size=(32, 36))
    for rows, some in batches:
        seen[rows] = some
    return seen


EVERYTHING = (
    Rotation(degrees=40.0),
    Shift(fraction=0.3),
    RandomCrop(min_area=0.3),
    Brightness(),
    Blur(sigma=8.0, probability=1.0),
    CutMix(),
    Mixup(probability=0.5),
)


@pytest.mark.parametrize(
    "transforms", [(item,) for item in EVERYTHING], ids=lambda one: one[0].name
)
def test_a_large_view_made_small_is_the_small_view(transforms):
    augmentation = AugmentationParams(transforms=transforms)
    small, _ = draw_view(SMALL, LABELS, view=1, augmentation=augmentation)
    large = resized(in_order(LARGE, augmentation), 32, 36)
    identity = np.abs(small.astype(int) - SMALL).mean()
    apart = np.abs(small.astype(int) - large).mean()
    assert identity > 4  # it does something
    assert apart < identity / 5


@pytest.mark.parametrize("view", [0, 1, 2])
def test_in_the_same_size_they_are_the_very_same(view: int):
    augmentation = AugmentationParams(transforms=EVERYTHING)
    whole, _ = draw_view(SMALL, LABELS, view=view, augmentation=augmentation)
    np.testing.assert_array_equal(in_order(SMALL, augmentation, view), whole)


def test_a_shift_of_half_the_image_is_one_in_either_size():
    """By hand: three pixels of six to the right are six of twelve."""
    affine = np.array([[1, 0, 3, 0, 1, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(
        rescaled(affine, (4, 6), (8, 12)), [[1, 0, 6, 0, 1, 0, 0, 0]], atol=1e-6
    )


def test_a_quarter_turn_of_an_image_that_was_squeezed_stays_one():
    """A square squeezed to half its height: what turned in the square turns in both."""
    square = clouds(1, 64, 64)
    turn = np.array([[0, 1, 0, -1, 0, 63, 0, 0]], np.float32)
    np.testing.assert_array_equal(warp(square, turn), np.rot90(square, -1, axes=(1, 2)))
    flat = warp(resized(square, 32, 64), rescaled(turn, (64, 64), (32, 64)))
    difference = np.abs(flat.astype(int) - resized(np.rot90(square, -1, axes=(1, 2)), 32, 64))
    assert difference.mean() < 3


def test_an_online_teacher_sees_the_student_s_fresh_view_in_its_own_size():
    augmentation = AugmentationParams(transforms=EVERYTHING)
    asked: list[np.ndarray] = []

    def answer(images: np.ndarray) -> tuple[np.ndarray, ...]:
        asked.append(images)
        return (images.mean(axis=(1, 2)).astype(np.float16),)

    def views(images: np.ndarray) -> np.ndarray:
        seen = ResizedViews(images, (32, 36), augmentation).draw
        examples = OnlineExamples(SMALL, LABELS, augmentation, 0, answer, teacher_views=seen)
        assert examples.sample.images.shape == (32, 36, 3)
        assert asked.pop().shape == (1, *images.shape[1:])
        order = np.random.default_rng(1).permutation(30)
        blocks = list(examples.blocks(epoch=2, order=order, batch_size=5, steps_per_block=2))
        return np.concatenate([block.images.reshape(-1, 32, 36, 3) for block in blocks])

    small = views(SMALL)
    np.testing.assert_array_equal(np.concatenate(asked), small)
    asked.clear()
    np.testing.assert_array_equal(views(LARGE), small)
    large = resized(np.concatenate(asked), 32, 36)
    assert np.abs(large.astype(int) - small).mean() < np.abs(small.astype(int) - SMALL).mean() / 5
