"""Teachers of digits: what each output stands for is found out, or the user is asked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from kdtasks.core.errors import TeacherError
from tests.tools.linear_teachers import (
    GREY,
    LABELS,
    TRAIN,
    UNIT,
    VALIDATION,
    Linear,
    answers,
    regression,
    trained,
)

Take = Callable[..., Any]


@pytest.fixture(scope="module")
def linear() -> Linear:
    """A teacher of ten digits that takes 0…1."""
    return trained(UNIT, GREY)


def in_order(linear: Linear, order: list[int]) -> Linear:
    return linear[0][:, order], linear[1][order]


@pytest.mark.parametrize("how", ["auto", "unit"])
@pytest.mark.parametrize(
    "order",
    [[0, 1, 2, 4, 3, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]],
    ids=["two swapped", "all turned round"],
)
def test_outputs_in_another_order_are_told_with_the_list_to_paste(
    order: list[int], how: str, linear: Linear, take: Take
):
    names = [str(digit) for digit in order]
    with pytest.raises(TeacherError) as caught:
        take(in_order(linear, order), GREY, input=how)
    message = str(caught.value)
    assert "linear.keras look permuted: " in message
    assert f"paste `classes: {json.dumps(names)}` below `teacher:` in params.yaml" in message
    logits = take(in_order(linear, order), GREY, input=how, classes=names)
    np.testing.assert_allclose(logits, answers(linear, UNIT, GREY), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("how", ["auto", "unit"])
def test_a_teacher_of_something_else_is_refused_also_where_its_input_is_set(
    how: str, linear: Linear, take: Take
):
    labels = LABELS.copy()
    labels[VALIDATION] = np.random.default_rng(0).permutation(labels[VALIDATION])
    with pytest.raises(TeacherError, match=r"whatever the order of its outputs\. Tried: "):
        take(linear, GREY, labels, input=how)


def test_ten_sigmoids_are_probabilities_that_are_divided_by_their_sum(
    take: Take, capsys: pytest.CaptureFixture[str]
):
    pixels = UNIT.apply(GREY[TRAIN]).reshape(900, -1)
    each = [regression(pixels, LABELS[TRAIN] == one) for one in range(10)]
    linear = (
        np.concatenate([model.coef_ for model in each]).T,
        np.concatenate([model.intercept_ for model in each]),
    )
    logits = take(linear, GREY, activation="sigmoid")
    sigmoids = 1 / (1 + np.exp(-answers(linear, UNIT, GREY)))
    expected = sigmoids / sigmoids.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(softmax(logits, axis=-1), expected, rtol=1e-3, atol=1e-6)
    out = capsys.readouterr().out
    assert "teacher output: sigmoids, a probability for each class by itself, divided by " in out
    # As logits they would have been as good as nothing.
    assert softmax(sigmoids, axis=-1).max() < 0.25 < expected.max(axis=-1).mean()


def test_without_any_label_what_params_say_is_taken(linear: Linear, take: Take, capsys: Any):
    nothing = np.full_like(LABELS, -1)
    with pytest.raises(TeacherError, match="no validation image has a label, which would tell how"):
        take(linear, GREY, nothing, num_classes=10)
    logits = take(linear, GREY, nothing, num_classes=10, input="unit")
    np.testing.assert_allclose(logits, answers(linear, UNIT, GREY), rtol=1e-3, atol=1e-3)
    assert "teacher input: unit; no labels to choose by" in capsys.readouterr().out
    with pytest.raises(TeacherError, match=r'paste `classes: \["background", "0", "1", "2", "3", '):
        take(linear, GREY, nothing, num_classes=9, input="unit")


@pytest.mark.parametrize("activation", ["sigmoid", None], ids=["a sigmoid", "a logit"])
def test_a_single_output_tells_two_classes_apart(
    activation: str | None, take: Take, capsys: pytest.CaptureFixture[str]
):
    labels = (LABELS >= 5).astype(np.int32)
    linear = trained(UNIT, GREY, labels)
    logits = take(linear, GREY, labels, activation=activation)
    [expected] = answers(linear, UNIT, GREY).T
    assert logits.shape == (897, 2)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], expected, rtol=1e-3, atol=1e-2)
    assert "the single one is high for the second class" in capsys.readouterr().out
    with pytest.raises(TeacherError, match=r'look permuted.*paste `classes: \["1", "0"\]`'):
        take(linear, GREY, 1 - labels, activation=activation)
    turned = take(linear, GREY, 1 - labels, activation=activation, classes=["1", "0"])
    np.testing.assert_array_equal(turned, logits[:, ::-1])


def test_a_single_output_cannot_tell_three_classes_apart(linear: Linear, take: Take):
    with pytest.raises(TeacherError, match="has a single output, which tells two classes apart"):
        take(in_order(linear, [0]), GREY, np.minimum(LABELS, 2))


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_an_output_for_the_background_is_left_out(
    first: bool, linear: Linear, take: Take, capsys: pytest.CaptureFixture[str]
):
    weights, biases = linear
    nothing = np.zeros((64, 1)), np.array([-3.0])
    parts = ((nothing[0], weights), (nothing[1], biases))
    wide = tuple(np.concatenate(pair[:: 1 if first else -1], axis=-1) for pair in parts)
    logits = take(wide, GREY)
    np.testing.assert_allclose(logits, answers(linear, UNIT, GREY), rtol=1e-3, atol=1e-3)
    columns = list(range(1, 11)) if first else list(range(10))
    assert f"10 of 11 outputs are taken: {columns}" in capsys.readouterr().out


def subset() -> tuple[np.ndarray, np.ndarray]:
    """Images of the digits 3 and 7 alone, which the dataset calls 0 and 1."""
    rows = np.flatnonzero(np.isin(LABELS, (3, 7)))
    rows = np.concatenate([rows, rows, rows, rows, rows])[:1797]  # as long as VALIDATION needs
    return GREY[rows], (LABELS[rows] == 7).astype(np.int32)


NAMES = ["a", "b", "c", "0", "d", "e", "f", "1", "g", "h"]


def test_a_teacher_of_more_classes_teaches_those_of_the_dataset(linear: Linear, take: Take):
    images, labels = subset()
    with pytest.raises(
        TeacherError, match=r"has 10 outputs, the dataset 2 classes \(0, 1\)\. Name"
    ):
        take(linear, images, labels)
    logits = take(linear, images, labels, classes=NAMES, input="unit")
    expected = answers(linear, UNIT, images)[:, [3, 7]]
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(TeacherError, match="names 3 outputs, the teacher has 10; name each"):
        take(linear, images, labels, classes=["a", "0", "1"])
    wrong = ["0", "b", "c", "a", "d", "e", "f", "1", "g", "h"]
    with pytest.raises(TeacherError, match=r"counted from 0 they seem to be 0: 3, 1: 7$"):
        take(linear, images, labels, classes=wrong)


def test_the_names_of_probabilities_are_a_file_beside_the_network(
    linear: Linear, take: Take, tmp_path: Path
):
    images, labels = subset()
    (tmp_path / "classes.json").write_text(json.dumps({name: i for i, name in enumerate(NAMES)}))
    logits = take(
        linear,
        images,
        labels,
        activation="softmax",
        input="unit",
        path=tmp_path,
        classes=str(tmp_path / "classes.json"),
    )
    expected = softmax(answers(linear, UNIT, images)[:, [3, 7]], axis=-1)
    np.testing.assert_allclose(softmax(logits, axis=-1), expected, rtol=1e-3, atol=1e-5)


def test_a_unet_of_one_channel_answers_masks(kerases: Any, import_file: Any, tmp_path: Path):
    """Its sigmoid is of the second class; pixels without a label do not count."""
    from kdtasks.learn.teachers.teacher import open_teacher

    keras = kerases["tf_keras"]
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 1, activation="sigmoid")]
    )
    network.set_weights([np.full((1, 1, 3, 1), 2.0), np.array([-3.0])])
    network.save(tmp_path / "unet.keras")
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
    sums = images.sum(axis=-1) / 255
    masks = (sums > 1.5).astype(np.uint8)
    masks[:, 0] = 255
    settings = {"images": images, "num_classes": 2, "ignore_label": 255, "input": "unit"}
    folder = import_file(tmp_path / "unet.keras", labels=masks, **settings)
    logits = open_teacher(folder).logits(images)
    assert logits.shape == (12, 8, 8, 2)
    np.testing.assert_allclose(logits[..., 1] - logits[..., 0], 2 * sums - 3, atol=1e-3)
    masks[:, 1:] = 1 - masks[:, 1:]
    with pytest.raises(
        TeacherError, match=r'look permuted: 0\.0% .* paste `classes: \["1", "0"\]`'
    ):
        import_file(tmp_path / "unet.keras", labels=masks, **settings)
