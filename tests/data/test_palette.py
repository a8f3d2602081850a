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
