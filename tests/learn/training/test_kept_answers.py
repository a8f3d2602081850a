"""After which augmentations the answer to an image still holds."""

from typing import ClassVar

import numpy as np

from kdtasks.learn.augmentations import Batch, Photometric, augmentations


class Swap(Batch):
    """Every image becomes the one before it."""

    order: ClassVar[int] = 1
    name: str = "swap"

    def mix(self, images, labels, rng):
        return np.roll(images, 1, axis=0), np.roll(labels, 1)


class Darker(Photometric):
    """Half the brightness."""

    order: ClassVar[int] = 1
    name: str = "darker"

    def apply(self, images, rng):
        return images // 2


def test_answers_hold_within_an_image_and_not_across_images():
    assert Darker().keeps_answer
    assert not Swap().keeps_answer
    assert augmentations["shift"].model_validate({}).keeps_answer
