"""A run that has broken down is stopped, with advice."""

import math

import numpy as np
import pytest

from kdtasks.core.errors import TrainingError
from kdtasks.learn.training.monitor import CollapseGuard, patience

ONE_CLASS = np.array([2, 2, 2])
TWO_CLASSES = np.array([2, 0, 2])


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_stops_at_once(loss: float):
    with pytest.raises(TrainingError, match=rf"the loss became {loss} in epoch 7; lower the learn"):
        CollapseGuard(patience=3, num_classes=5).check_loss(loss, epoch=7)


def test_any_other_loss_passes():
    for loss in (0.0, -1.0, 1e30):
        CollapseGuard(patience=3, num_classes=5).check_loss(loss, epoch=1)


def test_one_class_for_too_many_epochs_stops():
    guard = CollapseGuard(patience=3, num_classes=5)
    for epoch in (4, 5):
        guard.check_predictions(ONE_CLASS, epoch=epoch)
    message = "epochs 4 to 6 predicted class 2 for every validation image; lower the learning"
    with pytest.raises(TrainingError, match=message):
        guard.check_predictions(ONE_CLASS, epoch=6)


def test_a_second_class_starts_the_count_again():
    guard = CollapseGuard(patience=2, num_classes=5)
    for predicted in (ONE_CLASS, TWO_CLASSES, ONE_CLASS, TWO_CLASSES):
        guard.check_predictions(predicted, epoch=1)
    assert guard.collapsed_epochs == 0


def test_the_count_goes_on_after_a_checkpoint():
    guard = CollapseGuard(patience=3, num_classes=5, collapsed_epochs=2)
    with pytest.raises(TrainingError, match="epochs 4 to 6 predicted class 2"):
        guard.check_predictions(ONE_CLASS, epoch=6)


def test_epochs_of_few_steps_get_more_of_them():
    assert patience(5, steps=55) == 5
    assert patience(5, steps=19) == 6
    assert patience(5, steps=1) == 100


def test_a_run_of_few_steps_is_told_so():
    guard = CollapseGuard(patience=2, num_classes=5, steps=3)
    guard.check_predictions(ONE_CLASS, epoch=1)
    message = r"these were 6 steps in all, few to learn from: lower train\.batch_size, or train for"
    with pytest.raises(TrainingError, match=message):
        guard.check_predictions(ONE_CLASS, epoch=2)


def test_a_dataset_of_one_class_cannot_collapse():
    guard = CollapseGuard(patience=1, num_classes=1)
    guard.check_predictions(np.zeros(3, int), epoch=1)


def test_masks_collapse_as_well():
    with pytest.raises(TrainingError, match="epochs 1 to 1 predicted class 0"):
        CollapseGuard(patience=1, num_classes=2).check_predictions(
            np.zeros((2, 4, 4), int), epoch=1
        )


def test_masks_of_one_class_stop_even_with_a_stray_pixel():
    masks = np.zeros((2, 100, 100), np.int64)
    masks[0, 3, 4] = 1
    guard = CollapseGuard(patience=2, num_classes=5)
    guard.check_predictions(masks, epoch=1)
    message = (
        r"epochs 1 to 2 predicted class 0 for 100\.00% of the validation pixels; .+"
        r"train\.loss\.class_weights: balanced"
    )
    with pytest.raises(TrainingError, match=message):
        guard.check_predictions(masks, epoch=2)


def test_a_mask_with_some_pixels_of_another_class_is_none_of_one():
    masks = np.zeros((2, 100, 100), np.int64)
    masks[0, 3, :4] = 1
    guard = CollapseGuard(patience=1, num_classes=5)
    guard.check_predictions(masks, epoch=1)
    assert guard.collapsed_epochs == 0
