import io
import tracemalloc
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.edge.decoder import Content, Decoder, ImageError, quiet_decoding
from tests.tools.deep_images import deep_tiff
from tests.tools.photos import photos


def read(path: Path | bytes, channels: int = 3, **options: Any) -> np.ndarray:
    return Decoder(**options).read(path, channels=channels).pixels


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


def test_image_size_is_height_and_width(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (9, 5)).save(path)
    assert Decoder().read(path, image_size=(3, 7)).pixels.shape == (3, 7, 3)


@pytest.mark.parametrize(("suffix", "format_name"), [(".jpg", "JPEG"), (".png", "PNG")])
def test_a_truncated_file_is_told(tmp_path: Path, suffix: str, format_name: str) -> None:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, format_name)
    path = tmp_path / f"half{suffix}"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(ImageError, match="damaged or cut short"):
        read(path)


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(ImageError, match=r"^not an image$"):
        read(tmp_path / "notes.txt")
    with pytest.raises(ImageError, match=r"^not readable as an image$"):
        read(tmp_path / "empty.jpg")


def test_a_dead_link_is_told_and_a_live_one_is_followed(tmp_path: Path) -> None:
    Image.new("L", (1, 1), 9).save(tmp_path / "real.png")
    (tmp_path / "live.png").symlink_to(tmp_path / "real.png")
    (tmp_path / "dead.png").symlink_to(tmp_path / "gone.png")
    assert read(tmp_path / "live.png", channels=1).tolist() == [[[9]]]
    with pytest.raises(ImageError, match="leads to no file"):
        read(tmp_path / "dead.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"])
def test_too_many_pixels_are_refused_by_the_header(tmp_path: Path, kind: str) -> None:
    path, most = tmp_path / "large", 1920 * 16 // 10 if kind == "WEBP" else 1920
    Image.fromarray(photos(1)[0]).save(path, kind)
    assert read(path, max_pixels=most).shape == (40, 48, 3)
    if kind != "WEBP":  # which Pillow opens whole alone
        path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ImageError, match="more than 1,919 pixels; cut it into smaller"):
        read(path, max_pixels=most - 1)


def test_the_limit_may_be_beyond_pillow_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    for kind in ("PNG", "TIFF"):
        path = tmp_path / kind
        Image.new("L", (10, 10)).save(path, kind)
        with pytest.raises(ImageError, match="more than 100 pixels"):
            read(path, max_pixels=100)
        with quiet_decoding():
            assert read(path, max_pixels=100).shape == (10, 10, 3)
    assert Image.MAX_IMAGE_PIXELS == 40


