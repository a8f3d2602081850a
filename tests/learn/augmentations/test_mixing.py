"""Mixup and CutMix: pixels, both labels, masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.learn.augmentations.cutmix import CutMix
from kdtasks.learn.augmentations.mixing import Mixing, TwoLabels, first_labels, two_labels
from kdtasks.learn.augmentations.mixup import Mixup
from kdtasks.learn.training.online import OnlineExamples
from kdtasks.learn.training.views import AugmentationParams, draw_view, labels_of
from tests.tools.known_numbers import Known

BOTH = AugmentationParams(views=2, transforms=(Mixup(probability=0.5), CutMix()))


def even(*values: int, side: int = 4) -> np.ndarray:
    """Images of one value each."""
    return np.repeat(np.array(values, np.uint8), side * side).reshape(-1, side, side, 1)


def test_mixup_by_hand():
    # 0.25 · 100 + 0.75 · 200, and the other way round; the larger part's label comes first.
    images, labels = Mixup().mix(even(100, 200), two_labels(np.array([4, 9])), Known(beta=0.25))
    assert images[:, 0, 0, 0].tolist() == [175, 125]
    assert (images == images[:, :1, :1]).all()
    assert labels.tolist() == [(9, 4, 0.75), (4, 9, 0.75)]


def test_cutmix_by_hand():
    # √(1 − 0.75) = half the sides: 2×2 pixels around (2, 2), 4 of 16.
    rng = Known(beta=0.75, random=0.5)
    images, labels = CutMix().mix(even(100, 200), two_labels(np.array([4, 9])), rng)
    expected = even(100, 200)
    expected[0, 1:3, 1:3], expected[1, 1:3, 1:3] = 200, 100
    np.testing.assert_array_equal(images, expected)
    assert labels.tolist() == [(4, 9, 0.75), (9, 4, 0.75)]


def test_labels_count_by_the_area_that_is_left_of_a_box_at_an_edge():
    # Of 2×2 pixels around (0, 0) one is inside.
    rng = Known(beta=0.75, random=0.0)
    images, labels = CutMix().mix(even(100, 200), two_labels(np.array([4, 9])), rng)
    assert (images[0] == 200).sum() == 1
    assert labels["fraction"].tolist() == [15 / 16] * 2


def test_cutmix_moves_masks_with_their_pixels():
    masks = np.stack([np.full((4, 4), 1), np.full((4, 4), 255)]).astype(np.uint8)
    images, found = CutMix().mix(even(100, 200), masks, Known(beta=0.75, random=0.5))
    np.testing.assert_array_equal(found == 255, images[..., 0] == 200)
    assert (found.dtype, set(np.unique(found))) == (np.uint8, {1, 255})


@pytest.mark.parametrize("item", [Mixup(), CutMix()])
@given(seed=st.integers(0, 2**32), count=st.integers(1, 12), side=st.integers(1, 9))
def test_every_pixel_and_both_labels_are_of_the_pair(
    item: Mixing, seed: int, count: int, side: int
):
    # Image k has the value k, so that pixels tell whom they are of.
    values = np.arange(count, dtype=np.uint8)
    given_images = np.broadcast_to(20 * values[:, None, None, None], (count, side, side, 1))
    images, labels = item.mix(given_images, two_labels(values), np.random.default_rng(seed))
    again, _ = item.mix(given_images, two_labels(values), np.random.default_rng(seed))
    np.testing.assert_array_equal(images, again)
    assert (images.shape, images.dtype, labels.dtype) == (given_images.shape, np.uint8, TwoLabels)
    assert ((labels["fraction"] >= 0.5) & (labels["fraction"] <= 1.0)).all()
    first, second = (20.0 * labels[name] for name in ("label", "partner"))
    means = labels["fraction"] * first + (1 - labels["fraction"]) * second
    assert np.abs(images.mean(axis=(1, 2, 3)) - means).max() <= 0.5 + 1e-3
    if count > 1:
        assert (labels["label"] != labels["partner"]).all()
        # Each is in two pairs: its own, and as somebody's partner.
        pairs = np.concatenate([labels["label"], labels["partner"]])
        assert np.bincount(pairs, minlength=count).tolist() == [2] * count


@pytest.mark.parametrize("item", [Mixup(probability=0.0), CutMix(probability=0.0)])
def test_without_probability_nothing_is_mixed(item: Mixing):
    labels = two_labels(np.array([4, 9]))
    images, found = item.mix(even(1, 2), labels, np.random.default_rng(0))
    np.testing.assert_array_equal(images, even(1, 2))
    np.testing.assert_array_equal(found, labels)
    assert first_labels(found).tolist() == [4, 9]


def test_no_image_is_mixed_twice():
    values = np.arange(200, dtype=np.uint8)
    images = np.repeat(values, 64).reshape(200, 8, 8, 1)
    rng = np.random.default_rng(0)
    once, labels = Mixup(probability=0.5).mix(images, two_labels(values), rng)
    is_mixed = labels["fraction"] < 1.0
    assert 60 < is_mixed.sum() < 140  # of 200 by halves: beyond with a probability of 1e-8
    found, both = CutMix().mix(once, labels, rng)
    np.testing.assert_array_equal(found[is_mixed], once[is_mixed])
    np.testing.assert_array_equal(both[is_mixed], labels[is_mixed])
    # Those are no partners either.
    assert not np.isin(both["partner"][~is_mixed], values[is_mixed]).any()


def test_labels_are_two_only_where_a_transform_mixes_images():
    labels = np.arange(3, dtype=np.int32)
    assert labels_of(labels, AugmentationParams()) is labels
    both = labels_of(labels, BOTH)
    assert both.tolist() == [(0, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0)]
    assert labels_of(both, BOTH) is both
    masks = np.zeros((3, 4, 4), np.uint8)
    assert labels_of(masks, BOTH) is masks


def test_a_view_has_the_labels_of_its_images():
    values = np.arange(250, dtype=np.uint8)
    images = np.repeat(values, 64).reshape(250, 8, 8, 1)
    _, first = draw_view(images, values, view=0, augmentation=BOTH)
    assert (first["fraction"] == 1.0).all()
    found, labels = draw_view(images, values, view=1, augmentation=BOTH)
    rest = 1.0 - labels["fraction"]
    means = labels["fraction"] * labels["label"] + rest * labels["partner"]
    assert np.abs(found.mean(axis=(1, 2, 3)) - means).max() <= 0.5 + 1e-3
    assert (labels["fraction"] < 1.0).mean() > 0.9


def test_an_online_teacher_answers_to_the_mixed_images():
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 1), dtype=np.uint8)
    labels = np.arange(30, dtype=np.int32)

    def answer(seen: np.ndarray) -> tuple[np.ndarray, ...]:
        return (seen.mean(axis=(1, 2)).astype(np.float16),)

    examples = OnlineExamples(images, labels, BOTH, seed=1, predict_teacher=answer)
    (block,) = examples.blocks(epoch=1, order=np.arange(30), batch_size=10, steps_per_block=9)
    flat = block.images.reshape(30, 4, 4, 1)
    np.testing.assert_array_equal(block.logits.reshape(30, 1), answer(flat)[0])
    partners, fractions = block.mixture
    assert (block.labels.shape, partners.shape, fractions.shape) == ((3, 10),) * 3
    for step in range(3):  # partners are of the same batch
        assert set(partners[step]) <= set(range(10 * step, 10 * step + 10))
    assert [array.shape for array in examples.sample.mixture] == [(), ()]
    alone = OnlineExamples(images, labels, BOTH, seed=1)
    (same,) = alone.blocks(epoch=1, order=np.arange(30), batch_size=10, steps_per_block=9)
    np.testing.assert_array_equal(same.images, block.images)
