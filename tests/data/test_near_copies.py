"""Near copies among photos and digits; images that only look alike are none."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from kdtasks.data.near_copies import near_copies
from kdtasks.data.sources.mnist_5k import Mnist5k


def photos(count: int, size: tuple[int, int] = (40, 48), *, seed: int = 0) -> np.ndarray:
    """Draw blurred noise, as much to see as in a photo: uint8 [count, height, width, 3]."""
    noise = np.random.default_rng(seed).integers(0, 256, (count, *size, 3), np.uint8)
    blurred = [
        Image.fromarray(image).filter(ImageFilter.GaussianBlur(min(size) / 20)) for image in noise
    ]
    images = np.array([np.asarray(image, np.float32) for image in blurred])
    spread = (images - 127.5) / images.std(axis=(1, 2, 3), keepdims=True)
    return np.clip(127.5 + 45 * spread, 0, 255).astype(np.uint8)


def retaken(image: np.ndarray, generator: np.random.Generator, reach: int = 2) -> np.ndarray:
    """Shift, brighten or darken by a fifth, add noise, resize there and back, encode as JPEG."""
    height, width = image.shape[:2]
    down, across = generator.integers(0, 2 * reach + 1, 2)
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    shot = padded[down : down + height, across : across + width] * generator.uniform(0.8, 1.2)
    shot = np.clip(shot + generator.normal(0, 2, shot.shape), 0, 255).astype(np.uint8)
    scale = generator.uniform(0.8, 1.25)
    resized = Image.fromarray(shot).resize((round(width * scale), round(height * scale)))
    file = io.BytesIO()
    resized.resize((width, height)).save(file, "JPEG", quality=int(generator.integers(70, 96)))
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("size", [(40, 48), (150, 224)])
def test_bursts_are_found_and_nothing_else(size: tuple[int, int]) -> None:
    generator, scenes = np.random.default_rng(1), photos(20, size)
    shots = [retaken(scene, generator) for scene in scenes for _ in range(3)]
    pairs = near_copies(np.array(shots))
    assert pairs.dtype == np.int64
    together = pairs // 3
    assert (together[:, 0] == together[:, 1]).all()
    assert len(pairs) >= 0.9 * 20 * 3
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert pairs.tolist() == sorted(pairs.tolist())


def test_pairs_across_two_sets_are_rows_of_each() -> None:
    generator, scenes = np.random.default_rng(2), photos(12)
    others = np.array([retaken(scene, generator) for scene in scenes[[5, 3]]])
    assert near_copies(scenes, others).tolist() == [[3, 1], [5, 0]]
    assert near_copies(others, scenes).tolist() == [[0, 5], [1, 3]]
    assert near_copies(scenes[:0], others).shape == (0, 2)


def test_the_same_shape_in_another_colour_is_no_copy() -> None:
    grey = photos(2)[:, :, :, :1]
    red, green = (np.repeat(grey, 3, axis=3) // 3 for _ in range(2))
    red[..., 0], green[..., 1] = 255 - grey[..., 0], 255 - grey[..., 0]
    assert near_copies(np.concatenate([red, green])).tolist() == []
    assert near_copies(red, red).tolist() == [[0, 0], [1, 1]]


def test_plain_images_and_very_small_ones_have_no_copies() -> None:
    generator = np.random.default_rng(3)
    plain = 120 + generator.integers(0, 4, (30, 32, 32, 3), np.uint8)
    assert near_copies(plain).tolist() == []
    assert near_copies(photos(1)[:, :15, :15].repeat(2, axis=0)).tolist() == []


def test_other_people_s_digits_are_no_copies() -> None:
    images = np.array([item.image for item in Mnist5k().items(Path())])[::4]
    # 0.36 % of all 5,000 digits were in a pair; a quarter of them has a sixteenth of the pairs
    assert len(np.unique(near_copies(images))) <= 0.005 * len(images)
    moved = np.roll(images[:200], (1, -1), axis=(1, 2))
    found = near_copies(images[:200], moved)
    assert np.count_nonzero(found[:, 0] == found[:, 1]) >= 0.95 * 200
