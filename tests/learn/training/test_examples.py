"""The order in which images and their views come."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.learn.training.examples import TrainingExamples


def numbered(views: int, count: int, *, taught: bool = True) -> TrainingExamples:
    """Pixels are the view, labels the image, logits both."""
    view, image = np.indices((views, count))
    images = np.broadcast_to(view[..., None, None, None], (views, count, 2, 3, 1))
    logits = np.stack([view, image], axis=-1).astype(np.float16)
    return TrainingExamples(
        images=images.astype(np.uint8),
        labels=image.astype(np.int32),
        teacher_logits=logits if taught else None,
        teacher_features=(2 * logits[..., np.newaxis],) if taught else (),
    )


def seen(
    examples: TrainingExamples, *, epoch: int, batch_size: int, steps_per_block: int
) -> list[tuple[int, int]]:
    """(view, image) in the order of an epoch, after a look at the shapes."""
    order = np.random.default_rng(epoch).permutation(examples.num_examples)
    pairs = []
    for images, labels, logits, features, mixture, weights in examples.blocks(
        epoch=epoch, order=order, batch_size=batch_size, steps_per_block=steps_per_block
    ):
        steps = len(labels)
        assert 1 <= steps <= steps_per_block
        assert images.shape == (steps, batch_size, 2, 3, 1)
        assert labels.shape == (steps, batch_size)
        assert logits.shape == (steps, batch_size, 2)
        assert (images[..., 0, 0, 0] == logits[..., 0]).all()
        assert (labels == logits[..., 1]).all()
        assert mixture == weights == ()
        np.testing.assert_array_equal(features[0], 2 * logits[..., np.newaxis])
        pairs += list(zip(logits[..., 0].ravel(), logits[..., 1].ravel(), strict=True))
    assert [image for _, image in pairs] == list(order[: len(pairs)])
    return [(int(view), int(image)) for view, image in pairs]


@given(
    views=st.integers(1, 5),
    images=st.integers(1, 30),
    batch_size=st.integers(1, 30),
    steps_per_block=st.integers(1, 7),
    epoch=st.integers(1, 9),
)
def test_an_epoch_covers_each_image_at_most_once_and_drops_the_last_part(
    views: int, images: int, batch_size: int, steps_per_block: int, epoch: int
):
    pairs = seen(
        numbered(views, images),
        epoch=epoch,
        batch_size=batch_size,
        steps_per_block=steps_per_block,
    )
    shown = [image for _, image in pairs]
    assert len(shown) == len(set(shown)) == images // batch_size * batch_size
    assert all(view == (image + epoch - 1) % views for view, image in pairs)


def test_every_image_goes_through_all_its_views():
    examples = numbered(3, 8)
    pairs = [
        pair
        for epoch in range(1, 4)
        for pair in seen(examples, epoch=epoch, batch_size=4, steps_per_block=1)
    ]
    assert sorted(pairs) == [(view, image) for view in range(3) for image in range(8)]


def test_every_epoch_mixes_the_views():
    pairs = seen(numbered(4, 8), epoch=1, batch_size=8, steps_per_block=1)
    assert sorted(view for view, _ in pairs) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_masks_come_whole():
    examples = TrainingExamples(
        np.zeros((2, 6, 4, 4, 3), np.uint8), np.ones((2, 6, 4, 4), np.uint8)
    )
    ((images, masks, logits, features, mixture, weights),) = examples.blocks(
        epoch=1, order=np.arange(6), batch_size=2, steps_per_block=10
    )
    assert images.shape == (3, 2, 4, 4, 3)
    assert masks.shape == (3, 2, 4, 4)
    assert (logits.shape, logits.dtype) == ((3, 2, 0), np.float16)
    assert features == mixture == weights == ()


@pytest.mark.parametrize("taught", [True, False])
def test_mapped_arrays_come_into_memory(taught: bool, tmp_path: Path):
    examples = numbered(2, 5, taught=taught)
    np.save(tmp_path / "images.npy", examples.images)
    mapped = TrainingExamples(
        np.load(tmp_path / "images.npy", mmap_mode="r"),
        examples.labels,
        examples.teacher_logits,
        examples.teacher_features,
    )
    read = mapped.in_memory()
    assert not np.shares_memory(read.images, mapped.images)
    np.testing.assert_array_equal(read.images, examples.images)
    assert (read.teacher_logits is None) is not taught
    # 2·5 images of 6 bytes, 2·5 labels of 4, 2·5 pairs of logits and of features of 2.
    assert mapped.megabytes() == pytest.approx((60 + 40 + 80 * taught) / 1e6)
    assert mapped.sample.nbytes == 6 + 4 + 8 * taught
