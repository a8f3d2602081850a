"""Forecasts: the figures worked by hand, and the rule that each set of figures falls under."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdtasks.core.records.data import Labels, TeacherConfidence
from kdtasks.core.records.prospect import Prospect, ProspectFigures
from kdtasks.core.text import plain
from kdtasks.evaluate import prospect
from kdtasks.evaluate.prospect import advise, forecast
from kdtasks.evaluate.registry import evaluator_of
from kdtasks.tasks.classification import Classification
from tests.tools.datasets import dataset_of

METRIC = Classification().metrics[0]
LABELS = Labels(train=300, hidden=2700, by_class={}, unlabelled=0, validation=250, calibration=750)
FIGURES = ProspectFigures(
    rows=250,
    teacher=0.98,
    student=0.92,
    epochs=5,
    lead=(0.03, 0.09),
    agreement=0.93,
    calibration_error=0.01,
    confidence=0.97,
    temperature=2.0,
    entropy=0.4,
    labels=300,
    images=3000,
)


def outlook(**changed: Any) -> tuple[str, str]:
    found, sentence = advise(FIGURES.model_copy(update=changed), METRIC)
    assert sentence.startswith(f"{found}: ")
    return found, plain(sentence)


def answering(logits: np.ndarray) -> Callable[[Any], np.ndarray]:
    """A network that finds the number of its row in the first pixel of an image."""
    return lambda images: logits[np.asarray(images)[:, 0, 0, 0]]


def numbered(rows: int, size: int = 1) -> np.ndarray:
    images = np.zeros((rows, size, size, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(rows)
    return images


def forecast_of(
    truth: np.ndarray, teacher: np.ndarray, student: np.ndarray, **changed: Any
) -> Prospect:
    size = truth.shape[1] if truth.ndim > 1 else 1
    dataset = dataset_of(
        numbered(len(truth), size),
        truth,
        num_classes=teacher.shape[-1],
        ignore_label=255 if truth.ndim > 1 else None,
        split="validation",  # the dataset has no other
    )
    settings: dict[str, Any] = {"epochs": 5, "temperature": 1.0, "labels": LABELS}
    return forecast(
        evaluator_of(dataset, split="validation"),
        answering(teacher),
        answering(student),
        **{**settings, "unlabelled": None, **changed},
    )


def test_figures_by_hand():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.4, 0.3, 0.3], [0.3, 0.4, 0.3]])
    labels = np.array([0, 1, 1, 1])
    found = forecast_of(labels, np.log(probabilities), np.eye(3)[labels])
    assert (found.rows, found.teacher, found.student) == (4, 0.5, 1.0)
    assert found.agreement == 0.5  # the first and the last
    # Of 15 bins three hold rows: 0.8 right, 0.6 wrong, and 0.4 twice, of which one is right.
    assert found.calibration_error == pytest.approx((0.2 + 0.6 + 2 * 0.1) / 4)
    assert found.confidence == pytest.approx(0.55)
    bits = -(probabilities * np.log2(probabilities)).sum(axis=1)
    assert found.entropy == pytest.approx(bits.mean())
    assert (found.labels, found.images, found.sure) == (300, 3000, None)


def test_the_lead_is_paired():
    """The published example of Tango 1998, section 6.2: 9 and 3 of 32 pairs differ."""
    labels = np.zeros(32, np.int32)
    teacher, student = labels.copy(), labels.copy()
    student[:9], teacher[9:12] = 1, 1
    found = forecast_of(labels, np.eye(2)[teacher], np.eye(2)[student])
    assert found.teacher - found.student == pytest.approx(6 / 32)
    assert found.lead == pytest.approx((-0.027, 0.390), abs=5e-4)
    assert found.outlook == "inconclusive"


def test_temperature_softens_the_answers_and_not_the_confidence():
    logits = np.array([[8.0, 0.0], [0.0, 8.0]])
    one, four = (
        forecast_of(np.array([0, 1]), logits, logits, temperature=temperature)
        for temperature in (1.0, 4.0)
    )
    assert one.confidence == four.confidence == pytest.approx(1 / (1 + np.exp(-8)))
    assert one.entropy is not None
    assert four.entropy is not None
    assert one.entropy < four.entropy
    softened = 1 / (1 + np.exp(-2))
    expected = -softened * np.log2(softened) - (1 - softened) * np.log2(1 - softened)
    assert four.entropy == pytest.approx(expected)
    unknown = forecast_of(np.array([0, 1]), logits, logits, temperature=None)
    assert unknown.temperature is unknown.entropy is None


def test_images_without_a_label_are_counted():
    answers = np.eye(2)[[0, 1]]
    bins = (0,) * 8 + (10, 30)
    found = forecast_of(
        np.array([0, 1]),
        answers,
        answers,
        labels=LABELS.model_copy(update={"unlabelled": 40}),
        unlabelled=TeacherConfidence(images=40, excluded=5, by_confidence=bins),
    )
    assert (found.images, found.sure) == (3035, 0.75)


@pytest.mark.parametrize("in_parts", [False, True])
def test_masks_count_labelled_pixels_and_whole_images(
    in_parts: bool, monkeypatch: pytest.MonkeyPatch
):
    if in_parts:
        monkeypatch.setattr(prospect, "_CHUNK_BYTES", 1)
    labels = np.tile(np.array([[0, 1], [1, 255]], np.uint8), (10, 1, 1))
    right = np.where(labels == 255, 0, labels)
    wrong = right.copy()
    wrong[:, 0, 1] = 0  # a third of the labelled pixels; what has no label counts nowhere
    wrong[:, 1, 1] = 1
    wrong[0] = right[0]
    logits = np.log(np.where(np.eye(2)[right] == 1, 0.75, 0.25))
    found = forecast_of(labels, logits, np.eye(2)[wrong])
    assert (found.rows, found.teacher) == (10, 1.0)
    assert found.agreement == pytest.approx(1 - 9 / 30)
    assert (found.confidence, found.calibration_error) == pytest.approx((0.75, 0.25))
    # Of 20 pixels of class 1 nine are missed, for nine false ones among 10 of class 0.
    assert found.student == pytest.approx((10 / 19 + 11 / 20) / 2)
    assert found.lead[0] > 0


def test_a_teacher_that_is_worse_will_not_help():
    found, sentence = outlook(teacher=0.9, student=0.95, lead=(-0.08, -0.02), entropy=0.0)
    assert found == "will not help"
    assert "less accurate than a student of 5 epochs, by 5.0 points (−8.0 to −2.0 points)" in (
        sentence
    )
    assert "train it longer, or take another one" in sentence


@pytest.mark.parametrize("lead", [(-0.05, 0.0), (-0.02, 0.04)])
def test_a_teacher_that_may_be_equal_is_inconclusive(lead: tuple[float, float]):
    found, sentence = outlook(lead=lead)
    assert found == "inconclusive"
    assert "more validation images would tell" in sentence


@pytest.mark.parametrize("lead", [(-0.02, 0.04), (0.01, 0.03), (0.03, 0.09)])
def test_where_every_image_is_labelled_there_is_little_to_gain(lead: tuple[float, float]):
    found, sentence = outlook(labels=3000, lead=lead)
    assert found == "little to gain"
    assert "data.unlabelled" in sentence


def test_a_large_lead_promises_nothing_where_every_image_is_labelled():
    found, sentence = outlook(labels=3000, lead=(0.05, 0.2))
    assert found == "inconclusive"
    assert "such leads have helped and hurt" in sentence


@pytest.mark.parametrize(
    "changed",
    [{}, {"lead": (0.001, 0.02)}, {"labels": 1000}, {"labels": 2999, "lead": (0.05, 0.1)}],
    ids=str,
)
def test_many_images_or_a_large_lead_are_likely_to_help(changed: dict[str, Any]):
    found, sentence = outlook(**changed)
    assert found == "likely to help"
    assert "3,000 images" in sentence


def test_a_small_lead_on_few_further_images_is_inconclusive():
    found, sentence = outlook(labels=1001, lead=(0.01, 0.03))
    assert found == "inconclusive"
    assert "students see 1,001 labels of 3,000 images" in sentence


@pytest.mark.parametrize("labels", [300, 2000, 3000])
def test_answers_that_are_nearly_one_hot_want_a_higher_temperature(labels: int):
    advice = "at temperature 2 its answers hold almost nothing beyond the label"
    assert advice in outlook(labels=labels, entropy=0.07)[1]
    for entropy in (0.08, None):
        assert advice not in outlook(labels=labels, entropy=entropy)[1]
