"""Training on images that are two in one."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdtasks.learn.augmentations.cutmix import CutMix
from kdtasks.learn.augmentations.mixing import TwoLabels, two_labels
from kdtasks.learn.augmentations.mixup import Mixup
from kdtasks.learn.objectives.objective import LabelObjective
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.online import OnlineExamples
from kdtasks.learn.training.views import AugmentationParams, draw_views
from tests.learn.training.conftest import noisy_quadrants

Run = Callable[..., Any]


def test_a_block_has_both_labels_and_their_fraction(examples: TrainingExamples):
    labels = two_labels(examples.labels)
    labels["partner"], labels["fraction"] = 7, 0.75
    mixed = dataclasses.replace(examples, labels=labels)
    (block,) = mixed.blocks(epoch=1, order=np.arange(50), batch_size=25, steps_per_block=9)
    assert (block.labels.shape, block.labels.dtype) == ((2, 25), np.int32)
    assert [set(array.ravel().tolist()) for array in block.mixture] == [{7}, {0.75}]
    (plain,) = examples.blocks(epoch=1, order=np.arange(50), batch_size=25, steps_per_block=9)
    np.testing.assert_array_equal(block.labels, plain.labels)
    assert block.nbytes == plain.nbytes + 50 * 8


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_the_steps_weigh_both_labels(fraction: float, run: Run, examples: TrainingExamples):
    """With all weight on one of the two, training goes as with that label alone."""
    labels = np.zeros(examples.labels.shape, TwoLabels)
    right, wrong = examples.labels, (examples.labels + 1) % 3
    labels["label"], labels["partner"] = (right, wrong) if fraction else (wrong, right)
    labels["fraction"] = fraction
    losses = [
        run(
            examples=dataclasses.replace(examples, labels=given),
            objective=LabelObjective(),
        ).history[0]["loss"]
        for given in (labels, right)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("is_online", [False, True], ids=["cached", "online"])
def test_students_learn_from_mixed_images(is_online: bool, run: Run):
    images, labels = noisy_quadrants(50, seed=0)
    augmentation = AugmentationParams(
        views=3, transforms=(Mixup(probability=0.5, alpha=0.5), CutMix(alpha=0.5))
    )

    def teacher(views: np.ndarray) -> tuple[np.ndarray, ...]:
        parts = [views[:, 4 * (k // 2) :, 4 * (k % 2) :][:, :4, :4] for k in range(3)]
        return (np.stack([part.mean(axis=(1, 2, 3)) / 15 for part in parts], -1).astype("f2"),)

    if is_online:
        examples: Any = OnlineExamples(images, labels, augmentation, 0, teacher)
    else:
        views, drawn = draw_views(images, labels, augmentation)
        answers = np.stack([teacher(view)[0] for view in views])
        examples = TrainingExamples(views, drawn, answers)
    history = run(examples=examples).history
    assert all(np.isfinite(record["loss"]) for record in history)
    # Who guesses one class for all gets about a third.
    assert history[-1]["validation_accuracy"] > 0.5
    assert 0.6 < history[-1]["teacher_agreement"] <= 1.0