ORIENTED = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
UPRIGHT = {
    1: ORIENTED,
    2: ORIENTED[:, ::-1],
    3: ORIENTED[::-1, ::-1],
    4: ORIENTED[::-1],
    5: ORIENTED.T,
    6: np.rot90(ORIENTED, -1),
    7: ORIENTED[::-1, ::-1].T,
    8: np.rot90(ORIENTED),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_is_turned_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo"
    Image.fromarray(ORIENTED).convert("RGB").save(path, kind, exif=exif, lossless=True)
    decoder, expected = Decoder(), UPRIGHT[orientation]
    found = decoder.read(path, channels=1)
    assert found.pixels[..., 0].tolist() == expected.tolist()
    assert found.size == expected.shape
    header = decoder.header(path)
    assert (header.orientation, header.size) == (orientation, (2, 3))
    assert header.upright_size == expected.shape
    assert np.asarray(decoder.open_upright(path).convert("L")).tolist() == expected.tolist()


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_a_large_jpeg_is_decoded_smaller_and_hardly_differs(
    tmp_path: Path, orientation: int
) -> None:
    """A bound for every value cannot be had; `benchmarks.decoding` has what was measured."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    photo = Image.fromarray(photos(1, (501, 333))[0])
    photo.save(path, quality=95, exif=exif)
    size = (40, 24) if orientation < 5 else (24, 40)
    decoder = Decoder()
    found = decoder.read(path, image_size=size)
    assert found.size == ((501, 333) if orientation < 5 else (333, 501))
    whole = decoder.read(decoder.read(path).pixels, image_size=size).pixels
    difference = np.abs(found.pixels.astype(int) - whole)
    assert difference.any()  # it was decoded at a smaller scale
    assert (difference <= 1).mean() > 0.9


def test_a_jpeg_is_never_decoded_below_three_times_the_wanted_size(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    pixels = photos(1, (160, 160))[0]
    Image.fromarray(pixels).save(path, quality=95)
    decoder = Decoder()
    whole = decoder.read(path).pixels
    for side in (27, 54, 100):  # half of 160 would be less than three times as much
        found = decoder.read(path, image_size=(side, side)).pixels
        expected = decoder.read(whole, image_size=(side, side)).pixels
        np.testing.assert_array_equal(found, expected)


def test_avif_and_webp_are_read(tmp_path: Path) -> None:
    for kind in ("AVIF", "WEBP"):
        path = tmp_path / kind
        Image.new("RGB", (16, 16), (200, 100, 50)).save(path, kind, quality=95)
        assert np.abs(read(path).astype(int) - [200, 100, 50]).max() <= 4


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_taken_and_said(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "film"
    frames = [Image.new("RGB", (4, 4), (level, level, level)) for level in (40, 90)]
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], lossless=True)
    found = Decoder().read(path)
    assert (found.animated, found.pixels.max()) == (True, 40)
    assert Decoder().header(path).animated


def test_heic_needs_an_extra_or_is_read(tmp_path: Path) -> None:
    path = tmp_path / "phone.heic"
    if find_spec("pillow_heif") is None:
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
        with pytest.raises(ImageError, match=r"HEIC .* pip install 'kdtasks\[heic\]'"):
            read(path)
        return
    from pillow_heif import from_pillow

    from_pillow(Image.new("RGB", (64, 64), (200, 100, 50))).save(path, quality=95)
    assert np.abs(read(path).astype(int) - [200, 100, 50]).max() <= 4


def test_raw_files_are_told_apart_from_the_previews_in_them(tmp_path: Path) -> None:
    content = deep_tiff(np.zeros((2, 2, 3), np.uint16), t254=1, t330=8)
    for name in ("photo.NEF", "photo.tif"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=r"camera's raw file; export it as JPEG"):
            read(tmp_path / name)


def test_content_is_read_as_its_file_is(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(photos(1)[0]).save(path)
    one, other = (Decoder().read(file, image_size=(9, 9)) for file in (path, path.read_bytes()))
    np.testing.assert_array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(("mode", "bytes_a_pixel"), [("L", 1), ("RGB", 3)])
def test_a_small_image_of_a_large_file_makes_no_large_array(
    tmp_path: Path, mode: str, bytes_a_pixel: int
) -> None:
    """Pillow's own memory is not traced: Python's is, where whole arrays once were made."""
    path = tmp_path / "large.png"
    Image.new(mode, (2000, 2000)).save(path)
    tracemalloc.start()
    try:
        Decoder().read(path, image_size=(32, 32))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2000 * 2000 * bytes_a_pixel / 4


def test_what_is_held_is_counted_at_the_scale_that_a_jpeg_is_decoded_at(tmp_path: Path) -> None:
    photo = Image.fromarray(np.zeros((64, 96, 3), np.uint8))
    for kind in ("jpg", "png"):
        photo.save(tmp_path / f"a.{kind}")
    # 96 // 18 = 64 // 12 = 5: a quarter is the smallest scale of three times the wanted size
    assert Decoder().pixels_held(tmp_path / "a.jpg", (4, 6)) == 16 * 24
    assert Decoder().pixels_held(tmp_path / "a.jpg") == 64 * 96
    assert Decoder().pixels_held(tmp_path / "a.png", (4, 6)) == 64 * 96
    with pytest.raises(ImageError, match="more than 6,000 pixels"):
        Decoder(max_pixels=6_000).pixels_held(tmp_path / "a.jpg", (4, 6))


def test_what_takes_more_memory_counts_for_more() -> None:
    """Of a WEBP 16 bytes a pixel; of a JPEG in scans its coefficients, whatever the scale."""

    def held(mode: str, kind: str, **options: Any) -> int:
        file = io.BytesIO()
        Image.new(mode, (400, 200)).save(file, kind, **options)
        return Decoder().pixels_held(file.getvalue(), (10, 10))

    assert held("RGB", "WEBP") == 4 * 80_000
    assert held("RGBA", "PNG") == 2.25 * 80_000
    assert held("RGB", "MPO", save_all=True, append_images=[Image.new("RGB", (400, 200))]) == 5_000
    assert held("RGB", "JPEG") == 5_000
    assert held("RGB", "JPEG", progressive=True) == 1.5 * 80_000 + 5_000
    assert held("L", "JPEG", progressive=True) == 0.5 * 80_000 + 5_000


def test_a_jpeg_of_scans_without_end_is_refused() -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    assert read(data[:-2] + 90 * last + data[-2:]).shape == (20, 40, 3)  # beside its own ten
    with pytest.raises(ImageError, match="a JPEG of 101 scans, 100 are the most; save it anew"):
        read(data[:-2] + 91 * last + data[-2:])


def test_content_is_known_by_the_name_that_it_had(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4, 3), 9, np.uint8)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    expected = read(tmp_path / "a.png").tolist()
    assert Decoder().read(Content(data, ".png")).pixels.tolist() == expected
    assert Decoder().read(data).pixels.tolist() == expected
    with pytest.raises(ImageError, match="a camera's raw file"):
        Decoder().read(Content(data, ".nef"))


def test_memory_of_large_images_is_given_back() -> None:
    """The C library keeps freed blocks of up to 32 MB for the thread that used them."""
    with quiet_decoding():
        assert Image.core.get_block_size() > 32 << 20
