"""Figures of masks, by hand and in general."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdtasks.core.errors import EvaluationError
from kdtasks.core.records.evaluate import ClassScores, MaskScores, ModelScores, PrecisionRecall
from kdtasks.evaluate.metrics import THRESHOLDS, mask_scores, mean_scores

NAMES = ("road", "roof", "water")


def scores_of(confusion: np.ndarray) -> tuple[ModelScores, dict[str, ClassScores]]:
    """Scores of masks whose probabilities nobody has counted, and those of the classes."""
    found = mask_scores(confusion, np.zeros((3, 2, THRESHOLDS), np.int64), NAMES)
    assert found.classes
    return found, found.classes


def test_figures_by_hand() -> None:
    # Road: 6 of 8 right, 1 taken for it. Roof: 3 of 4 right, 2 taken for it. Water is not there.
    confusion = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    scores, classes = scores_of(confusion)
    assert classes["road"] == ClassScores(
        iou=6 / 9,
        dice=12 / 15,
        precision=6 / 7,
        recall=6 / 8,
        average_precision=None,
        pixels=8,
    )
    assert classes["roof"].iou == pytest.approx(3 / 6)
    assert set(classes["water"].present().values()) == {None, 0}
    assert scores.mean_iou == pytest.approx((6 / 9 + 3 / 6) / 2)
    assert scores.dice == pytest.approx((12 / 15 + 6 / 9) / 2)
    assert scores.precision == pytest.approx((6 / 7 + 3 / 5) / 2)
    assert scores.recall == pytest.approx((6 / 8 + 3 / 4) / 2)
    assert scores.accuracy == pytest.approx(9 / 12)


def test_a_class_that_is_never_answered_lowers_the_means() -> None:
    scores, classes = scores_of(np.array([[8, 0, 0], [2, 0, 0], [0, 0, 0]]))
    roof = classes["roof"]
    assert (roof.iou, roof.precision, roof.recall) == (0.0, None, 0.0)
    assert scores.mean_iou == pytest.approx(0.4)
    assert scores.precision == pytest.approx(0.4)
    assert scores.recall == pytest.approx(0.5)


def test_a_class_that_is_answered_without_a_label_counts_in_iou_alone() -> None:
    scores, classes = scores_of(np.array([[8, 0, 2], [0, 10, 0], [0, 0, 0]]))
    assert classes["water"].iou == 0.0
    assert scores.mean_iou == pytest.approx((0.8 + 1.0 + 0.0) / 3)
    assert scores.recall == pytest.approx(0.9)


@given(arrays(np.int64, (3, 3), elements=st.integers(0, 1000)))
def test_figures_are_shares_and_agree(confusion: np.ndarray) -> None:
    if not confusion.sum():
        return
    scores, classes = scores_of(confusion)
    for row in classes.values():
        if row.iou is None or row.dice is None:
            assert row.iou is row.dice
            continue
        assert 0 <= row.iou <= row.dice <= 1
        assert row.dice == pytest.approx(2 * row.iou / (1 + row.iou))
        known = [value for value in (row.precision, row.recall) if value is not None]
        assert row.iou <= min(known) + 1e-12
    means = scores.present()
    for key in ("mean_iou", "dice", "precision", "recall", "accuracy"):
        assert 0 <= means[key] <= 1
    assert sum(row.pixels for row in classes.values()) == confusion.sum()


def test_nothing_to_count_is_refused() -> None:
    with pytest.raises(EvaluationError, match="no test pixel is labelled"):
        scores_of(np.zeros((3, 3), np.int64))


def test_seeds_are_averaged_figure_by_figure() -> None:
    def scores(accuracy: float, precision: float | None) -> MaskScores:
        half = PrecisionRecall(precision=precision, recall=accuracy)
        return MaskScores(dice=accuracy, at_half=half)

    one, other = scores(0.2, None), scores(0.4, 0.5)
    assert mean_scores([one, other]) == MaskScores(
        dice=(0.2 + 0.4) / 2, at_half=PrecisionRecall(precision=0.5, recall=(0.2 + 0.4) / 2)
    )
    assert mean_scores([one, one]).at_half.precision is None
    classes, _ = scores_of(np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]))
    assert mean_scores([classes, classes]) == classes
