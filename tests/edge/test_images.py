import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.edge.images import fit_image, read_image, strict_decoding


@pytest.fixture(autouse=True)
def _strict() -> Iterator[None]:
    with strict_decoding():
        yield


def read(path: Path, channels: int = 3) -> np.ndarray:
    return read_image(path, image_size=None, channels=channels)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    path = tmp_path / "deep.png"
    Image.fromarray(values).save(path)
    # value · 255 / 65535 = value / 257, rounded: 128 / 257 is below a half, 129 / 257 above.
    assert read(path, channels=1)[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


def test_sixteen_bits_of_a_big_endian_tiff(tmp_path: Path) -> None:
    image = Image.frombytes("I;16B", (2, 1), bytes([0xFF, 0xFF, 0x01, 0x01]))
    path = tmp_path / "deep.tif"
    image.save(path)
    assert read(path, channels=1)[0, :, 0].tolist() == [255, 1]


def test_thirty_two_bits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "float.tif"
    Image.fromarray(np.ones((2, 2), np.float32)).save(path)
    with pytest.raises(DatasetError, match="32 bits"):
        read(path)


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    path = tmp_path / "palette.png"
    image.save(path)
    assert read(path)[0].tolist() == [[10, 20, 30], [200, 100, 50]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_becomes_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (80, 80, 80, 255))
    path = tmp_path / "glass.png"
    image.convert(mode).save(path)
    assert read(path)[0].tolist() == [[255] * 3, [80] * 3]


def test_a_transparent_palette_entry_becomes_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    path = tmp_path / "glass.gif"
    image.save(path, transparency=0)
    assert read(path)[0].tolist() == [[255, 255, 255], [200, 100, 50]]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path, quality=95)
    red, green, blue = read(path)[4, 4]
    assert red > 245
    assert green < 10
    assert blue < 10


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    path = tmp_path / "bits.png"
    Image.fromarray(np.array([[True, False]])).save(path)
    assert read(path, channels=1)[0, :, 0].tolist() == [255, 0]


def test_colour_and_grey_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "colour.png"
    Image.new("RGB", (1, 1), (255, 0, 0)).save(path)
    assert read(path, channels=1).tolist() == [[[76]]]  # 0.299 · 255, ITU-R 601-2
    Image.new("L", (1, 1), 7).save(path)
    assert read(path, channels=3).tolist() == [[[7, 7, 7]]]


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by 90° to see it upright
    path = tmp_path / "phone.png"
    Image.fromarray(np.array([[1, 2, 3]], np.uint8)).save(path, exif=exif)
    assert read(path, channels=1)[..., 0].tolist() == [[1], [2], [3]]


def test_shrinking_is_free_of_aliasing() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (16, 8))[..., None]
    small = fit_image(stripes, image_size=(4, 4), channels=1)
    assert small.shape == (4, 4, 1)
    assert np.all(np.abs(small.astype(int) - 127) < 20)


def test_image_size_is_height_and_width(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (9, 5)).save(path)
    assert read_image(path, image_size=(3, 7), channels=3).shape == (3, 7, 3)


@pytest.mark.parametrize(("suffix", "format_name"), [(".jpg", "JPEG"), (".png", "PNG")])
def test_a_truncated_file_is_told(tmp_path: Path, suffix: str, format_name: str) -> None:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, format_name)
    path = tmp_path / f"half{suffix}"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(DatasetError, match="damaged or cut short"):
        read(path)


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"^not an image$"):
        read(tmp_path / "notes.txt")
    with pytest.raises(DatasetError, match=r"^not readable as an image$"):
        read(tmp_path / "empty.jpg")


def test_a_dead_link_is_told_and_a_live_one_is_followed(tmp_path: Path) -> None:
    Image.new("L", (1, 1), 9).save(tmp_path / "real.png")
    (tmp_path / "live.png").symlink_to(tmp_path / "real.png")
    (tmp_path / "dead.png").symlink_to(tmp_path / "gone.png")
    assert read(tmp_path / "live.png", channels=1).tolist() == [[[9]]]
    with pytest.raises(DatasetError, match="leads to no file"):
        read(tmp_path / "dead.png")


@pytest.mark.parametrize("limit", [60, 40])
def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    # Above the limit Pillow warns, above twice the limit it raises; both are refused here.
    path = tmp_path / "bomb.png"
    Image.new("L", (10, 10)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DatasetError, match=f"more than {limit} pixels"):
        read(path)
