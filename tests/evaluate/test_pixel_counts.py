"""Counting answers on masks, part by part."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from kdtasks.core.records.evaluate import SplitSize
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.scores import softmax
from kdtasks.evaluate import pixel_counts
from kdtasks.evaluate.metrics import count_probabilities
from kdtasks.evaluate.settings import EvaluateParams

DRAW = np.random.default_rng(0)
LABELS = np.where(DRAW.random((7, 4, 6)) < 0.2, 255, DRAW.integers(0, 3, (7, 4, 6))).astype(
    np.uint8
)
IMAGES = DRAW.integers(0, 256, (7, 4, 6, 3), dtype=np.uint8)
SOURCES = np.array([0, 0, 2, 1, 1, 1, 2])
DATASET = SimpleNamespace(
    images=lambda split: IMAGES,
    labels=lambda split: LABELS,
    groups=lambda split: SOURCES,
    num_classes=3,
    class_names=("a", "b", "c"),
    ignore_label=255,
    teacher_labelled=(),
)


def answer(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 50


@pytest.mark.parametrize("in_parts", [False, True])
def test_counts_are_those_of_all_labelled_pixels(
    in_parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if in_parts:
        monkeypatch.setattr(pixel_counts, "_CHUNK_BYTES", 2 * 4 * 3 * 24)
    found = pixel_counts.count_pixels(answer, cast(PreparedDataset, DATASET), EvaluateParams())
    np.testing.assert_array_equal(found.predicted, IMAGES.argmax(axis=-1))
    expected = np.zeros((3, 3, 3), np.int64)
    for row in range(7):
        for label, predicted in zip(LABELS[row].ravel(), found.predicted[row].ravel(), strict=True):
            if label != 255:
                expected[SOURCES[row], label, predicted] += 1
    np.testing.assert_array_equal(found.confusions, expected)
    counts = LABELS != 255
    np.testing.assert_array_equal(
        found.probabilities,
        count_probabilities(softmax(answer(IMAGES))[counts], LABELS[counts]),
    )
    assert found.size == SplitSize(rows=7, images=3, pixels=int(counts.sum()))
    scores = found.scores()
    right = (found.predicted == LABELS)[counts].mean()
    assert scores.accuracy == pytest.approx(right)
    assert scores.classes
    average_precision = scores.classes["b"].average_precision
    assert average_precision
    assert 0 < average_precision < 1
    assert scores.at_half
