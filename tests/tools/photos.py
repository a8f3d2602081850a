"""Images with as much to see as photos, and further shots of them."""

import io

import numpy as np
from PIL import Image, ImageFilter


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
