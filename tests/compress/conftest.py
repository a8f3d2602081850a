"""Small networks of every kind, and what a pass needs in order to train them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from benchmarks.int8_remedies import SHAPE, wide_network
from kdtasks.compress.passes import PassContext
from kdtasks.learn.networks.alexnet import AlexNet
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.resnet import ResNet8
from kdtasks.learn.networks.unet import UNet
from tests.tools.graphs import unoptimized_graphs
from tests.tools.networks import BLOCKS, HEADS

__all__ = ["unoptimized_graphs"]

# Name to architecture, input shape and exits.
ZOO: dict[str, tuple[Any, tuple[int, int, int], tuple[str, ...]]] = {
    "cnn_flatten": (
        CNN(filters=(5, 6, 8), top="flatten", dense=(9,), dropout=0.1),
        (12, 12, 1),
        ("block_1", "block_2"),
    ),
    "cnn_small": (CNN(filters=(5,), top="flatten", dropout=0.1), (8, 8, 1), ()),
    "cnn_average": (
        CNN(
            filters=(4, 6),
            convolutions=2,
            downsampling="strides",
            batch_normalization=False,
            activation="leaky_relu",
        ),
        (8, 8, 3),
        ("block_1",),
    ),
    "resnet8": (ResNet8(width=0.25), (16, 16, 3), ("stem", "block_2")),
    **BLOCKS,
    "alexnet": (AlexNet(width=0.1), (16, 16, 3), ("block_1", "block_4")),
    "unet": (UNet(filters=(4, 6, 8)), (16, 16, 3), ("up_1",)),
    "unet_plain": (UNet(filters=(2, 4, 8)), (16, 16, 3), ()),
    "unet_small": (UNet(filters=(2, 4)), (8, 8, 3), ()),
}
CLASSES = 4


def _composite() -> Any:
    """Ties, offsets and transposed convolutions that the zoo does not have."""
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    layers = keras.layers
    image = keras.Input((8, 8, 3), name="image")
    left = layers.Conv2D(4, 3, padding="same", name="left")(image)
    right = layers.Conv2D(2, 3, padding="same", name="right")(image)
    both = layers.Concatenate(name="both")([left, right])
    over = layers.Conv2DTranspose(6, 3, padding="same", name="over")(image)
    tensor = layers.Add(name="add")([both, over])
    tensor = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(tensor)
    tensor = layers.BatchNormalization(name="norm")(tensor)
    tensor = tap = layers.ReLU(name="activation")(tensor)
    early = layers.GlobalMaxPooling2D(name="exit_0_pool")(tensor)
    early = layers.Dense(CLASSES, name="exit_0_logits")(early)
    tensor = layers.ZeroPadding2D(1, name="padding")(tensor)
    tensor = layers.Conv2DTranspose(5, 2, strides=2, name="up")(tensor)
    tensor = layers.AveragePooling2D(name="pool")(tensor)
    tensor = layers.Flatten(name="flatten")(tensor)
    last = layers.Dense(CLASSES, name="exit_1_logits")(tensor)
    network = keras.Model(image, [early, last], name="composite")
    return MultiExitModel(network=network, taps=((tap.node.layer.name,),))


@pytest.fixture(scope="session")
def build_network(randomise: Callable[..., None]) -> Callable[[str], Any]:
    """Give a function that builds a network with random weights and running statistics."""
    from kdtasks.learn.networks.build import build

    def make(name: str) -> Any:
        if name == "composite":
            model = _composite()
        else:
            architecture, shape, exits = ZOO[name]
            model = build(
                architecture,
                input_shape=shape,
                num_classes=CLASSES,
                exits=exits,
                heads=HEADS.get(name),
            )
        randomise(model, seed=3)
        return model

    return make


@pytest.fixture(scope="session")
def draw_images() -> Callable[[Any], np.ndarray]:
    """Give a function that draws images for a model, uint8."""

    def draw(model: Any, count: int = 6) -> np.ndarray:
        generator = np.random.default_rng(4)
        return generator.integers(0, 256, (count, *model.input_shape), np.uint8)

    return draw


@pytest.fixture(scope="session")
def outputs() -> Callable[[Any, np.ndarray], list[np.ndarray]]:
    """Give a function that runs every exit, uncompiled: it is asked once of each network."""

    def run(model: Any, images: np.ndarray) -> list[np.ndarray]:
        return [exit_.numpy() for exit_ in model.logits(images.astype(np.float32))]

    return run


@pytest.fixture(scope="session")
def chain_outputs() -> Callable[[Any, np.ndarray], list[np.ndarray]]:
    """Give a function that runs every exit segment by segment."""

    def run(model: Any, images: np.ndarray) -> list[np.ndarray]:
        tensors: dict[str, Any] = {"image": images.astype(np.float32)}
        exits = []
        for segment in model.segments():
            results = segment.model([tensors[name] for name in segment.takes], training=False)
            results = results if isinstance(results, list | tuple) else [results]
            exits.append(results[0].numpy())
            tensors |= dict(zip(segment.gives, results[1:], strict=True))
        return exits

    return run


@pytest.fixture(scope="session")
def check_silent_channels(randomise: Callable[..., None]) -> Callable[..., Any]:
    """Give a function that takes some channels out of a network, drawn from a seed.

    It makes sure that the smaller network, which it gives, computes what the other does with those
    channels silent.
    """
    from kdtasks.compress.pruning.channels import Channels
    from kdtasks.compress.pruning.removal import mask_channels, remove_channels

    def check(model: Any, seed: int) -> Any:
        randomise(model, seed=seed)
        generator = np.random.default_rng(seed)
        channels = Channels(model.network)
        removed: set[int] = set()
        for numbers in channels.groups().values():
            count = generator.integers(0, len(numbers))
            removed.update(generator.permutation(numbers)[:count].tolist())
        mask_channels(model.network, channels, removed)
        smaller = remove_channels(model, channels, removed)
        images = generator.integers(0, 256, (3, *model.input_shape)).astype(np.float32)
        for expected, found in zip(model.logits(images), smaller.logits(images), strict=True):
            atol = 1e-5 * max(1, np.abs(expected).max())
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=atol)
        if removed:
            assert smaller.count_parameters() < model.count_parameters()
        return smaller

    return check


@pytest.fixture
def make_fine_tuning(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Give a function that makes a fine-tuning on random targets, five steps an epoch.

    Where the model tells masks, 30 % of the pixels are unlabelled.
    """
    from kdtasks.compress.fine_tuning import FineTuning
    from kdtasks.learn.objectives.distillation import DistillationObjective, DistillParams
    from kdtasks.learn.objectives.objective import LabelLossSum
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.loop import TrainingSchedule
    from kdtasks.learn.training.monitor import CollapseGuard
    from kdtasks.learn.training.settings import TrainParams

    # Untrained networks may well predict one class only; the guard has tests of its own.
    monkeypatch.setattr(CollapseGuard, "check_predictions", lambda *_, **__: None)

    def make(model: Any, **checkpoints: Any) -> FineTuning:
        generator = np.random.default_rng(5)
        images = generator.integers(0, 256, (1, 80, *model.input_shape), np.uint8)
        sides = tuple(model.network.outputs[-1].shape[1:-1])  # of masks
        labels = generator.integers(0, CLASSES, (1, 80, *sides), np.int32)
        teacher_logits = generator.normal(0, 3, (1, 80, *sides, CLASSES)).astype(np.float16)
        ignore_label = None
        if sides:
            ignore_label, labels = 255, labels.astype(np.uint8)
            labels[generator.random(labels.shape) < 0.3] = ignore_label
        params = DistillParams(alpha=0.1, temperature=4.0)
        return FineTuning(
            examples=TrainingExamples(images, labels, teacher_logits),
            validation=(images[0], labels[0]),
            objective=DistillationObjective(params, LabelLossSum(ignore_label)),
            ignore_label=ignore_label,
            schedule=TrainingSchedule(
                TrainParams(batch_size=16, guard_epochs=5),
                epochs=1,
                learning_rate=1e-3,
                seed=0,
            ),
            checkpoints=checkpoints,
        )

    return make


