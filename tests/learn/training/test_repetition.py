"""A few images shown as often as many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.learn.augmentations.rotation import Rotation
from kdtasks.learn.training.online import OnlineExamples
from kdtasks.learn.training.repetition import LEAST_VIEWS, repeated_examples
from kdtasks.learn.training.views import AugmentationParams, draw_views

MOVING = AugmentationParams(views=3, transforms=(Rotation(degrees=20.0),))


def few(count: int) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (count, 6, 6, 1), dtype=np.uint8)
    return images, np.arange(count, dtype=np.int32)


def test_as_many_images_as_the_epoch_is_long_are_just_the_views():
    images, labels = few(10)
    examples = repeated_examples(images, labels, MOVING, epoch_size=10)
    for found, expected in zip(
        (examples.images, examples.labels), draw_views(images, labels, MOVING), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@given(count=st.integers(1, 12), more=st.integers(1, 40))
def test_each_image_is_shown_equally_often_in_views_of_its_own(count: int, more: int):
    size = count + more
    examples = repeated_examples(*few(count), MOVING, epoch_size=size)
    assert examples.num_examples == size
    flat = examples.labels.ravel()
    shown = np.bincount(flat, minlength=count)
    assert shown.max() - shown.min() <= 1
    assert shown.min() >= LEAST_VIEWS - 1
    # the k-th showing of an image is its view k: the first is the image itself
    first = examples.images.reshape(-1, 6, 6, 1)[:count]
    np.testing.assert_array_equal(first, few(count)[0])


def test_every_epoch_shows_each_image_about_equally_often():
    examples = repeated_examples(*few(4), MOVING, epoch_size=20)
    for epoch in (1, 2, 3):
        (block,) = examples.blocks(
            epoch=epoch, order=np.arange(20), batch_size=20, steps_per_block=1
        )
        assert np.bincount(block.labels[0]).tolist() == pytest.approx([5] * 4, abs=1)


def test_without_augmentation_the_images_are_repeated():
    examples = repeated_examples(*few(3), AugmentationParams(), epoch_size=7)
    np.testing.assert_array_equal(examples.labels, [[0, 1, 2, 0, 1, 2, 0]])


def test_online_every_showing_is_a_new_view():
    images, labels = few(4)
    examples = OnlineExamples(images, labels, MOVING, seed=0, epoch_size=10)
    shown = []
    for epoch in (1, 2):
        (block,) = examples.blocks(
            epoch=epoch, order=np.arange(10), batch_size=10, steps_per_block=1
        )
        shown.append(block.labels[0])
        assert len({view.tobytes() for view in block.images[0]}) == 10
    # an epoch goes on where the one before ended
    np.testing.assert_array_equal(np.concatenate(shown), np.arange(20) % 4)
