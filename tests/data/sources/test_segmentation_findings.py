"""What a folder of masks tells of itself, from files to patches."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import load_dataset
from kdtasks.data.settings import DataParams

RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)
SOURCE = {
    "name": "segmentation_folder",
    "classes": {"roof": "#FF0000", "water": "#0000FF"},
    "ignore": ["#000000"],
    "patch_size": 8,
}


@pytest.fixture
def folder(tmp_path: Path, noise: Callable[..., np.ndarray]) -> Path:
    """Six images of 8×12, roof on the left and water in the last two columns."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    mask = np.zeros((8, 12, 3), np.uint8)
    mask[:, :6], mask[:, 10:] = RED, BLUE
    for number in range(6):
        Image.fromarray(noise(number, 8, 12)).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


@pytest.fixture
def params(folder: Path, data_params: Callable[..., DataParams]) -> Callable[..., DataParams]:
    def build(settings: dict[str, Any] | None = None, **keys: Any) -> DataParams:
        return data_params(SOURCE | (settings or {}), **({"path": str(folder)} | keys))

    return build


def test_masks_beside_photos_in_one_folder_saved_as_jpeg(
    tmp_path: Path, data_params: Callable[..., DataParams], noise: Callable[..., np.ndarray]
) -> None:
    mask = np.zeros((16, 24), np.uint8)
    mask[:, 12:] = 255
    for number in range(6):
        Image.fromarray(noise(number, 16, 24)).save(tmp_path / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / f"{number}_mask.jpg", quality=80)
    settings = {"name": "segmentation_folder", "classes": {"a": 0, "b": 1}, "patch_size": 8}
    dataset = load_dataset(data_params(settings, path=str(tmp_path)))
    assert len(dataset) == 6 * 6
    assert [note.split(" (")[0] for note in dataset.notes[:2]] == [
        "masks are called as their images and '_mask': 6 masks",
        "255 in 6 masks, beside 0 alone, is taken for b",
    ]
    first = np.concatenate(dataset.labels[:3], axis=1)
    known = first != 255
    assert known.mean() > 0.8
    assert np.array_equal(first[known], (mask[:8] // 255)[known])


def test_what_was_off_in_masks_is_counted_and_said(
    folder: Path, params: Callable[..., DataParams]
) -> None:
    mask = Image.open(folder / "masks" / "3.png")
    mask.resize((24, 16), Image.Resampling.BICUBIC).resize((12, 8), Image.Resampling.NEAREST).save(
        folder / "masks" / "3.jpg", quality=70, subsampling=0
    )
    (folder / "masks" / "3.png").unlink()
    (note,) = load_dataset(params()).notes
    assert re.fullmatch(
        r"once a JPEG or resized smoothly: 1 mask, such as 3\.jpg; \d+\.\d% of their pixels took "
        r"the nearest class, \d+\.\d% differ from all by more than 32 and are unlabelled "
        r"\(data\.source\.tolerance\)",
        note,
    )
    with pytest.raises(DatasetError, match=r"masks/3\.jpg: colours outside the palette"):
        load_dataset(params({"tolerance": 0}))


def test_masks_that_were_not_chosen_are_not_counted_as_off(
    folder: Path, params: Callable[..., DataParams]
) -> None:
    for path in folder.glob("masks/*.png"):
        mask = Image.open(path).resize((24, 16), Image.Resampling.BICUBIC)
        mask.resize((12, 8)).save(path.with_suffix(".jpg"), quality=70, subsampling=0)
        path.unlink()
    all_of_them, some = (load_dataset(params(max_images=count)) for count in (None, 4))
    assert all_of_them.notes[-1].startswith("once a JPEG or resized smoothly: 6 masks, such as")
    assert some.notes[-1].startswith("once a JPEG or resized smoothly: 4 masks, such as")


def test_a_photo_that_is_resized_is_decoded_once_at_a_smaller_scale(
    folder: Path, params: Callable[..., DataParams]
) -> None:
    for path in folder.glob("images/*.png"):
        large = Image.open(path).resize((120, 80))
        large.save(path.with_suffix(".jpg"), quality=95)
        mask = Image.open(folder / "masks" / path.name)
        mask.resize((120, 80), Image.Resampling.NEAREST).save(folder / "masks" / path.name)
        path.unlink()
    dataset = load_dataset(params(image_size=[8, 12]))
    assert dataset.problems == ()
    assert dataset.images.shape == (12, 8, 8, 3)
    assert dataset.labels[0, 0].tolist() == [0] * 6 + [255] * 2
