"""A run that has broken down is stopped, with advice."""

import math

import numpy as np
import pytest

from kdtasks.core.errors import TrainingError
from kdtasks.learn.training.monitor import CollapseGuard, label_counts, patience, stalled


def guard_of(patience: int, *, num_classes: int = 5, steps: int = 100, done: int = 0):
    """A guard of a run of twenty epochs, `done` of which predicted one class."""
    return CollapseGuard(patience, (10,) * num_classes, steps, 20, (), done)


def check(guard: CollapseGuard, predicted: np.ndarray, *, epoch: int) -> None:
    """Show an epoch's predictions."""
    guard.per_pixel = predicted.ndim > 1
    counts = np.bincount(predicted.ravel(), minlength=len(guard.labels))
    guard.check_predictions(counts, epoch=epoch)


ONE_CLASS = np.array([2, 2, 2])
TWO_CLASSES = np.array([2, 0, 2])


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_stops_at_once(loss: float):
    with pytest.raises(TrainingError, match=rf"the loss became {loss} in epoch 7; lower the learn"):
        guard_of(3).check_loss(loss, epoch=7)


def test_any_other_loss_passes():
    for loss in (0.0, -1.0, 1e30):
        guard_of(3).check_loss(loss, epoch=1)


def test_one_class_for_too_many_epochs_stops():
    guard = guard_of(3)
    for epoch in (4, 5):
        check(guard, ONE_CLASS, epoch=epoch)
    message = "epochs 4 to 6 of 20 predicted class 2 for every validation image; lower the learning"
    with pytest.raises(TrainingError, match=message):
        check(guard, ONE_CLASS, epoch=6)


def test_the_class_that_most_images_are_of_is_named_and_what_helps_there():
    guard = CollapseGuard(1, (90, 2), 100, 20, ("good", "scratched"))
    message = (
        r"predicted class good for every validation image, of which 97\.8 % are of it; set "
        r"train\.class_balance to weights or sampling, so that rare classes count for more; if it "
        r"is, lower the learning rate, .+ set train\.guard_epochs above 1$"
    )
    with pytest.raises(TrainingError, match=message):
        check(guard, np.zeros(3, int), epoch=1)
    guard = CollapseGuard(1, (90, 2), 100, 20, ("good", "scratched"))
    with pytest.raises(TrainingError, match="class scratched for every validation image; lower"):
        check(guard, np.ones(3, int), epoch=1)


def test_labels_that_count_nowhere_are_not_counted():
    assert label_counts(np.array([0, 2, 2, 255]), 3, 255) == (1, 0, 2)


def test_a_second_class_starts_the_count_again():
    guard = guard_of(2)
    for predicted in (ONE_CLASS, TWO_CLASSES, ONE_CLASS, TWO_CLASSES):
        check(guard, predicted, epoch=1)
    assert guard.collapsed_epochs == 0


def test_the_count_goes_on_after_a_checkpoint():
    guard = guard_of(3, done=2)
    with pytest.raises(TrainingError, match="epochs 4 to 6 of 20 predicted class 2"):
        check(guard, ONE_CLASS, epoch=6)


def test_epochs_of_few_steps_get_more_of_them():
    assert patience(5, steps=55) == 5
    assert patience(5, steps=19) == 6
    assert patience(5, steps=1) == 100


def test_a_run_of_few_steps_is_told_so():
    guard = guard_of(2, steps=3)
    check(guard, ONE_CLASS, epoch=1)
    message = r"these were 6 steps in all, few to learn from: lower train\.batch_size, or train for"
    with pytest.raises(TrainingError, match=message):
        check(guard, ONE_CLASS, epoch=2)


def test_a_dataset_of_one_class_cannot_collapse():
    guard = guard_of(1, num_classes=1)
    check(guard, np.zeros(3, int), epoch=1)


def test_masks_collapse_as_well():
    with pytest.raises(TrainingError, match="epochs 1 to 1 of 20 predicted class 0"):
        check(guard_of(1, num_classes=2), np.zeros((2, 4, 4), int), epoch=1)


def test_masks_of_one_class_stop_even_with_a_stray_pixel():
    masks = np.zeros((2, 100, 100), np.int64)
    masks[0, 3, 4] = 1
    guard = guard_of(2)
    check(guard, masks, epoch=1)
    message = (
        r"epochs 1 to 2 of 20 predicted class 0 for 100\.00% of the validation pixels; .+"
        r"train\.class_balance: weights"
    )
    with pytest.raises(TrainingError, match=message):
        check(guard, masks, epoch=2)


def test_a_mask_with_some_pixels_of_another_class_is_none_of_one():
    masks = np.zeros((2, 100, 100), np.int64)
    masks[0, 3, :4] = 1
    guard = guard_of(1)
    check(guard, masks, epoch=1)
    assert guard.collapsed_epochs == 0


def test_patience_is_asked_for_only_where_there_is_some_to_give():
    with pytest.raises(TrainingError, match=r"expected, set train\.guard_epochs above 3$"):
        check(guard_of(3, done=2), ONE_CLASS, epoch=6)
    with pytest.raises(TrainingError, match=r"or use batch normalisation$"):
        check(guard_of(20, done=19), ONE_CLASS, epoch=20)


def history(*losses: float) -> list[dict[str, float]]:
    return [{"loss": loss} for loss in losses]


def test_a_loss_that_does_not_fall_in_the_first_tenth_is_told_once():
    flat = [2.303, 2.302, 2.301, 2.3]
    told = [stalled(history(*flat[:n]), epochs=30, learning_rate=0.001) for n in range(1, 5)]
    assert [bool(text) for text in told] == [False, False, True, False]
    assert "not fallen in the first 3 epochs (2.303, now 2.301)" in told[2]
    assert "learning rate of 0.001 may be wrong for train.optimizer" in told[2]


def test_a_loss_that_falls_or_may_yet_is_not_told():
    assert not stalled(history(2.303, 2.27), epochs=5, learning_rate=0.1)
    assert not stalled(history(2.303), epochs=1, learning_rate=0.1)
    assert not stalled(history(-1.0, -1.2), epochs=2, learning_rate=0.1)
    assert stalled(history(-1.0, -1.0), epochs=2, learning_rate=0.1)
