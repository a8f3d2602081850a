"""The forms of pixels, by hand and as Keras prepares images for its own networks."""

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.preprocessing import Preprocessing, preprocessing_candidates
from kdtasks.learn.teachers.settings import PixelStatistics, TeacherInput

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("preprocessing", "mode"),
    [
        (Preprocessing("symmetric", "rgb"), "tf"),
        (Preprocessing("torch", "rgb"), "torch"),
        (Preprocessing("caffe", "bgr"), "caffe"),
    ],
    ids=str,
)
def test_they_are_those_of_keras_applications(preprocessing: Preprocessing, mode: str):
    from kdtasks.core.backend import keras

    expected = keras.applications.imagenet_utils.preprocess_input(
        PIXELS.astype(np.float32), data_format="channels_last", mode=mode
    )
    found = preprocessing.apply(PIXELS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_the_first_three_have_the_very_bits_that_they_always_had():
    for name, scale, offset in (
        ("byte", 1.0, 0.0),
        ("unit", 1 / 255, 0.0),
        ("symmetric", 1 / 127.5, -1),
    ):
        expected = PIXELS * np.float32(scale) + np.float32(offset)
        np.testing.assert_array_equal(Preprocessing(name, "rgb").apply(PIXELS), expected)  # type: ignore[arg-type]


def test_a_mean_and_std_count_red_first_whatever_the_layout():
    statistics = PixelStatistics(mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))
    white = np.full((1, 1, 1, 3), 255, np.uint8)
    for layout, expected in (("rgb", [1, 1, 0]), ("bgr", [0, 1, 1])):
        found = Preprocessing(statistics, layout).apply(white)  # type: ignore[arg-type]
        np.testing.assert_allclose(found[0, 0, 0], expected, atol=1e-6)
    half = PixelStatistics(mean=(0.5,), std=(0.5,))
    grey, symmetric = (Preprocessing(one, "rgb") for one in (half, "symmetric"))
    np.testing.assert_allclose(grey.apply(PIXELS), symmetric.apply(PIXELS), atol=1e-6)


def test_what_is_told_is_not_tried():
    auto = TeacherInput()
    assert [str(preprocessing) for preprocessing in preprocessing_candidates(auto, 1)] == [
        "byte",
        "unit",
        "symmetric",
    ]
    assert len(preprocessing_candidates(auto, 3)) == 10
    one = TeacherInput(scaling="caffe", layout="bgr")
    assert preprocessing_candidates(one, 3) == [Preprocessing("caffe", "bgr")]
    assert preprocessing_candidates(TeacherInput(scaling="unit"), 3) == [
        Preprocessing("unit", "rgb"),
        Preprocessing("unit", "bgr"),
    ]


@pytest.mark.parametrize(
    "scaling",
    ["torch", "caffe", PixelStatistics(mean=(0.1, 0.2, 0.3), std=(0.2,))],
    ids=["torch", "caffe", "own"],
)
def test_statistics_of_colours_are_refused_for_grey_images(scaling: object):
    settings = TeacherInput(scaling=scaling)  # type: ignore[arg-type]
    with pytest.raises(TeacherError, match=r"of three colours, and the images are grey: set teach"):
        preprocessing_candidates(settings, 1)
    assert len(preprocessing_candidates(settings, 3)) == 2


def test_one_mean_and_std_fit_grey_images():
    one = PixelStatistics(mean=(0.1,), std=(0.2,))
    assert preprocessing_candidates(TeacherInput(scaling=one), 1) == [Preprocessing(one, "rgb")]


@pytest.mark.parametrize("scaling", ["torch", PixelStatistics(mean=(0.1,), std=(0.2,))], ids=str)
def test_it_is_read_back_as_it_was_written(scaling: object):
    preprocessing = Preprocessing(scaling, "bgr")  # type: ignore[arg-type]
    assert Preprocessing.of(preprocessing.content) == preprocessing


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ([123.7, 116.8, 103.9], [58.4, 57.1, 57.4], "it is of pixels of 0…1, so divide mean and"),
        ([0.5, 0.5], [0.5], "mean has 2 numbers and std 1; give one, or three for red, green and"),
    ],
)
def test_statistics_of_something_else_are_told(mean: list, std: list, message: str):
    with pytest.raises(ValueError, match=message):
        PixelStatistics.model_validate({"mean": mean, "std": std})
