"""Intersection over union by hand, and against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kdtasks.core.errors import EvaluationError
from kdtasks.tasks.confusion import (
    accuracy,
    accuracy_of,
    by_class_scores,
    class_iou,
    confusion_matrix,
    mean_iou,
)

MASK = np.array([[0, 0, 0, 1], [1, 1, 255, 255]], np.uint8)
ANSWER = np.array([[0, 0, 1, 1], [1, 0, 0, 3]], np.uint8)


def test_figures_worked_by_hand():
    confusion = confusion_matrix(ANSWER, MASK, 4, ignore_label=255)
    # Of three pixels of class 0 one is taken for 1, of three of class 1 one for 0.
    assert confusion.tolist() == [[2, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    # 2 of the 4 pixels that have or get the class, twice; classes 2 and 3 occur nowhere.
    assert class_iou(confusion).tolist()[:2] == [0.5, 0.5]
    assert np.isnan(class_iou(confusion)[2:]).all()
    assert mean_iou(confusion) == 0.5
    assert accuracy_of(confusion) == pytest.approx(4 / 6, abs=1e-6)


def test_a_class_that_is_only_answered_counts():
    # Without a label of class 1 its union is the two wrong answers.
    assert mean_iou(confusion_matrix([0, 0, 1, 1], [0, 0, 0, 0], 3)) == (0.5 + 0) / 2


def test_metrics_of_classes_worked_by_hand():
    # Always answering the common class: recalls 1 and 0, F1s 2 · 9 / (9 + 10) and 0.
    always = by_class_scores(np.array([[9, 0], [1, 0]]))
    assert always == {"balanced_accuracy": 0.5, "macro_f1": round(9 / 19, 6)}
    # A class without a label has no recall, but an F1 of 0 where it is answered.
    stray = by_class_scores(np.array([[3, 0, 1], [0, 4, 0], [0, 0, 0]]))
    assert stray["balanced_accuracy"] == 0.875
    assert stray["macro_f1"] == round((6 / 7 + 1 + 0) / 3, 6)
    # One that is neither labelled nor answered is none.
    assert by_class_scores(np.array([[3, 0], [0, 0]])) == {"balanced_accuracy": 1, "macro_f1": 1}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 2**31))
def test_metrics_of_classes_are_those_of_scikit_learn(labels: list[int], seed: int):
    from sklearn.metrics import f1_score, recall_score

    answers = np.random.default_rng(seed).integers(0, 4, len(labels))
    found = by_class_scores(confusion_matrix(answers, labels, 4))
    there = sorted(set(labels))
    recall = recall_score(labels, answers, labels=there, average="macro", zero_division=0)
    f1 = f1_score(labels, answers, average="macro", zero_division=0)
    assert found == {
        "balanced_accuracy": pytest.approx(recall, abs=1e-6),
        "macro_f1": pytest.approx(f1, abs=1e-6),
    }


@given(st.integers(2, 4), st.integers(1, 8), st.integers(0, 2**31))
def test_on_even_classes_balanced_accuracy_is_accuracy(classes: int, each: int, seed: int):
    labels = np.repeat(np.arange(classes), each)
    answers = np.random.default_rng(seed).integers(0, classes, len(labels))
    confusion = confusion_matrix(answers, labels, classes)
    assert by_class_scores(confusion)["balanced_accuracy"] == accuracy_of(confusion)


def test_many_pixels_are_counted_part_by_part(monkeypatch):
    monkeypatch.setattr("kdtasks.tasks.confusion._PART", 3)
    whole = confusion_matrix(ANSWER, MASK, 4, ignore_label=255)
    assert whole.tolist() == [[2, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


LABELS = arrays.arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 2, 255]))
ANSWERS = arrays.arrays(np.uint8, (4, 5), elements=st.integers(0, 2))


@given(ANSWERS, LABELS)
def test_figures_follow_their_definitions(answers, labels):
    labels[0, 0] = 1  # some pixel counts
    confusion = confusion_matrix(answers, labels, 3, ignore_label=255)
    assert accuracy_of(confusion) == round(accuracy(answers, labels, 255), 6)
    counts = labels != 255
    for index, found in enumerate(class_iou(confusion)):
        has, gets = (labels == index) & counts, (answers == index) & counts
        union = (has | gets).sum()
        assert np.isnan(found) if not union else found == (has & gets).sum() / union
    parts = [confusion_matrix(answers[k], labels[k], 3, ignore_label=255) for k in range(4)]
    np.testing.assert_array_equal(sum(parts), confusion)


def test_accuracy_of_rows():
    assert accuracy([0, 1, 1, 2], [0, 1, 2, 2]) == 0.75


@pytest.mark.parametrize(("predicted", "labels"), [([0, 1], [0, 1, 2]), ([], [])])
def test_accuracy_refuses_other_rows(predicted: list[int], labels: list[int]):
    with pytest.raises(EvaluationError, match="both must be of the same rows, not empty"):
        accuracy(predicted, labels)
