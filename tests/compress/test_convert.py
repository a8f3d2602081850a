"""What the converter is fed to set the ranges of whole numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdtasks.compress.convert import _feed, unfused
from kdtasks.core.backend import tf


@pytest.fixture(scope="module", autouse=True)
def unoptimized_graphs() -> None:
    """Graphs are rewritten here, as they are where files are made."""


@pytest.mark.parametrize("name", ["cnn_average", "mobilenet", "unet"])
def test_features_are_those_of_the_float_network_to_the_bit(
    name: str,
    build_network: Callable[[str], Any],
    draw_images: Callable[..., np.ndarray],
):
    """Another last bit of a feature would be another scale in the file."""
    model, images = build_network(name), draw_images(build_network(name), 3)
    images.flat[0], images.flat[-1] = 0, 255
    segments, fed = model.segments(), list(_feed(model.segments(), images))
    assert len(fed) == len(images) * len(segments)
    assert len(segments) > 1
    for image, start in zip(images, range(0, len(fed), len(segments)), strict=True):
        tensors: dict[str, Any] = {"image": image[np.newaxis].astype(np.float32)}
        for index, segment in enumerate(segments):
            signature, taken = fed[start + index]
            assert signature == f"segment_{index}"
            assert list(taken) == list(segment.takes)
            for tensor in segment.takes:
                np.testing.assert_array_equal(taken[tensor], tensors[tensor])
            inputs = [tensors[tensor] for tensor in segment.takes]
            results = tf.nest.flatten(segment.model(inputs, training=False))[1:]
            tensors |= {key: it.numpy() for key, it in zip(segment.gives, results, strict=True)}


@pytest.mark.parametrize("before", [{}, {"disable_meta_optimizer": True}, {"remapping": False}])
def test_settings_of_tensorflow_are_left_as_they_were(before: dict[str, bool]):
    options = tf.config.optimizer
    kept = options.get_experimental_options()
    options.set_experimental_options(before)
    with unfused():
        assert options.get_experimental_options()["disable_meta_optimizer"]
    found = options.get_experimental_options()
    options.set_experimental_options({**dict.fromkeys(before, False), **kept})
    assert found.items() >= {"disable_meta_optimizer": False, **before}.items()
