"""How sure the teacher is of images without a label."""

import numpy as np
import pytest

from kdtasks.learn.teachers.confidence import confidence_of
from kdtasks.learn.teachers.teacher import Teacher

# Images whose one pixel is the teacher's probability of class 1, in hundredths.
IMAGES = np.array([50, 99, 10, 70], np.uint8).reshape(4, 1, 1, 1)


def logits(images: np.ndarray) -> list[np.ndarray]:
    p = images.reshape(len(images), -1).astype(np.float32) / 100
    return [np.log(np.stack([1 - p[:, 0], p[:, 0]], axis=-1))]


TEACHER = Teacher(run=logits, parameters=None, macs=None)


def test_it_is_the_probability_of_the_likeliest_class():
    found = confidence_of(TEACHER, IMAGES, min_confidence=0.6, chunk=3)
    assert found.values.tolist() == pytest.approx([0.5, 0.99, 0.9, 0.7], abs=1e-6)
    assert found.classes[1:].tolist() == [1, 0, 1]
    assert found.kept.tolist() == [1, 2, 3]
    assert found.record.excluded == 1
    assert sum(found.record.by_confidence) == found.record.images == 4
    assert found.least_confident(IMAGES)["confidence"].tolist()[:2] == pytest.approx(
        [0.5, 0.7], abs=1e-6
    )


def test_of_masks_it_is_the_mean_over_pixels():
    def two_pixels(images: np.ndarray) -> list[np.ndarray]:
        each = logits(images)[0]
        return [np.stack([each, np.log(np.full_like(each, 0.5))], axis=1)]

    found = confidence_of(
        Teacher(run=two_pixels, parameters=None, macs=None), IMAGES, min_confidence=0.0
    )
    assert found.values.tolist() == pytest.approx([0.5, 0.745, 0.7, 0.6], abs=1e-6)


def test_of_no_image_there_is_nothing_to_say():
    found = confidence_of(TEACHER, IMAGES[:0], min_confidence=0.5)
    assert (len(found.values), found.record.images, found.record.excluded) == (0, 0, 0)
