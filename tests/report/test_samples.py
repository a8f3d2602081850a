"""Inline images: the same pixels give the same bytes, and strips say what became of them."""

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from kdtasks.report.examples import LARGEST, image_address, photo_address, sample_strips


def decode(address: str) -> np.ndarray:
    prefix, _, data = address.partition(",")
    assert prefix == "data:image/png;base64"
    return np.asarray(PIL.Image.open(BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("channels", [1, 3])
def test_small_images_are_shown_pixel_by_pixel(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, channels), np.uint8)
    address = image_address(pixels)
    np.testing.assert_array_equal(decode(address), pixels.squeeze())
    assert image_address(pixels.copy()) == address


def test_large_images_are_scaled_down() -> None:
    assert decode(image_address(np.zeros((300, 150, 3), np.uint8))).shape == (LARGEST, 48, 3)


def test_strips_by_hand() -> None:
    arrays = {
        "images": np.zeros((3, 2, 2, 1), np.uint8),
        "group": np.array([0, 1, 2]),
        "labels": np.array([0, 1, 1]),
        "by_exit": np.array([[0, 0], [0, 1], [0, 1]]),
        "exit_index": np.array([0, 1, 0]),
    }
    strips = sample_strips(arrays, ["ant", "bee"])
    told = [[(s.answer, s.last, s.label) for s in strip] for strip in strips]
    assert told == [[("ant", "ant", "ant")], [("bee", "bee", "bee")], [("ant", "bee", "bee")]]
    assert sample_strips({}, ["ant", "bee"]) == sample_strips(arrays, []) == []


def test_a_photo_is_shown_as_a_jpeg(tmp_path: Path) -> None:
    assert photo_address(tmp_path / "none.png") == ""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, 30:] = (200, 100, 50)
    PIL.Image.fromarray(pixels).save(tmp_path / "page.png")
    prefix, _, data = photo_address(tmp_path / "page.png").partition(",")
    assert prefix == "data:image/jpeg;base64"
    found = np.asarray(PIL.Image.open(BytesIO(base64.b64decode(data)))).astype(int)
    assert np.abs(found - pixels).mean() < 2  # JPEG with quality 85


def test_the_page_shows_the_contact_sheet_if_there_is_one(build: Callable[..., Path]) -> None:
    assert "What training saw" not in (build() / "index.html").read_text(encoding="utf-8")

    def draw(root: Path) -> None:
        (root / "report").mkdir(exist_ok=True)
        PIL.Image.new("RGB", (9, 9)).save(root / "report/augmentation.png")

    page = (build(change=draw, folder="other") / "index.html").read_text(encoding="utf-8")
    assert "What training saw" in page
    assert '<img class="sheet" src="data:image/jpeg;base64,' in page
