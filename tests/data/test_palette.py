from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.masks import read_palette


def test_colours_become_labels_in_the_order_of_the_classes() -> None:
    palette = read_palette({"road": "#0000ff", "roof": "#FF0000"}, ["#000000"])
    values = np.array([[0xFF0000, 0x0000FF, 0]])
    assert palette.labels(values).labels.tolist() == [[1, 0, 255]]
    assert palette.class_names == ("road", "roof")


def test_indices_need_not_be_contiguous() -> None:
    palette = read_palette({"a": 7, "b": 3})
    assert palette.labels(np.array([[3, 7]])).labels.tolist() == [[1, 0]]


def test_unknown_values_are_listed_most_frequent_first() -> None:
    palette = read_palette({"a": "#000001", "b": "#000002"})
    with pytest.raises(
        DatasetError,
        match=r"colours outside the palette: #0A0B0C \(3 pixels\), #000000 \(1 pixels\); add them",
    ):
        palette.labels(np.array([[1, 2, 0x0A0B0C, 0x0A0B0C], [0x0A0B0C, 0, 1, 1]]))
    indices = read_palette({"a": 0, "b": 1})
    message = r"indices of no class: 2 .*6 \(1 pixels\) and 3 more; .* to data\.source\.ignore"
    with pytest.raises(DatasetError, match=message):
        indices.labels(np.arange(10)[None])


@pytest.mark.parametrize(
    ("classes", "ignore", "message"),
    [
        ({"a": "3C1098", "b": "#000000"}, (), r"colour of a is '3C1098', '#RRGGBB' was expected"),
        ({"a": "#3C109", "b": "#000000"}, (), "colour of a is '#3C109'"),
        ({"a": "#3C1098", "b": 1}, (), "mixes colours and indices"),
        ({"a": 0, "b": 1}, ("#000000",), "mixes colours and indices"),
        ({"a": "#aaaaaa", "b": "#AAAAAA"}, (), "gives #AAAAAA to a and to b"),
        ({"a": 0, "b": 1}, (1,), "gives 1 to b and to ignore"),
    ],
)
def test_a_wrong_palette_is_refused(
    classes: dict[str, Any], ignore: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        read_palette(classes, ignore)


def test_blurred_colours_take_the_nearest_class_and_far_ones_none() -> None:
    palette = read_palette({"a": "#FF0000", "b": "#0000FF"}, tolerance=32)
    values = np.full((10, 10), 0xFF0000)
    values[5:] = 0x0000FF
    values[0, :5] = 0xE60A19  # 25 at most from red
    values[9, 0] = 0x7F007F  # in the middle
    found = palette.labels(values, lossy=True)
    assert found.labels[0].tolist() == [0] * 10
    assert found.labels[9].tolist() == [255] + [1] * 9
    assert (found.near, found.far) == (5, 1)
    with pytest.raises(DatasetError, match=r"colours outside the palette: #E60A19 \(5 pixels"):
        palette.labels(values)  # few and flat: classes that nobody has named


def test_many_unknown_colours_are_a_blur_whatever_the_format() -> None:
    palette = read_palette({"a": "#000000", "b": "#FFFFFF"}, tolerance=32)
    values = np.zeros((10, 10), int)
    values[0] = np.arange(1, 11) * 0x010101
    values[1] = np.arange(11, 21) * 0x010101
    found = palette.labels(values)
    assert (found.near, found.far) == (20, 0)
    assert found.labels.max() == 0


def test_too_many_far_pixels_are_refused_with_the_cause() -> None:
    palette = read_palette({"a": "#000000", "b": "#FFFFFF"}, tolerance=32)
    values = np.zeros((10, 10), int)
    values[:3] = 0x808080
    with pytest.raises(
        DatasetError,
        match=r"^30% of its pixels differ by more than 32 from every class, most often #808080 "
        r"\(30 pixels\): a mask that was a JPEG or was resized smoothly; save it as PNG, .* raise "
        r"data\.source\.tolerance$",
    ):
        palette.labels(values, lossy=True)


def test_indices_that_lie_far_apart_can_be_blurred_and_others_cannot() -> None:
    wide = read_palette({"a": 0, "b": 255}, tolerance=32)
    found = wide.labels(np.array([[0, 3, 250, 255, 255, 0, 0, 0, 0, 128]]), lossy=True)
    assert found.labels.tolist() == [[0, 0, 1, 1, 1, 0, 0, 0, 0, 255]]
    with pytest.raises(DatasetError, match="cannot hold indices; save masks as PNG"):
        read_palette({"a": 0, "b": 1}, tolerance=32).labels(np.array([[0, 2]]), lossy=True)
