"""Teachers of digits, made in many ways: how each is asked is found out, or the user is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.preprocessing import Preprocessing
from kdtasks.learn.teachers.settings import PixelStatistics
from tests.tools.linear_teachers import LABELS, UNIT, VALIDATION, answers, trained

Take = Callable[..., Any]
PREPROCESSINGS = [
    Preprocessing("byte", "rgb"),
    Preprocessing("unit", "rgb"),
    Preprocessing("torch", "rgb"),
    Preprocessing("caffe", "bgr"),
    Preprocessing("unit", "bgr"),
]


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS, ids=str)
def test_the_form_that_a_teacher_without_normalisation_was_trained_in_is_found(
    preprocessing: Preprocessing, take: Take, capsys: pytest.CaptureFixture[str]
):
    linear = trained(preprocessing)
    logits = take(linear)
    np.testing.assert_allclose(logits, answers(linear, preprocessing), rtol=1e-3, atol=1e-3)
    assert (
        f"teacher input: {preprocessing}; validation cross-entropy by preprocessing: "
        in capsys.readouterr().out
    )


def test_near_ties_are_refused_with_what_was_tried_and_the_lines_to_paste(take: Take):
    """Torch's statistics are close to −1…1, twice as sharp: the labels do not tell them apart."""
    with pytest.raises(TeacherError) as caught:
        take(trained(Preprocessing("symmetric", "rgb")))
    message = str(caught.value)
    assert "Cross-entropy on 897 validation images, by preprocessing: symmetric 0.1" in message
    assert "symmetric has the lowest, but torch may be right as well. Look at how" in message
    for scaling in ("symmetric", "torch"):
        line = f"`input: {{size: null, channels: null, scaling: {scaling}, layout: rgb}}`"
        assert f"if as {scaling}, paste {line} below `teacher:` in params.yaml" in message


def test_pixels_255_times_too_large_would_be_as_accurate_and_make_all_answers_one_hot(take: Take):
    """So accuracy alone cannot tell; at T = 4 the right ones still say what else it might be."""
    unit, byte = Preprocessing("unit", "rgb"), Preprocessing("byte", "rgb")
    linear = trained(unit)
    labels = LABELS[VALIDATION]
    right, wrong = (answers(linear, preprocessing) for preprocessing in (unit, byte))
    reached = [(some.argmax(axis=-1) == labels).mean() for some in (right, wrong)]
    assert abs(reached[0] - reached[1]) < 0.01
    assert softmax(wrong / 4, axis=-1).max(axis=-1).mean() > 0.99
    logits = take(linear)
    np.testing.assert_allclose(logits, right, rtol=1e-3, atol=1e-3)
    assert softmax(logits / 4, axis=-1).max(axis=-1).mean() < 0.9


def test_what_a_perfect_teacher_takes_is_asked_for(take: Take):
    """It is right about every image either way, and 255 times as sure: nobody can tell."""
    linear, labels = (trained(UNIT)[0], np.zeros(10)), LABELS.copy()
    labels[VALIDATION] = answers(linear, UNIT).argmax(axis=-1)
    with pytest.raises(TeacherError) as caught:
        take(linear, labels=labels)
    message = str(caught.value)
    assert "takes its pixels is unclear. Cross-entropy on 897 validation images" in message
    assert "but unit may be right as well" in message
    line = "`input: {size: null, channels: null, scaling: unit, layout: rgb}`"
    assert f"if as unit, paste {line} below `teacher:` in params.yaml" in message
    take(linear, labels=labels, input="unit")


def test_a_mean_and_std_of_its_own_are_told_by_hand(take: Take):
    statistics = {"mean": [0.2, 0.2, 0.8], "std": [0.3, 0.4, 0.3]}
    preprocessing = Preprocessing(PixelStatistics.model_validate(statistics), "rgb")
    linear = trained(preprocessing)
    logits = take(linear, input={"scaling": statistics})
    np.testing.assert_allclose(logits, answers(linear, preprocessing), rtol=1e-3, atol=1e-3)
