"""Networks of every architecture, one of them trained, and their conversions."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from kdtasks.learn.networks.alexnet import AlexNet
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.resnet import ResNet8
from kdtasks.learn.networks.unet import UNet
from tests.tools.networks import BLOCKS, HEADS

# Name to architecture, input shape and exits.
ZOO: dict[str, tuple[Any, tuple[int, int, int], tuple[str, ...]]] = {
    "cnn": (
        CNN(filters=(4, 8), downsampling="strides", activation="leaky_relu", dense=(9,)),
        (12, 10, 3),
        ("block_1", "block_2"),
    ),
    "resnet8": (ResNet8(width=0.25), (16, 16, 3), ("block_2",)),
    **BLOCKS,
    "alexnet": (AlexNet(width=0.1), (32, 32, 3), ("block_1",)),
    "unet": (UNet(filters=(4, 6, 8)), (16, 16, 3), ("up_1",)),
}


class Trained(NamedTuple):
    """A network that knows digits, and images that it has not seen."""

    model: Any
    representative: np.ndarray
    images: np.ndarray
    labels: np.ndarray


@pytest.fixture(scope="session")
def network(randomise: Callable[..., None]) -> Callable[[str], Any]:
    """Give a function that builds a network with weights drawn by its initialisers' rules."""
    from kdtasks.learn.networks.build import build

    @cache
    def make(name: str) -> Any:
        architecture, shape, exits = ZOO[name]
        model = build(
            architecture,
            input_shape=shape,
            num_classes=4,
            exits=exits,
            heads=HEADS.get(name),
        )
        randomise(model, seed=0)
        return model

    return make


@pytest.fixture(scope="session")
def draw_images() -> Callable[..., np.ndarray]:
    """Give a function that draws images for a model, uint8."""

    def draw(model: Any, count: int) -> np.ndarray:
        generator = np.random.default_rng(1)
        return generator.integers(0, 256, (count, *model.input_shape), np.uint8)

    return draw


@pytest.fixture(scope="session")
def converted(
    network: Callable[[str], Any], draw_images: Callable[..., np.ndarray]
) -> Callable[[str, str], bytes]:
    """Give a function that converts a network to a number format, each once."""
    from kdtasks.compress.convert import convert

    @cache
    def make(name: str, number_format: str) -> bytes:
        model = network(name)
        return convert(model, number_format=number_format, representative=draw_images(model, 4))

    return make


@pytest.fixture(scope="session")
def trained() -> Trained:
    """Train a network with two exits on scikit-learn's digits, in seconds."""
    from sklearn.datasets import load_digits

    from kdtasks.core.backend import seed_everything
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.objectives.objective import LabelObjective
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.loop import TrainingSchedule, train
    from kdtasks.learn.training.settings import TrainParams

    seed_everything(0)
    digits = load_digits()
    images = (digits.images * 15.9).astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int32)
    architecture = CNN(filters=(8, 16), top="flatten")
    model = build(architecture, input_shape=(8, 8, 1), num_classes=10, exits=["block_1"])
    train(
        model,
        TrainingExamples(images[None, :1200], labels[None, :1200]),
        validation=(images[1200:1400], labels[1200:1400]),
        objective=LabelObjective(),
        schedule=TrainingSchedule(
            TrainParams(batch_size=32, guard_epochs=5), epochs=16, learning_rate=5e-3, seed=0
        ),
    )
    return Trained(model, images[1200:1400], images[1400:], labels[1400:])


@pytest.fixture(scope="session")
def int8_content(trained: Trained) -> bytes:
    """The trained network in int8."""
    from kdtasks.compress.convert import convert

    return convert(trained.model, number_format="int8", representative=trained.representative)


@pytest.fixture(scope="session")
def early_exits(
    int8_content: bytes, trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A bundle that sends some of 25 images to either exit."""
    from kdtasks.compress.bundle.write import make_manifest, write_bundle
    from kdtasks.edge.scores import max_probability
    from kdtasks.edge.segments import Segments
    from tests.compress.tflite.test_bundle import CALIBRATION
    from tests.tools.datasets import describe_dataset
    from tests.tools.records import parity

    folder = tmp_path_factory.mktemp("early_exits")
    first = Segments(int8_content).logits_of(trained.images[:25])[:, 0]
    low, high = np.sort(max_probability(first, 1.5))[[11, 12]]
    assert low < high
    exits = {"temperatures": (1.5, 0.8), "thresholds": (float(low + high) / 2,), "macs": (1, 2)}
    names = tuple(f"digit {k}" for k in range(10))
    manifest = make_manifest(
        describe_dataset(folder, class_names=names, image_shape=(8, 8, 1)),
        CALIBRATION.model_copy(update=exits),
        name="digits",
        variant="int8",
        parity=parity((0.01, 0.0)),
        parameters={},
    )
    write_bundle(folder / "bundle", int8_content, manifest)
    return folder / "bundle"


@pytest.fixture(scope="session")
def exported_c(early_exits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bundle as C."""
    from kdtasks.compress.tflite.c_export import export_c

    folder = tmp_path_factory.mktemp("exported") / "c"
    export_c(early_exits, folder)
    return folder
