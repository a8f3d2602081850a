"""Small images and params for the tests of datasets."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams

SHARES = {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2}


@pytest.fixture
def data_params() -> Callable[..., DataParams]:
    """Build section `data` from the keys that matter to a test."""

    def build(source: str | dict[str, Any], **keys: Any) -> DataParams:
        return DataParams.model_validate({"source": source, "split": SHARES, **keys})

    return build


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Draw an image that differs for every seed: uint8 [height, width, 3]."""

    def draw(seed: int, height: int = 8, width: int = 8) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)

    return draw


@pytest.fixture
def image_folder(tmp_path: Path, noise: Callable[..., np.ndarray]) -> Path:
    """Two classes of six different images each: cats/0.png … and dogs/0.png …"""
    root = tmp_path / "animals"
    for label, name in enumerate(["cats", "dogs"]):
        (root / name).mkdir(parents=True)
        for number in range(6):
            pixels = noise(10 * label + number)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.fixture
def tiny_dataset() -> Callable[..., RawDataset]:
    """Build a classification dataset of different 2×2 images from a list of labels."""

    def build(labels: list[int], **keys: Any) -> RawDataset:
        rows = np.arange(len(labels))
        pixels = np.stack([rows % 256, rows // 256, rows * 0, rows * 0], axis=1)
        fields: dict[str, Any] = {
            "task": "classification",
            "images": pixels.astype(np.uint8).reshape(-1, 2, 2, 1),
            "labels": np.array(labels, np.int32),
            "class_names": tuple(f"class_{label}" for label in range(max(labels) + 1)),
            "origins": tuple(f"row[{row}]" for row in rows),
        }
        return RawDataset(**(fields | keys))

    return build


@pytest.fixture
def photos(tmp_path: Path, noise: Callable[..., np.ndarray]) -> Callable[..., Path]:
    """Write images that all differ, by their paths below a folder."""

    def write(*names: str, root: str = "photos") -> Path:
        for name in names:
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
            Image.fromarray(noise(seed)).save(path)
        return tmp_path / root

    return write
