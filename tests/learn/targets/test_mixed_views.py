"""Targets of views that mix two images."""

from pathlib import Path

import numpy as np

from kdtasks.data.labels import training_set
from kdtasks.learn.augmentations.cutmix import CutMix
from kdtasks.learn.augmentations.mixup import Mixup
from kdtasks.learn.targets.open import open_targets
from kdtasks.learn.targets.write import write_targets
from kdtasks.learn.teachers.teacher import Teacher
from kdtasks.learn.training.views import AugmentationParams, draw_views
from tests.learn.targets.conftest import IMAGES, LABELS, TRAINING, read, three_means
from tests.tools.datasets import dataset_of


def test_the_teacher_answers_to_mixed_images_of_this_split(tmp_path: Path):
    augmentation = AugmentationParams(views=3, transforms=(Mixup(probability=0.5), CutMix()))
    write_targets(
        tmp_path / "targets",
        Teacher(run=lambda images: [three_means(images)], parameters=None, macs=None),
        TRAINING,  # of a dataset that has no other split
        augmentation=augmentation,
    )
    examples = read(tmp_path / "targets")
    views, labels = draw_views(IMAGES, LABELS, augmentation)
    np.testing.assert_array_equal(examples.images, views)
    np.testing.assert_array_equal(examples.labels, labels)
    assert (labels["fraction"][1:] < 1.0).sum() > 11
    assert not (views[1:] == IMAGES).all(axis=(2, 3, 4))[labels["fraction"][1:] < 0.9].any()
    logits = three_means(views[2])
    logits -= logits.max(axis=1, keepdims=True)
    np.testing.assert_array_equal(examples.teacher_logits[2], logits.astype(np.float16))
    order = np.arange(11)
    (block,) = examples.blocks(epoch=2, order=order, batch_size=11, steps_per_block=1)
    drawn = labels[(order + 1) % 3, order]
    np.testing.assert_array_equal(block.labels[0], drawn["label"])
    np.testing.assert_array_equal(block.mixture[0][0], drawn["partner"])
    np.testing.assert_array_equal(block.mixture[1][0], drawn["fraction"])


def test_a_hidden_label_is_not_seen_in_a_mixed_image_either(tmp_path: Path):
    write_targets(
        tmp_path / "targets",
        Teacher(run=lambda images: [three_means(images)], parameters=None, macs=None),
        TRAINING,
        augmentation=AugmentationParams(views=3, transforms=(Mixup(),)),
    )
    few = training_set(dataset_of(IMAGES, LABELS, num_classes=3), IMAGES[:0], np.array([0, 4]))
    shown, known = open_targets(tmp_path / "targets", few, seed=0), read(tmp_path / "targets")
    numbers = np.load(tmp_path / "targets/labels.npy")
    assert (numbers["partner"] != numbers["label"]).any()
    for name in ("label", "partner"):
        is_seen = np.isin(numbers[name], [0, 4])
        assert is_seen.any()
        np.testing.assert_array_equal(shown.labels[name][is_seen], known.labels[name][is_seen])
        assert (shown.labels[name][~is_seen] == -1).all()
