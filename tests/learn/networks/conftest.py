"""Networks for the tests of the zoo, and ways to run them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdtasks.core.backend import tf
from kdtasks.learn.networks.multi_exit import MultiExitModel

Run = Callable[[MultiExitModel, np.ndarray], list[np.ndarray]]


@pytest.fixture
def randomize() -> Callable[[MultiExitModel], MultiExitModel]:
    """Give every weight and running statistic a value that shows when it is lost."""

    def randomize(model: MultiExitModel) -> MultiExitModel:
        draw = np.random.default_rng(7)
        model.network.set_weights(
            [draw.uniform(0.1, 0.3, weight.shape) for weight in model.network.get_weights()]
        )
        return model

    return randomize


@pytest.fixture
def run_flat() -> Run:
    """Run the whole network: the logits of every exit."""

    def run(model: MultiExitModel, images: np.ndarray) -> list[np.ndarray]:
        return [logits.numpy() for logits in model.logits(tf.constant(images))]

    return run


@pytest.fixture
def run_segments() -> Run:
    """Run the segments one after another, as a device does that never leaves early."""

    def run(model: MultiExitModel, images: np.ndarray) -> list[np.ndarray]:
        known: dict[str, Any] = {"image": tf.constant(images)}
        exits = []
        for segment in model.segments():
            outputs = segment.model([known[name] for name in segment.takes], training=False)
            logits, *features = outputs if isinstance(outputs, list) else [outputs]
            exits.append(logits.numpy())
            known |= dict(zip(segment.gives, features, strict=True))
        return exits

    return run


@pytest.fixture
def draw_images() -> Callable[..., np.ndarray]:
    """Draw float pixels 0…255, [3, height, width, channels]."""

    def draw_images(*shape: int) -> np.ndarray:
        return np.random.default_rng(1).integers(0, 256, (3, *shape)).astype(np.float32)

    return draw_images
