from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.data.masks import Palette, read_mask
from kdtasks.edge.decoder import Decoder
from kdtasks.edge.images import resize_mask

COLOURS = Palette("colour", ("a", "b"), {0x102030: 0, 0xC86432: 1})
INDICES = Palette("index", ("a", "b"), {0: 0, 1: 1, 9: 255})


def labels(path: Path, palette: Palette) -> list[list[int]]:
    found: list[list[int]] = read_mask(path, palette, Decoder()).labels.tolist()
    return found


def palette_image() -> Image.Image:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([0x10, 0x20, 0x30, 0xC8, 0x64, 0x32])
    return image


def test_a_palette_file_is_read_by_colour_or_by_index(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    palette_image().save(path)
    assert labels(path, COLOURS) == [[0, 1]]
    assert labels(path, INDICES) == [[0, 1]]


def test_transparency_does_not_change_colours(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    image = palette_image().convert("RGBA")
    image.putalpha(100)
    image.save(path)
    assert labels(path, COLOURS) == [[0, 1]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool])
def test_indices_are_read_as_they_are(tmp_path: Path, dtype: type) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(np.array([[0, 1, 1]]).astype(dtype)).save(path)
    assert labels(path, INDICES) == [[0, 1, 1]]


def test_a_colour_mask_cannot_be_read_by_index_nor_sixteen_bits_by_colour(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    palette_image().convert("RGB").save(path)
    with pytest.raises(DatasetError, match="mode RGB in colours, indices need one channel"):
        labels(path, INDICES)
    Image.fromarray(np.array([[0, 1]], np.uint16)).save(path)
    with pytest.raises(DatasetError, match="colours need 8 bits a channel"):
        labels(path, COLOURS)


def test_resizing_mixes_no_classes() -> None:
    labels = np.array([[0, 4], [255, 2]], np.uint8)
    assert resize_mask(labels, (4, 2)).tolist() == [[0, 4], [0, 4], [255, 2], [255, 2]]
    assert resize_mask(labels, None) is labels


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_indices_may_be_the_same_in_three_channels(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(np.array([[0, 1, 9]], np.uint8)).convert(mode).save(path)
    assert labels(path, INDICES) == [[0, 1, 255]]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_masks_of_two_values_survive_a_jpeg(tmp_path: Path, mode: str) -> None:
    expected = np.zeros((64, 64), np.uint8)
    expected[20:, 13:50] = 1
    path = tmp_path / "mask.jpg"
    Image.fromarray(expected * 255).convert(mode).save(path, quality=75)
    found = read_mask(path, Palette("index", ("a", "b"), {0: 0, 255: 1}, 32), Decoder())
    assert found.near > 0
    known = found.labels != 255
    assert known.mean() > 0.95
    np.testing.assert_array_equal(found.labels[known], expected[known])


def test_colour_masks_survive_a_jpeg_and_a_smooth_resize(tmp_path: Path) -> None:
    colours = np.array([[0x10, 0x20, 0x30], [0xC8, 0x64, 0x32]], np.uint8)
    expected = np.zeros((96, 96), np.uint8)
    expected[20:, 13:70] = 1
    palette = Palette("colour", ("a", "b"), COLOURS.label_of, 32)
    image = Image.fromarray(colours[expected])
    image.save(tmp_path / "mask.jpg", quality=75)
    image.resize((192, 192), Image.Resampling.BICUBIC).save(tmp_path / "mask.png")
    for name in ("mask.jpg", "mask.png"):
        found = read_mask(tmp_path / name, palette, Decoder()).labels[:: 1 + (name[-3:] == "png")]
        found = found[:, :: found.shape[1] // 96]
        known = found != 255
        assert known.mean() > 0.9
        np.testing.assert_array_equal(found[known], expected[known])
