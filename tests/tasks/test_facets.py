"""What the tasks say of labels, worked by hand."""

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.tasks.registry import TASKS, metric_of, task_of

CLASSIFICATION, SEGMENTATION = task_of("classification"), task_of("segmentation")
MASKS = np.array([[[0, 2], [2, 255]], [[1, 1], [1, 0]]], np.uint8)


def test_an_image_has_one_label():
    labels = np.array([2, 0], np.int32)
    assert CLASSIFICATION.label_shape((4, 6, 3)) == ()
    counts = CLASSIFICATION.label_counts(labels, 3)
    assert counts.kinds[counts.kind_of].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert CLASSIFICATION.label_name(labels[0], ["ant", "bee", "cat"]) == "cat"
    new = CLASSIFICATION.relabel(labels, np.array([0, 1, 1]))
    assert new.tolist() == [1, 0]
    assert new.dtype == np.int32


def test_each_pixel_has_a_label_or_none():
    assert SEGMENTATION.label_shape((4, 6, 3)) == (4, 6)
    counts = SEGMENTATION.label_counts(MASKS, 3)
    assert counts.kinds[counts.kind_of].tolist() == [[1, 0, 2], [1, 3, 0]]
    assert SEGMENTATION.label_counts(MASKS[:0], 3).total().tolist() == [0, 0, 0]
    names = ["sky", "tree", "sea"]
    assert [SEGMENTATION.label_name(mask, names) for mask in MASKS] == ["sea", "tree"]
    new = SEGMENTATION.relabel(MASKS, np.array([0, 1, 1]))
    assert new.tolist() == [[[0, 1], [1, 255]], [[1, 1], [1, 0]]]
    assert new.dtype == np.uint8


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_scored_by_all_its_metrics(name: str):
    """Of 4 + 2 labels the classes get 3 and 1 right, of as many answers with each.

    IoU is 3 / 5 and 1 / 3, recall 3 / 4 and 1 / 2, F1 6 / 8 and 2 / 4.
    """
    scores = task_of(name).scores(np.array([[3, 1], [1, 1]]))
    expected = {
        "accuracy": round(4 / 6, 6),
        "balanced_accuracy": 0.625,
        "macro_f1": 0.625,
        "mean_iou": round((3 / 5 + 1 / 3) / 2, 6),
    }
    assert {metric.key for metric in task_of(name).metrics} <= scores.keys()
    assert scores.items() <= expected.items()


def test_the_first_metric_counts_unless_another_is_named():
    assert metric_of(CLASSIFICATION, None).key == "accuracy"
    assert metric_of(CLASSIFICATION, "macro_f1").name == "macro-F1"
    assert metric_of(SEGMENTATION, None).key == "mean_iou"


def test_metrics_are_named_after_the_teacher_whose_answers_stand_for_labels():
    metrics = CLASSIFICATION.metrics
    assert [metric.by(teacher=True).name for metric in metrics] == [
        "agreement with the teacher",
        "balanced agreement with the teacher",
        "macro-F1 by the teacher's answers",
    ]
    assert all(metric.by(teacher=True).is_agreement for metric in metrics)
    assert [metric.by(teacher=False) for metric in metrics] == list(metrics)


def test_an_unknown_task_is_told():
    with pytest.raises(DatasetError, match="the task is 'detection'; classification or segment"):
        task_of("detection")
