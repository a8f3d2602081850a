"""Bytes from anybody: an image of the model's size, or a refusal with the right status."""

import io
import struct
import zlib
from typing import Any, cast

import numpy as np
import PIL.Image
import pytest

from kdtasks.deploy.serve.service import RequestError, decode_image
from kdtasks.edge.decoder import Decoder
from tests.tools.deep_images import deep_png

SHAPE = (6, 5)
UPRIGHT_LATER = PIL.Image.Exif()
UPRIGHT_LATER[0x0112] = 6  # orientation: to be turned by a quarter


class Model:
    """What of a model decodes: images of 6×5."""

    def __init__(self, channels: int = 3, image_size: tuple[int, int] | None = SHAPE) -> None:
        self.fitting: dict[str, Any] = {"channels": channels, "image_size": image_size}

    def decode(self, data: bytes, *, max_pixels: int) -> Any:
        return Decoder(max_pixels).read(data, **self.fitting)


def decode(data: bytes, *limit: int, **fitting: Any) -> Any:
    return decode_image(data, cast(Any, Model(**fitting)), *limit)


def encoded(image: PIL.Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> PIL.Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    return PIL.Image.fromarray(pixels, "RGBA").convert(mode)


def header_of_png(width: int, height: int) -> bytes:
    """A PNG that ends where its pixels would begin."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + b"\x00" * 4


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGB", "PNG", {}),
        ("RGBA", "PNG", {}),
        ("L", "JPEG", {}),
        ("P", "GIF", {}),
        ("1", "BMP", {}),
        ("RGB", "JPEG", {"exif": UPRIGHT_LATER}),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_become_what_prepare_reads_from_a_file(tmp_path, mode, kind, options, channels):
    data = encoded(noise(mode), kind, **options)
    path = tmp_path / "image"
    path.write_bytes(data)
    found = decode(data, channels=channels)
    expected = Decoder().read(path, image_size=SHAPE, channels=channels)
    assert found.pixels.dtype == np.uint8
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found.size == expected.size


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"", 400, "the body is empty; send an image's bytes"),
        (b"hello", 415, "the 5 bytes are no image; send one of JPEG, PNG, BMP, GIF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", 415, "are no image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "are no image"),
        (encoded(noise(), "JPEG")[:500], 422, "damaged or cut short"),
        (encoded(noise(), "PNG")[:500], 422, "damaged or cut short"),
        (encoded(PIL.Image.new("F", (3, 3)), "TIFF"), 415, "pixels of 32 bits"),
        (deep_png(np.zeros((2, 2, 3), np.uint16)), 415, "16 bits a channel, and the values"),
    ],
)
def test_what_is_no_image_is_refused(data: bytes, status: int, message: str):
    with pytest.raises(RequestError, match=message) as refused:
        decode(data)
    assert refused.value.status == status


@pytest.mark.parametrize("side", [2_001, 12_000, 60_000])
def test_a_bomb_is_refused_by_its_header(side: int):
    """Of these files nothing but the header could be decoded; Pillow's own limits are beyond."""
    with pytest.raises(
        RequestError, match="more than 4,000,000 pixels; cut it into smaller"
    ) as refused:
        decode(header_of_png(side, side), 4_000_000)
    assert refused.value.status == 413


def test_a_image_of_just_the_limit_is_decoded():
    data = encoded(noise(size=(40, 30)), "PNG")
    assert decode(data, 1_200, image_size=None).pixels.shape == (30, 40, 3)
    with pytest.raises(RequestError):
        decode(data, 1_199)
