"""Masks of photos that a phone has turned: by their sizes, by the others', or as params say."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.data.mask_orientation import find_mask_orientation
from kdtasks.data.pairs import Pair
from kdtasks.data.read import read_dataset
from kdtasks.data.settings import DataParams
from kdtasks.edge.decoder import Decoder

STORED = (8, 12)
SOURCE = {"name": "segmentation_folder", "classes": {"a": 0, "b": 1}, "patch_size": 8}


def save(path: Path, pixels: np.ndarray, orientation: int = 1) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)


def add(root: Path, name: str, orientation: int, drawn: str, shape: Sequence[int] = STORED) -> None:
    """A photo that is bright where its mask is 1: in the first stored row."""
    stored = np.zeros(shape, np.uint8)
    stored[0] = 1
    save(root / "images" / f"{name}.png", stored * 200, orientation)
    turned = {3: stored[::-1, ::-1], 6: np.rot90(stored, -1)}
    upright = turned.get(orientation, stored)
    save(root / "masks" / f"{name}.png", upright if drawn == "upright" else stored)


@pytest.fixture
def read(tmp_path: Path, data_params: Callable[..., DataParams]) -> Callable[..., Any]:
    def read(**settings: Any) -> Any:
        return read_dataset(data_params(SOURCE | settings, path=str(tmp_path), channels=1))

    return read


def fits(dataset: Any) -> dict[str, bool]:
    """Whether each patch's mask lies where its photo is bright, by name of the photo."""
    found: dict[str, bool] = {}
    for origin, image, labels in zip(dataset.origins, dataset.images, dataset.labels, strict=True):
        counts = labels != 255
        name = origin.split("/")[1][0]
        found[name] = found.get(name, True) and bool(
            ((image[..., 0] > 100) == (labels == 1))[counts].all()
        )
    return found


@pytest.mark.parametrize("drawn", ["upright", "stored"])
def test_the_size_says_how_a_mask_was_drawn(tmp_path: Path, read, drawn: str) -> None:
    add(tmp_path, "a", 6, drawn)
    add(tmp_path, "b", 1, "upright")
    dataset = read()
    assert dataset.problems == ()
    assert fits(dataset) == {"a": True, "b": True}
    told = "turned with their photos: 1 mask of the size of stored pixels"
    assert [note.startswith(told) for note in dataset.notes] == [True] * (drawn == "stored")


@pytest.mark.parametrize("orientation", [3, 6])
def test_where_sizes_fit_either_way_masks_are_taken_as_the_others_were(
    tmp_path: Path, read, orientation: int
) -> None:
    shape = (8, 8) if orientation == 6 else STORED
    add(tmp_path, "a", orientation, "stored", shape)
    add(tmp_path, "b", 6, "stored")
    dataset = read()
    assert fits(dataset) == {"a": True, "b": True}
    assert "1 mask of rotated photos, taken as drawn on stored pixels, as" in dataset.notes[1]


def test_with_nothing_to_go_by_they_are_upright_unless_params_say_otherwise(
    tmp_path: Path, read
) -> None:
    add(tmp_path, "a", 3, "stored")
    dataset = read()
    assert fits(dataset) == {"a": False}
    assert "taken as drawn on the upright photo (data.source.mask_ori" in dataset.notes[0]
    dataset = read(mask_orientation="stored")
    assert fits(dataset) == {"a": True}
    assert dataset.notes == ()


def test_a_mask_s_own_orientation_decides(tmp_path: Path, read) -> None:
    add(tmp_path, "a", 6, "stored")
    mask = np.asarray(Image.open(tmp_path / "masks" / "a.png")).copy()
    save(tmp_path / "masks" / "a.png", mask, 6)
    dataset = read()
    assert fits(dataset) == {"a": True}
    assert dataset.notes == ()


def test_masks_that_cannot_be_read_say_nothing(tmp_path: Path) -> None:
    add(tmp_path, "a", 6, "stored")
    (tmp_path / "masks" / "a.png").write_bytes(b"nothing")
    pair = Pair(tmp_path / "images" / "a.png", tmp_path / "masks" / "a.png")
    assert find_mask_orientation([pair], Decoder()).notes == ()
