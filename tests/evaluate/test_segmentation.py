"""Figures of masks, by hand and in general."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdtasks.core.errors import EvaluationError
from kdtasks.evaluate.metrics import mask_figures, mean_figures

NAMES = ("road", "roof", "water")


def test_figures_by_hand() -> None:
    # Road: 6 of 8 right, 1 taken for it. Roof: 3 of 4 right, 2 taken for it. Water is not there.
    confusion = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    figures = mask_figures(confusion, NAMES)
    assert figures["classes"]["road"] == {
        "iou": pytest.approx(6 / 9),
        "dice": pytest.approx(12 / 15),
        "precision": pytest.approx(6 / 7),
        "recall": pytest.approx(6 / 8),
        "pixels": 8,
    }
    assert figures["classes"]["roof"]["iou"] == pytest.approx(3 / 6)
    assert set(figures["classes"]["water"].values()) == {None, 0}
    assert figures["mean_iou"] == pytest.approx((6 / 9 + 3 / 6) / 2)
    assert figures["dice"] == pytest.approx((12 / 15 + 6 / 9) / 2)
    assert figures["precision"] == pytest.approx((6 / 7 + 3 / 5) / 2)
    assert figures["recall"] == pytest.approx((6 / 8 + 3 / 4) / 2)
    assert figures["accuracy"] == pytest.approx(9 / 12)


def test_a_class_that_is_never_answered_lowers_the_means() -> None:
    figures = mask_figures(np.array([[8, 0, 0], [2, 0, 0], [0, 0, 0]]), NAMES)
    roof = figures["classes"]["roof"]
    assert (roof["iou"], roof["precision"], roof["recall"]) == (0.0, None, 0.0)
    assert figures["mean_iou"] == pytest.approx(0.4)
    assert figures["precision"] == pytest.approx(0.4)
    assert figures["recall"] == pytest.approx(0.5)


def test_a_class_that_is_answered_without_a_label_counts_in_iou_alone() -> None:
    figures = mask_figures(np.array([[8, 0, 2], [0, 10, 0], [0, 0, 0]]), NAMES)
    assert figures["classes"]["water"]["iou"] == 0.0
    assert figures["mean_iou"] == pytest.approx((0.8 + 1.0 + 0.0) / 3)
    assert figures["recall"] == pytest.approx(0.9)


@given(arrays(np.int64, (3, 3), elements=st.integers(0, 1000)))
def test_figures_are_shares_and_agree(confusion: np.ndarray) -> None:
    if not confusion.sum():
        return
    figures = mask_figures(confusion, NAMES)
    for row in figures["classes"].values():
        if row["iou"] is None:
            assert row["dice"] is None
            continue
        assert 0 <= row["iou"] <= row["dice"] <= 1
        assert row["dice"] == pytest.approx(2 * row["iou"] / (1 + row["iou"]))
        known = [value for value in (row["precision"], row["recall"]) if value is not None]
        assert row["iou"] <= min(known) + 1e-12
    means = [figures[key] for key in ("mean_iou", "dice", "precision", "recall", "accuracy")]
    assert all(0 <= value <= 1 for value in means)
    assert sum(row["pixels"] for row in figures["classes"].values()) == confusion.sum()


@pytest.mark.parametrize(
    ("confusion", "message"),
    [
        (np.zeros((3, 3), np.int64), r"got a confusion matrix \[3, 3\] of 0 pixels"),
        (np.ones((2, 2), np.int64), r"got a confusion matrix \[2, 2\].+\[3, 3\] with at least one"),
    ],
)
def test_nothing_to_count_is_refused(confusion: np.ndarray, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        mask_figures(confusion, NAMES)


def test_seeds_are_averaged_figure_by_figure() -> None:
    one, other = (
        {"a": a, "classes": {"road": {"iou": iou, "pixels": 7}}}
        for a, iou in ((0.2, None), (0.4, 0.5))
    )
    assert mean_figures([one, other]) == {
        "a": pytest.approx(0.3),
        "classes": {"road": {"iou": 0.5, "pixels": 7}},
    }
    assert mean_figures([one, one])["classes"]["road"]["iou"] is None
