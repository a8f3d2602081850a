"""Folders that stages run in."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.data import Unlabelled
from kdtasks.data.labels import write_labelled
from kdtasks.data.prepare import write_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.unlabelled import UnlabelledImages, write_unlabelled
from kdtasks.params import Params, load_params
from tests.tools.records import training
from tests.tools.unlabelled_photos import CLASSES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """160 photos of one brightness each, in folders that mean nothing, and 40 labelled ones."""
    monkeypatch.chdir(tmp_path)
    Path("start").mkdir()
    Path("drawer").mkdir()
    generator = np.random.default_rng(0)
    for number in range(200):
        level = int(generator.integers(30, 220))
        pixels = (level + generator.integers(-5, 6, (8, 8))).astype(np.uint8)
        truth = CLASSES[int(level >= 128)]
        name = (
            f"trip {number % 3}/{level}-{number}.png"
            if number < 160
            else f"known/{truth}/{number}-{level}.png"
        )
        path = Path("photos") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path


RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
PATHS = ProjectPaths()
CLASS_NAMES = ("dark", "dim", "light", "bright")


@pytest.fixture
def params() -> Params:
    settings = load_params(RECIPE).model_dump()
    settings["seeds"] = [4, 7]
    settings["student"]["start"] = "start"
    settings["augmentation"]["views"] = 2
    settings["compress"]["representative_images"] = 5
    settings["teacher"] |= {"source": "import", "path": "grey.h5"}
    settings["evaluate"]["bootstrap_samples"] = 50
    return Params.model_validate(settings)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params) -> Path:
    """A folder after `prepare`: 60 images of four greys, and a teacher that tells them apart."""
    from kdtasks.core.backend import keras

    monkeypatch.chdir(tmp_path)
    Path("start").mkdir()
    generator = np.random.default_rng(0)
    labels = (np.arange(60) % 4).astype(np.int32)
    noise = generator.integers(-30, 31, (60, 8, 8, 1))
    images = (32 + 64 * labels[:, None, None, None] + noise).astype(np.uint8)
    dataset = RawDataset(
        task="classification",
        images=images,
        labels=labels,
        class_names=CLASS_NAMES,
        origins=tuple(str(row) for row in range(60)),
    )
    rows = np.split(np.arange(60), [24, 36, 48])
    names = ("train", "validation", "calibration", "test")
    write_prepared(Path("data/prepared"), dataset, dict(zip(names, rows, strict=True)), params.data)
    nothing = Unlabelled(images=0, excluded=(), repeated=0)
    write_unlabelled(PATHS.unlabelled, UnlabelledImages(images[:0], (), nothing))
    write_labelled(PATHS.labelled, np.arange(24))

    levels = np.array([32, 96, 160, 224]) / 255
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.GlobalAveragePooling2D(name="brightness"),
            keras.layers.Dense(4, activation="softmax", name="nearest"),
        ]
    )
    # The nearest level: −(x − level)² less what all share, sharpened a hundredfold.
    network.set_weights([200 * levels[None], -100 * levels**2])
    with pytest.warns(UserWarning, match="HDF5"):
        network.save("grey.h5")
    return tmp_path


@pytest.fixture
def students(project: Path, params: Params) -> None:
    """Untrained students in the place of trained ones; seed 7 is said to be the best."""
    from kdtasks.core.backend import seed_everything
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.networks.saved import save_model

    seed_everything(0)
    model = build(
        params.student.model, input_shape=(8, 8, 1), num_classes=4, exits=params.student.exits
    )
    for seed, accuracy in ((4, 0.25), (7, 0.5)):
        for stage in ("student", "distill"):
            save_model(Path("models") / stage / str(seed), model)
        training(accuracy).write(PATHS.metrics("distill", seed))
