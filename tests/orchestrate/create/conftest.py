"""Small datasets on disk: images of one colour each, whose class is the colour."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COLOURS = {"blue": 2, "green": 1, "red": 0}
MakePhotos = Callable[..., Path]


@pytest.fixture
def make_photos(tmp_path: Path) -> MakePhotos:
    """Give a function that writes PNGs of noise, brightest in the channel of their class."""

    def make(
        name: str = "photos",
        *,
        count: int = 30,
        side: int = 24,
        classes: Sequence[str] = tuple(COLOURS),
        grey: bool = False,
    ) -> Path:
        rng = np.random.default_rng(0)
        for kind in classes:
            for number in range(count):
                pixels = rng.integers(0, 120, (side, side + number % 3, 3))
                pixels[..., COLOURS[kind]] += 120
                path = tmp_path / name / kind / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                image = Image.fromarray(pixels.astype(np.uint8))
                (image.convert("L") if grey else image).save(path)
        return tmp_path / name

    return make


@pytest.fixture
def make_masks(tmp_path: Path) -> Callable[[dict[int, tuple[int, ...] | int]], Path]:
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
    """Give a function that saves a network which answers with the brightest channel.

    Its pixels are of −1…1, and its outputs in the order of names, or of another.
    """

    def make(
        order: Sequence[str] = tuple(COLOURS), *, side: int | None = 16, sign: float = 1.0
    ) -> Path:
        import keras

        image = keras.Input((side, side, 3))
        mean = keras.layers.GlobalAveragePooling2D()(image)
        head = keras.layers.Dense(len(order), activation="softmax")
        network = keras.Model(image, head(mean))
        kernel = np.zeros((3, len(order)))
        for place, name in enumerate(order):
            kernel[COLOURS[name], place] = 6.0 * sign
        # grey is unsure, so that a wrong scale of the pixels is worse and not only sharper
        head.set_weights([kernel, np.zeros(len(order))])
        path = tmp_path_factory.mktemp("teacher") / "big.keras"
        network.save(path)
        return path

    return make
