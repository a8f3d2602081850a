"""Images of 16 bits a channel: both bytes of every value count, scaled by one range."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.edge.decoder import Decoder, ImageError
from tests.tools.deep_images import deep_png, deep_tiff


def read(path: Path, channels: int = 3, **options: Any) -> np.ndarray:
    return Decoder(**options).read(path, channels=channels).pixels


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    path = tmp_path / "deep.png"
    Image.fromarray(values).save(path)
    # value · 255 / 65535 = value / 257, rounded: 128 / 257 is below a half, 129 / 257 above.
    found = read(path, channels=1, deep_range=(0, 65535))[0, :, 0]
    assert found.tolist() == [0, 0, 1, 1, 128, 255]


def test_sixteen_bits_of_a_big_endian_tiff(tmp_path: Path) -> None:
    image = Image.frombytes("I;16B", (2, 1), bytes([0xFF, 0xFF, 0x01, 0x01]))
    path = tmp_path / "deep.tif"
    image.save(path)
    assert read(path, channels=1, deep_range=(0, 65535))[0, :, 0].tolist() == [255, 1]


def test_thirty_two_bits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "float.tif"
    Image.fromarray(np.ones((2, 2), np.float32)).save(path)
    with pytest.raises(ImageError, match="32 bits"):
        read(path)


VALUES = np.array([[[0, 16, 4095], [9000, 2048, 1]]], np.uint16)
# Twelve bits: v · 255 / 4095 = v · 17 / 273, rounded; what is beyond the range is clipped.
TWELVE_BITS = [[[0, 1, 255], [255, 128, 0]]]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
def test_twelve_bits_of_a_tiff_of_48_bits(tmp_path: Path, order: str, deflate: bool) -> None:
    path = tmp_path / "deep.tif"
    path.write_bytes(deep_tiff(VALUES, order, deflate=deflate))
    assert read(path, deep_range=(0, 4095)).tolist() == TWELVE_BITS


def test_twelve_bits_of_a_png_of_48_bits_with_and_without_transparency(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    path.write_bytes(deep_png(VALUES))
    assert read(path, deep_range=(0, 4095)).tolist() == TWELVE_BITS
    opaque = np.full((1, 2, 1), 65535, np.uint16)
    path.write_bytes(deep_png(np.concatenate([VALUES, opaque], axis=2)))
    assert read(path, deep_range=(0, 4095)).tolist() == TWELVE_BITS
    path.write_bytes(deep_png(np.concatenate([VALUES, 0 * opaque], axis=2)))
    assert read(path, deep_range=(0, 4095)).min() == 255
    path.write_bytes(deep_png(np.concatenate([VALUES[..., :1], opaque], axis=2)))
    assert read(path, deep_range=(0, 4095))[..., 0].tolist() == [[0, 255]]


def test_both_bytes_of_every_strip_and_channel_count(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (600, 3, 3), np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(deep_png(values))
    low, high = 100, 40_000
    expected = np.rint((np.clip(values, low, high).astype(float) - low) * 255 / (high - low))
    np.testing.assert_array_equal(read(path, deep_range=(low, high)), expected)
    assert Decoder().highest_value(path) == values.max()


def test_without_a_range_sixteen_bits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    path.write_bytes(deep_png(VALUES))
    with pytest.raises(ImageError, match=r"16 bits a channel, and the values .* data\.range set"):
        read(path)


def test_a_ppm_file_names_its_own_largest_value(tmp_path: Path) -> None:
    path = tmp_path / "deep.pgm"
    path.write_bytes(b"P5 2 1 4095\n" + np.array([4095, 2048], ">u2").tobytes())
    assert read(path)[..., 0].tolist() == [[255, 128]]
