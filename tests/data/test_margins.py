"""Photos with margins of one colour, cut into patches: each photo stays on its own."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdtasks.data.checks import mark_groups
from kdtasks.data.margins import is_plain, without_margins
from kdtasks.data.near_copies import near_copies
from kdtasks.data.prepare import load_dataset
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset
from kdtasks.data.unlabelled import read_unlabelled
from tests.tools.photos import photos, retaken


def framed(photo: np.ndarray, margin: int, level: int = 0, *, quality: int = 0) -> np.ndarray:
    """Put a margin around; with a quality the whole is a JPEG's."""
    whole = np.pad(photo, ((margin, margin), (margin, margin), (0, 0)), constant_values=level)
    if not quality:
        return whole
    file = io.BytesIO()
    Image.fromarray(whole).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def patches(images: list[np.ndarray], size: int) -> RawDataset:
    """Cut into patches, those of one photo in one group."""
    cut = [
        (number, image[top : top + size, left : left + size])
        for number, image in enumerate(images)
        for top in range(0, image.shape[0] - size + 1, size)
        for left in range(0, image.shape[1] - size + 1, size)
    ]
    rows = np.arange(len(cut))
    return RawDataset(
        task="segmentation",
        images=np.array([patch for _, patch in cut]),
        labels=np.zeros((len(cut), size, size), np.uint8),
        class_names=("a", "b"),
        origins=tuple(map(str, rows)),
        groups=np.array([number for number, _ in cut]),
    )


@pytest.mark.parametrize("quality", [0, 85])
@pytest.mark.parametrize("margin", [20, 40, 64])
def test_photos_with_black_margins_are_independent(margin: int, quality: int) -> None:
    images = [framed(photo, margin, quality=quality) for photo in photos(20, (128, 128))]
    dataset = mark_groups(patches(images, 64), near=True)
    assert dataset.groups is not None
    assert len(np.unique(dataset.groups)) == 20
    assert dataset.duplicates == ()


def test_shots_of_one_scene_are_still_one_group() -> None:
    generator = np.random.default_rng(0)
    shots = [
        framed(retaken(scene, generator), 20) for scene in photos(6, (192, 192)) for _ in range(2)
    ]
    dataset = mark_groups(patches(shots, 64), near=True)
    assert dataset.groups is not None
    assert dataset.groups.reshape(12, -1)[:, 0].tolist() == np.repeat(np.arange(6), 2).tolist()


def test_equal_patches_with_something_in_them_tie_photos() -> None:
    first, second = photos(2, (64, 128))
    second[:, :64] = first[:, :64]
    dataset = mark_groups(patches([first, second], 64), near=False)
    assert dataset.groups is not None
    assert len(np.unique(dataset.groups)) == 1


def test_margins_become_a_mirror_of_what_is_inside() -> None:
    image = photos(1, (60, 70))[0]
    image[:10], image[:, 66:] = 255, 255
    found = without_margins(image[None])[0]
    # with eight more pixels that a codec may have blurred: 18 at the top, 12 on the right
    np.testing.assert_array_equal(found[18:, :58], image[18:, :58])
    np.testing.assert_array_equal(found[:18, :58], image[18:36, :58][::-1])
    np.testing.assert_array_equal(found[18:, 58:], image[18:, 46:58][:, ::-1])


def test_images_without_margins_are_left_as_they_are() -> None:
    images = photos(3)
    assert without_margins(images) is images
    assert near_copies(images).tolist() == []


def test_plain_is_what_has_no_contrast_in_any_channel() -> None:
    images = np.zeros((3, 8, 8, 3), np.uint8)
    images[1, :4, :, 2] = 40
    images[2] = 200
    assert is_plain(images).tolist() == [True, False, True]
    assert is_plain(images[:0]).tolist() == []


def test_black_patches_exclude_no_photo_without_a_label(
    tmp_path: Path, data_params: Callable[..., DataParams]
) -> None:
    every = [framed(photo, 40) for photo in photos(14, (112, 112))]
    mask = np.tile(np.repeat(np.array([0, 1], np.uint8), 96), (192, 1))
    for number, photo in enumerate(every):
        folder = tmp_path / ("drawer" if number >= 12 else "raw/images")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(folder / f"{number}.png")
    (tmp_path / "raw" / "masks").mkdir()
    for number in range(12):
        Image.fromarray(mask).save(tmp_path / "raw" / "masks" / f"{number}.png")
    source = {"name": "segmentation_folder", "classes": {"a": 0, "b": 1}, "patch_size": 32}
    folders = {"path": str(tmp_path / "raw"), "unlabelled": str(tmp_path / "drawer")}
    params = data_params(source, **folders)
    dataset = load_dataset(params)
    found = read_unlabelled(params, dataset, split_dataset(dataset, params.split, seed=0))
    assert found.record.excluded == ()
    assert {name.split("[")[0] for name in found.names} == {
        "unlabelled/12.png",
        "unlabelled/13.png",
    }
