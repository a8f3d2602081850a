import dataclasses

import numpy as np
import pytest

from kdtasks.compress.bundle.write import interleave_exits, make_self_test
from kdtasks.edge.segments import Segments, TensorSpec
from tests.compress.bundle.test_schema import MANIFEST


class StoredSegments(Segments):
    """Segments that look logits up: an image's pixel is its row."""

    def __init__(self, logits, *, scales=(0.0, 0.0), input_shape=(1, 1, 1)):
        self.stored = np.asarray(logits, np.float32)
        self.count, self.input_shape, self.num_classes = 2, input_shape, 2
        self.logits_shape = (2,)
        self.logits_specs = [TensorSpec((1, 2), np.dtype(np.float32), one, 0) for one in scales]

    def logits_of(self, images):
        return self.stored[images.reshape(len(images), -1)[:, 0] % len(self.stored)]


def record(segments, images, *, count=3):
    manifest = dataclasses.replace(
        MANIFEST, score="max_probability", temperatures=(1.0, 1.0), thresholds=(0.9,)
    )
    return make_self_test(segments, images, manifest, count=count)


IMAGES = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
SURE, UNSURE = [9.0, 0.0], [0.1, 0.0]
LOGITS = [[SURE, SURE], [SURE, SURE], [SURE, SURE], [UNSURE, SURE], [SURE, SURE]]


def test_exits_alternate():
    assert interleave_exits(np.array([0, 0, 0, 2, 0, 1, 2])).tolist() == [0, 5, 3, 1, 6, 2, 4]


def test_every_exit_has_images():
    test = record(StoredSegments(LOGITS), IMAGES)
    assert test.images.ravel().tolist() == [0, 3, 1]
    np.testing.assert_array_equal(test.logits, np.asarray(LOGITS, np.float32)[[0, 3, 1]])
    assert record(StoredSegments(LOGITS), IMAGES, count=50).images.ravel().size == 5


def test_one_exit_takes_the_first_images():
    segments = StoredSegments([[answers[-1]] for answers in LOGITS], scales=(0.0,))
    segments.count = 1
    test = record(segments, IMAGES)
    assert test.images.ravel().tolist() == [0, 1, 2]


def test_no_image_leaves_the_house_where_none_may():
    test = record(StoredSegments(LOGITS), IMAGES, count=0)
    again = record(StoredSegments(LOGITS), IMAGES + 1, count=0)
    np.testing.assert_array_equal(test.images, again.images)
    assert len(test.images) == 4


def test_large_images_are_few():
    large = (300, 300, 1)
    images = np.zeros((5, *large), np.uint8)
    assert len(record(StoredSegments(LOGITS, input_shape=large), images).images) == 2
    larger = (600, 600, 1)
    images = np.zeros((5, *larger), np.uint8)
    assert len(record(StoredSegments(LOGITS, input_shape=larger), images).images) == 1


def test_the_tolerance_follows_the_logits():
    # A hundredth of the range 0 … 9, or four steps of the logits where these are more.
    segments = StoredSegments(LOGITS, scales=(0.0, 0.5))
    assert record(segments, IMAGES).tolerance == pytest.approx([0.09, 2.0])
