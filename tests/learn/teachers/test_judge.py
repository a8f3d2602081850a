"""What answers to validation images say of a teacher, and what they are too few to say."""

import numpy as np
import pytest

from kdtasks.learn.teachers.judge import Judge
from tests.tools.datasets import dataset_of


def judge(labels: list | np.ndarray, **rest: object) -> Judge:
    given = np.asarray(labels)
    images = np.zeros((len(given), 2, 2, 1), np.uint8)
    dataset = dataset_of(images, given, num_classes=4, split="validation", **rest)  # type: ignore[arg-type]
    return Judge.of(dataset, 1000)


def sure(answers: list | np.ndarray, classes: int = 4) -> np.ndarray:
    return 10.0 * np.eye(classes, dtype=np.float32)[np.asarray(answers)]


def test_hits_and_losses_by_hand():
    some = judge([0, 1])
    logits = np.array([[0, 0, 0, 0], [np.log(3), 0, 0, 0]], np.float32)
    assert some.hits(logits).tolist() == [1.0, 0.0]
    np.testing.assert_allclose(some.losses(logits), [np.log(4), np.log(6)], rtol=1e-6)
    assert (some.accuracy(logits), some.majority_accuracy()) == (0.5, 0.5)


def test_of_masks_what_is_labelled_counts_and_masks_without_a_label_do_not():
    masks = np.array([[[0, 255], [1, 1]], [[255, 255], [255, 255]]], np.uint8)
    some = judge(masks, ignore_label=255)
    assert some.rows.tolist() == [0]
    assert some.hits(sure([[[0, 3], [1, 0]]])).tolist() == [pytest.approx(2 / 3)]
    assert some.majority_accuracy() == pytest.approx(2 / 3)


def test_a_few_equal_differences_prove_nothing_and_many_do():
    assert not judge([0] * 6).is_clearly_positive(np.ones(6))
    assert judge([0] * 7).is_clearly_positive(np.ones(7))
    assert not judge([0] * 60).is_clearly_positive(np.zeros(60))
    assert not judge([0] * 60).is_clearly_positive(-np.ones(60))


def test_the_level_is_that_of_a_t_test_by_hand():
    """Of 3 in 16 images that differ by 1 the mean is 3/16, its error √(3·13/(256·15)) ≈ 0.1008.

    t = 1.86 is within 2.60, the 99th percentile of 15 degrees; of 6 images it is 3.00.
    """
    some = judge([0] * 16)
    assert not some.is_clearly_positive(np.repeat([1.0, 0.0], [3, 13]))
    assert some.is_clearly_positive(np.repeat([1.0, 0.0], [6, 10]))


def test_sharper_answers_are_not_better_for_want_of_wrong_ones():
    """A hundred right ones gain log(1 + 3/e), 0.74 nats, each; one wrong one would lose 1,000."""
    some = judge(np.zeros(100, int))
    soft, sharp = (scale * np.eye(4, dtype=np.float32)[np.zeros(100, int)] for scale in (1, 1000))
    assert some.is_clearly_positive(some.losses(soft) - some.losses(sharp))
    assert not some.fits_clearly_better(sharp, soft)
    moderate = 3 * np.eye(4, dtype=np.float32)[np.zeros(100, int)]
    assert some.fits_clearly_better(moderate, soft)
    wrong = judge(np.repeat([0, 1], [80, 20]))
    assert wrong.fits_clearly_better(soft, sharp)


def test_images_of_one_group_count_once():
    values = np.ones(60)
    assert judge([0] * 60).is_clearly_positive(values)
    assert not judge([0] * 60, groups=np.arange(60) // 20).is_clearly_positive(values)


def test_an_order_is_better_only_if_it_is_on_images_that_it_was_not_found_by():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 4, 200)
    some = judge(labels)
    order, reached = some.better_order(sure((labels + 1) % 4), range(4)) or ([], 0.0)
    assert (order, reached) == ([1, 2, 3, 0], 1.0)
    assert some.better_order(sure(labels), range(4)) is None
    for _ in range(20):  # on the images themselves some order is always better
        guessed = sure(draw.integers(0, 4, 200))
        assert some.better_order(guessed, range(4)) is None


@pytest.mark.parametrize(
    ("labels", "answers", "expected"),
    [
        ([0, 1] * 50, [0, 1] * 50, True),
        ([0, 1] * 50, [0] * 100, False),
        ([0, 1] * 4, [0, 1] * 4, True),  # too few to tell
        ([0, 1] * 4, [0] * 8, True),
        ([0, 1] * 4, [1, 0] * 4, False),
    ],
)
def test_a_teacher_beats_the_most_common_class_or_there_are_too_few_to_tell(
    labels: list[int], answers: list[int], expected: bool
):
    some = judge(labels)
    assert some.beats_majority(some.accuracy(sure(answers))) is expected
