"""255 in masks of indices: the second class, or unlabelled, or what the params say."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdtasks.data.full_value import FullValue, find_full_value
from kdtasks.edge.decoder import Decoder

TWO = {"background": 0, "road": 1}


def masks(folder: Path, *values: list[int], kind: str = "PNG") -> list[Path]:
    paths = [folder / f"{number}.{kind.lower()}" for number in range(len(values))]
    for path, row in zip(paths, values, strict=True):
        pixels = np.repeat(np.repeat(np.array([row], np.uint8), 16, axis=0), 16, axis=1)
        Image.fromarray(pixels).save(path, kind)
    return paths


def find(folder: Path, *values: list[int], classes=TWO, ignore=(), kind: str = "PNG") -> FullValue:
    return find_full_value(classes, ignore, masks(folder, *values, kind=kind), Decoder())


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_zero_and_255_alone_are_two_classes(tmp_path: Path, kind: str) -> None:
    found = find(tmp_path, [0, 255], [0, 0], kind=kind)
    assert found.classes == {"background": 0, "road": 255}
    assert found.ignore == ()
    assert found.notes[0].startswith("255 in 1 mask, beside 0 alone, is taken for road")


def test_the_class_that_is_not_zero_is_the_second_whatever_the_order(tmp_path: Path) -> None:
    found = find(tmp_path, [0, 255], classes={"road": 1, "background": 0})
    assert found.classes == {"road": 255, "background": 0}


@pytest.mark.parametrize(
    ("classes", "values"),
    [
        (TWO, [[0, 255], [0, 1]]),
        ({"a": 0, "b": 1, "c": 2}, [[0, 255]]),
        ({"a": 1, "b": 2}, [[1, 255]]),
    ],
)
def test_beside_others_it_is_unlabelled(
    tmp_path: Path, classes: dict[str, int], values: list[list[int]]
) -> None:
    found = find(tmp_path, *values, classes=classes)
    assert found.classes == classes
    assert found.ignore == (255,)
    assert "255 in 1 mask is no class and counts as unlabelled (data.source" in found.notes[0]


@pytest.mark.parametrize(
    ("classes", "ignore"),
    [({"a": 0, "b": 255}, ()), (TWO, (255,)), ({"a": "#000000", "b": "#FFFFFF"}, ())],
)
def test_what_params_say_stays(tmp_path: Path, classes, ignore) -> None:
    found = find(tmp_path, [0, 255], classes=classes, ignore=ignore)
    assert found == FullValue(classes, ignore)


def test_without_255_nothing_is_said_and_bad_files_are_passed_over(tmp_path: Path) -> None:
    assert find(tmp_path, [0, 1]).notes == ()
    (tmp_path / "bad.png").write_bytes(b"nothing")
    assert find_full_value(TWO, (), [tmp_path / "bad.png"], Decoder()).notes == ()
