"""Scores of a classifier by each metric, worked by hand."""

import numpy as np
import pytest

from kdtasks.core.records.evaluate import ClassAnswers
from kdtasks.evaluate.class_score import ClassScore
from kdtasks.evaluate.intervals import wilson_interval
from kdtasks.evaluate.settings import EvaluateParams

NAMES = ("good", "scratched")
# Of eight good ones one is taken for scratched, of two scratched ones one for good.
LABELS = np.array([0] * 8 + [1] * 2)
ANSWERS = np.array([0] * 7 + [1, 1, 0])


def score(answers: np.ndarray = ANSWERS, metric: str | None = None) -> ClassScore:
    settings = EvaluateParams.model_validate({"metric": metric, "bootstrap_samples": 400})
    return ClassScore(LABELS, answers, NAMES, settings)


def test_each_metric_by_hand():
    # Recalls 7/8 and 1/2; F1s 14/16 and 2/4.
    expected = {"accuracy": 0.8, "balanced_accuracy": 0.6875, "macro_f1": 0.6875}
    for key, value in expected.items():
        assert score(metric=key).value == pytest.approx(value)
    assert score().value == 0.8
    assert score().scores().model_dump(exclude_none=True) == expected


def test_classes_one_by_one():
    assert score().by_class() == {
        "good": ClassAnswers(
            recall=0.875, interval=wilson_interval(7, 8, 0.95), precision=0.875, f1=0.875, images=8
        ),
        "scratched": ClassAnswers(
            recall=0.5, interval=wilson_interval(1, 2, 0.95), precision=0.5, f1=0.5, images=2
        ),
    }
    never = score(np.zeros(10, int)).by_class()["scratched"]
    assert (never.recall, never.precision, never.f1) == (0.0, None, 0.0)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
def test_the_interval_holds_the_score_and_is_wide_for_two_images(metric: str):
    low, high = score(metric=metric).interval(0.95)
    assert low < score(metric=metric).value < high
    assert high - low > 0.3
    assert score(metric=metric).with_interval().interval == (low, high)
    assert score().interval_of(metric, 0.95) == (low, high)


def test_two_models_are_compared_by_the_metric():
    always = np.zeros(10, int)
    by_accuracy = score().paired(score(always), method="mcnemar", confidence=0.95)
    assert (by_accuracy.difference, by_accuracy.gained, by_accuracy.lost) == (0.0, 1, 1)
    balanced = score(metric="balanced_accuracy")
    found = balanced.paired(score(always, "balanced_accuracy"), method="mcnemar", confidence=0.95)
    assert found.difference == pytest.approx(0.6875 - 0.5)
    assert found.lower < found.difference < found.upper
    assert (found.gained, found.lost, found.p_value) == (1, 1, None)
    assert found.sentence("production") == (
        "1 images only the new model gets right, 1 only production; the bounds are those of a "
        "paired bootstrap within the classes."
    )
    gain = ClassScore.gain_interval([balanced], [score(always, "balanced_accuracy")])
    assert gain[0] < found.difference < gain[1]


def test_only_where_every_class_counts_alike_the_rarest_is_named():
    assert score().sparse == ""
    assert score(metric="macro_f1").sparse == (
        "the class scratched has 2 test images, which the bound rests on"
    )
