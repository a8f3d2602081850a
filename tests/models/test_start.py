"""Networks to start from: which seed gets which, and what cannot be one."""

import re
from pathlib import Path

import numpy as np
import pytest

from kdtasks.errors import ModelError
from kdtasks.models.multi_exit import MultiExitModel
from kdtasks.models.saved import save_model
from kdtasks.models.start import start_of, take_weights
from kdtasks.models.zoo import build
from kdtasks.params.architecture import CnnParams

CNN = CnnParams(name="cnn", filters=(3, 4))
EXITS = ("block_1",)


def network(filters: tuple[int, ...] = (3, 4), exits: tuple[str, ...] = EXITS) -> MultiExitModel:
    architecture = CNN.model_copy(update={"filters": filters})
    return build(architecture, input_shape=(8, 8, 1), num_classes=3, exits=exits)


def saved(folder: Path) -> MultiExitModel:
    model = network()
    save_model(folder, model, architecture=CNN, exits=EXITS)
    return model


def test_an_empty_folder_starts_from_random_weights(tmp_path: Path):
    (tmp_path / ".gitkeep").touch()
    assert start_of(tmp_path, 0) is None


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_folder_is_wanted(tmp_path: Path, name: str):
    (tmp_path / "file").touch()
    message = f"student.start: {tmp_path / name} is no folder; give one, an empty one for none"
    with pytest.raises(ModelError, match=re.escape(message)):
        start_of(tmp_path / name, 0)


def test_every_seed_has_its_own(tmp_path: Path):
    for seed in (0, 12):
        (tmp_path / str(seed)).mkdir()
    assert start_of(tmp_path, 12) == tmp_path / "12"
    message = f"student.start: {tmp_path} has networks for 0, 12, but none for the seed 1; add "
    with pytest.raises(ModelError, match=re.escape(message)):
        start_of(tmp_path, 1)


def test_the_weights_are_taken_with_the_statistics_of_normalisation(tmp_path: Path):
    given = saved(tmp_path / "0")
    given.network.get_layer("block_1_1_norm").moving_mean.assign([1.0, 2.0, 3.0])
    save_model(tmp_path / "0", given, architecture=CNN, exits=EXITS)
    model = network()
    take_weights(model, tmp_path / "0")
    for one, other in zip(model.network.weights, given.network.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("filters", "exits", "difference"),
    [
        ((3, 5), EXITS, "block_2_1_conv/kernel:0 is (3, 3, 3, 4) there, expected (3, 3, 3, 5)"),
        ((3, 4), (), "exit_0_logits/kernel:0 is (48, 3) there, expected (4, 3)"),
        ((3, 4, 4), EXITS, "block_3_1_conv/kernel:0 is absent there, expected (3, 3, 4, 4)"),
    ],
)
def test_another_network_is_refused(tmp_path: Path, filters, exits, difference: str):
    saved(tmp_path / "0")
    model = network(filters, exits)
    before = [np.array(weight) for weight in model.network.weights]
    with pytest.raises(ModelError, match=re.escape(difference)) as caught:
        take_weights(model, tmp_path / "0")
    assert "give `student` the model, exits and heads of its model.json" in str(caught.value)
    for one, other in zip(model.network.weights, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_no_saved_network_is_refused(tmp_path: Path):
    (tmp_path / "0").mkdir()
    with pytest.raises(ModelError, match=r"student\.start: .* holds no model\.json"):
        take_weights(network(), tmp_path / "0")
