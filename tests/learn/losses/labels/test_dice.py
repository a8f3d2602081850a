"""Dice loss against values worked by hand."""

import numpy as np
import pytest

from kdtasks.learn.losses.labels.dice import Dice

# Probabilities (3/4, 1/4), (1/5, 4/5), (1/2, 1/2).
LOGITS = np.log([[3.0, 1.0], [1.0, 4.0], [1.0, 1.0]]).astype(np.float32)


def test_dice_by_hand():
    # Class 0: labels of rows 0 and 2: 2·(0.75 + 0.5) / (1.45 + 2). Class 1: 2·0.8 / (1.55 + 1).
    expected = 1 - (2.5 / 3.45 + 1.6 / 2.55) / 2
    assert float(Dice()(LOGITS, [0, 1, 0])) == pytest.approx(expected)


def test_ignored_rows_count_nowhere():
    # Class 0: 2·0.75 / (0.95 + 1); class 1: 2·0.8 / (1.05 + 1).
    expected = 1 - (1.5 / 1.95 + 1.6 / 2.05) / 2
    assert float(
        Dice()(LOGITS, np.array([0, 1, 255], np.uint8), ignore_label=255)
    ) == pytest.approx(expected)
    # An ignored label may be one of the classes.
    assert float(Dice()(LOGITS, [0, 0, 1], ignore_label=1)) == pytest.approx(1 - 1.9 / 2.95)


def test_classes_without_a_label_are_left_out():
    # Class 0 alone: 2·(0.75 + 0.2 + 0.5) / (1.45 + 3).
    assert float(Dice()(LOGITS, [0, 0, 0])) == pytest.approx(1 - 2.9 / 4.45)
    assert float(Dice()(LOGITS, [255, 255, 255], ignore_label=255)) == 0.0


def test_class_weights_weigh_the_classes_in_the_mean():
    losses = np.array([1 - 2.5 / 3.45, 1 - 1.6 / 2.55])
    weighted = Dice()(LOGITS, [0, 1, 0], class_weights=(1.0, 3.0))
    assert float(weighted) == pytest.approx(losses @ [0.25, 0.75])


def test_what_is_surely_right_costs_nothing_and_what_is_wrong_all():
    labels = np.array([[0, 1], [1, 0]])
    logits = 200.0 * np.eye(2, dtype=np.float32)[labels]
    assert float(Dice()(logits, labels)) == pytest.approx(0.0, abs=1e-6)
    assert float(Dice()(logits, 1 - labels)) == pytest.approx(1.0, abs=1e-6)
