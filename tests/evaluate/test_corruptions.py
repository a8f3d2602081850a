"""The formulas of ImageNet-C, by hand and in general."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtasks.evaluate.corruptions import CORRUPTIONS, LARGE_FROM, corrupt


def damaged(images: np.ndarray, name: str, severity: int, seed: int = 0) -> np.ndarray:
    return corrupt(images, name, severity, np.random.default_rng(seed))  # type: ignore[arg-type]


def image(*rows: list[int]) -> np.ndarray:
    """One image of one channel."""
    return np.array(rows, np.uint8)[None, :, :, None]


def test_contrast_by_hand() -> None:
    # Mean 102 of 255. At severity 2 distances halve: 0 becomes 51, 204 becomes 153.
    found = damaged(image([0, 204], [0, 204]), "contrast", 2)
    np.testing.assert_array_equal(found, image([51, 153], [51, 153]))


def test_contrast_has_a_mean_for_each_image_and_channel() -> None:
    images = np.zeros((2, 2, 2, 3), np.uint8)
    images[1, :, :, 1] = 100  # each channel is flat, so nothing is to be flattened
    np.testing.assert_allclose(damaged(images, "contrast", 5), images, atol=1)


def test_brightness_by_hand() -> None:
    # Severity 2 adds 0.1 · 255 = 25.5 to the largest channel, and scales the others with it.
    pixel = np.array([[[[102, 51, 0]]], [[[0, 0, 0]]], [[[250, 125, 0]]]], np.uint8)
    found = damaged(pixel, "brightness", 2)
    # 102 + 25.5 = 127.5; half of it; black turns grey; 250 stops at 255, its half at 127.5.
    expected = [[127, 63, 0], [25, 25, 25], [255, 127, 0]]
    np.testing.assert_array_equal(found.reshape(3, 3), expected)


def test_noise_by_hand() -> None:
    flat = np.full((1, 200, 200, 1), 128, np.uint8)
    drawn = np.random.default_rng(7).normal(size=flat.shape)
    expected = np.floor(np.clip(128 / 255 + 0.38 * drawn, 0, 1) * 255)
    np.testing.assert_array_equal(damaged(flat, "gaussian_noise", 5, seed=7), expected)


def test_blur_by_hand() -> None:
    # A single white pixel becomes the kernel: exp(−d² / 2σ²) over its sum, in both directions.
    spot = np.zeros((1, 31, 31, 1), np.uint8)
    spot[0, 15, 15] = 255
    sigma = 1.0
    kernel = np.exp(-(np.arange(-4, 5) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    expected = np.floor(np.outer(kernel, kernel) * 255 + 1e-9)
    np.testing.assert_array_equal(
        damaged(spot, "gaussian_blur", 5)[0, 11:20, 11:20, 0], expected.astype(np.uint8)
    )


def test_pixelate_by_hand() -> None:
    # 4 · 0.65 = 2.6 are 2 pixels a side: each block of four becomes its mean.
    blocks = image([0, 100, 8, 8], [0, 100, 8, 8], [10, 10, 60, 20], [10, 10, 60, 20])
    found = damaged(blocks, "pixelate", 5)
    np.testing.assert_array_equal(
        found, image([50, 50, 8, 8], [50, 50, 8, 8], [10, 10, 40, 40], [10, 10, 40, 40])
    )


def test_jpeg_keeps_a_flat_image_and_loses_detail() -> None:
    flat = np.full((2, 16, 16, 3), 128, np.uint8)
    np.testing.assert_array_equal(damaged(flat, "jpeg", 5), flat)
    noisy = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    losses = [
        np.abs(damaged(noisy, "jpeg", severity).astype(int) - noisy).mean()
        for severity in range(1, 6)
    ]
    assert losses == sorted(losses)
    assert losses[0] > 0


def test_large_images_have_the_constants_of_large_ones() -> None:
    small, large = (np.full((1, side, side, 1), 100, np.uint8) for side in (LARGE_FROM - 1, 85))
    assert damaged(small, "brightness", 1).max() == 112  # 100 + 0.05 · 255 = 112.75
    assert damaged(large, "brightness", 1).max() == 125  # 100 + 0.1 · 255 = 125.5


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(CORRUPTIONS)),
    st.integers(1, 5),
    st.sampled_from([1, 3]),
    st.integers(1, 4),
)
def test_parts_of_a_split_get_what_they_get_as_one(
    name: str, severity: int, channels: int, cut: int
) -> None:
    images = np.random.default_rng(severity).integers(0, 256, (5, 9, 12, channels), np.uint8)
    given_images = images.copy()
    whole = damaged(images, name, severity, seed=3)
    generator = np.random.default_rng(3)
    parts = [corrupt(part, name, severity, generator) for part in (images[:cut], images[cut:])]  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(images, given_images)
    assert whole.dtype == np.uint8
    assert whole.shape == images.shape


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_worse_is_worse(name: str) -> None:
    ramp = np.arange(32, dtype=np.uint8) * 5 + 40
    images = np.broadcast_to(ramp[None, :, None, None], (4, 32, 32, 1)).copy()
    images[:, ::3] = 90
    away = [
        np.abs(damaged(images, name, severity).astype(int) - images).mean()
        for severity in range(1, 6)
    ]
    assert away[0] > 0
    assert away[-1] > away[0]
