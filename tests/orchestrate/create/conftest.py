"""Small datasets on disk, and a teacher."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tools.colour_photos import write_photos, write_teacher

MakePhotos = Callable[..., Path]


@pytest.fixture
def make_photos(tmp_path: Path) -> MakePhotos:
    """Give a function that writes photos into a folder of a name: `write_photos`."""
    return lambda name="photos", **options: write_photos(tmp_path / name, **options)


@pytest.fixture
def make_masks(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes images and masks whose halves have two values, or more."""

    def make(values: Sequence[tuple[int, ...] | int], *, count: int = 8) -> Path:
        rng = np.random.default_rng(0)
        for number in range(count):
            place = np.arange(40) * len(values) // 40
            mask = np.array(values, np.uint8)[np.tile(place, (40, 1))]
            pixels = rng.integers(0, 50, (40, 40, 3)) + (place * 80)[:, None]
            for kind, array in (("images", pixels), ("masks", mask)):
                path = tmp_path / "scenes" / kind / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array.astype(np.uint8)).save(path)
        return tmp_path / "scenes"

    return make


@pytest.fixture(scope="session")
def make_teacher(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give a function that saves a teacher of such photos: `write_teacher`."""

    def make(*order: Sequence[str], **options: float | None) -> Path:
        return write_teacher(tmp_path_factory.mktemp("teacher") / "big.keras", *order, **options)  # type: ignore[arg-type]

    return make
