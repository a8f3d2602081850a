"""Weights of a saved network in place of random ones, and networks that cannot be taken."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import ModelError
from kdtasks.learn.networks.build import BuiltModel, HeadParams, build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.saved import load_initial_weights, save_model
from kdtasks.learn.networks.two_branch import TwoBranch

SMALL_CNN = CNN(filters=(3, 4))
SHAPE: dict[str, Any] = {"input_shape": (8, 8, 1), "num_classes": 3}


def saved(folder: Path, **built: Any) -> BuiltModel:
    model = build(**{"architecture": SMALL_CNN, "exits": ("block_1",), **built}, **SHAPE)
    save_model(folder, model)
    return model


def test_the_weights_are_taken_with_the_statistics_of_normalisation(tmp_path: Path):
    given = saved(tmp_path)
    given.network.get_layer("block_1_1_norm").moving_mean.assign([1.0, 2.0, 3.0])
    save_model(tmp_path, given)
    # a head that is named and has its defaults is the one that is not named
    model = build(SMALL_CNN, exits=("block_1",), heads={"block_1": HeadParams()}, **SHAPE)
    load_initial_weights(model, tmp_path)
    for one, other in zip(model.network.weights, given.network.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("built", "difference"),
    [
        (
            {"architecture": SMALL_CNN.model_copy(update={"filters": (3, 5)})},
            "architecture.filters is [3, 4] there, [3, 5] here",
        ),
        ({"exits": ()}, "exits is ['block_1'] there, [] here"),
        (
            {"heads": {"block_1": HeadParams(filters=2)}},
            "heads.block_1 is {'filters': None, 'grid': 4} there, {'filters': 2, 'grid': 4} here",
        ),
        ({"num_classes": 5}, "num_classes is 3 there, 5 here"),
        ({"input_shape": (16, 16, 1)}, "input_shape is [8, 8, 1] there, [16, 16, 1] here"),
    ],
    ids=str,
)
def test_another_network_is_refused(tmp_path: Path, built: dict[str, Any], difference: str):
    saved(tmp_path)
    model = build(**{"architecture": SMALL_CNN, "exits": ("block_1",), **SHAPE, **built})
    before = [np.array(weight) for weight in model.network.weights]
    with pytest.raises(ModelError, match=re.escape(difference)) as caught:
        load_initial_weights(model, tmp_path)
    assert "give `student` what its model.json says" in str(caught.value)
    for one, other in zip(model.network.weights, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_exit_at_another_block_of_the_same_width_is_refused(tmp_path: Path):
    """Weights of all layers would fit, in another order."""
    network = TwoBranch(stem=8, trunk=(8,), coarse=(8, 8), fine=(8, 8), merged=(8,))
    saved(tmp_path, architecture=network, exits=("coarse_1",))
    model = build(network, exits=("fine_1",), **SHAPE)
    message = "exits is ['coarse_1'] there, ['fine_1'] here"
    with pytest.raises(ModelError, match=re.escape(message)):
        load_initial_weights(model, tmp_path)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "model.json").unlink(), "holds no model.json"),
        (lambda folder: (folder / "model.json").write_text("{"), "model.json is damaged"),
        (lambda folder: (folder / "model.weights.h5").unlink(), "holds no model.weights.h5"),
        (lambda folder: (folder / "model.weights.h5").write_text(""), "weights.h5 is damaged"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, break_it: Any, message: str):
    model = saved(tmp_path)
    break_it(tmp_path)
    with pytest.raises(ModelError, match=re.escape(message)) as caught:
        load_initial_weights(model, tmp_path)
    assert "`student.start` takes folders as those in models/distill" in str(caught.value)
    assert "dvc repro" not in str(caught.value)