@pytest.fixture
def make_context(make_fine_tuning: Callable[..., Any]) -> Callable[..., PassContext]:
    """Give a function that makes what a pass works with; its files are empty."""
    return lambda *args, **kwargs: PassContext(
        make_fine_tuning(*args, **kwargs), convert=lambda model: b""
    )


@pytest.fixture
def interrupted() -> Callable[..., Any]:
    """Give a function that makes a checkpoint which stops the run after an epoch, like Ctrl-C."""
    from kdtasks.learn.training.checkpoint import Checkpoint, TrainingState

    class Interrupted(Checkpoint):
        def __init__(self, path: Path, *, epoch: int) -> None:
            super().__init__(path, settings="same")
            self._last = epoch

        def save(self, progress: TrainingState) -> None:
            super().save(progress)
            if progress.epoch == self._last:
                raise KeyboardInterrupt

    return Interrupted


class Wide(NamedTuple):
    """A network, images that set its ranges, others, and its calibrated file."""

    model: Any
    images: np.ndarray
    others: np.ndarray
    calibrated: bytes


@pytest.fixture(scope="session")
def wide() -> Wide:
    from kdtasks.compress.convert import calibrate

    model = wide_network(0, octaves=10.0)
    drawn = np.random.default_rng(1).integers(0, 256, (120, *SHAPE), np.uint8)
    return Wide(model, drawn[:20], drawn[20:], calibrate(model, drawn[:20]))
