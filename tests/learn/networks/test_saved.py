"""A model on disk comes back as it was, and the same weights are the same bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import ModelError
from kdtasks.core.files import read_json
from kdtasks.learn.networks import Architecture
from kdtasks.learn.networks.build import BuiltModel, HeadParams, build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.networks.resnet import ResNet8
from kdtasks.learn.networks.saved import load_model, save_model
from kdtasks.learn.networks.unet import UNet
from tests.tools.warm_scripts import RunWarm

Run = Callable[[MultiExitModel, np.ndarray], list[np.ndarray]]
Randomize = Callable[[BuiltModel], BuiltModel]
Save = Callable[[Path], BuiltModel]

FILES = {"model.weights.h5", "model.json"}
SMALL_CNN = CNN(filters=(3, 4), dropout=0.2, dense=(6,), activation="leaky_relu")
EXITS = ("block_1",)
LOAD_AND_SAVE = """
from pathlib import Path
from kdtasks.learn.networks.saved import load_model, save_model
save_model(Path("second"), load_model(Path("first")))
"""


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def save(randomize: Randomize) -> Save:
    """Save the same small network again and again, each time built anew."""

    def save(folder: Path) -> BuiltModel:
        model = randomize(build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=3, exits=EXITS))
        save_model(folder, model)
        return model

    return save


@pytest.mark.parametrize(
    ("architecture", "exits"),
    [
        (SMALL_CNN, EXITS),
        (ResNet8(width=0.25), ("stem", "block_2")),
        (UNet(filters=(2, 3, 4)), ("up_1",)),
    ],
)
def test_a_loaded_model_gives_the_same_logits(
    architecture: Architecture,
    exits: tuple[str, ...],
    tmp_path: Path,
    randomize: Randomize,
    run_flat: Run,
    draw_images: Callable[..., np.ndarray],
):
    model = randomize(build(architecture, input_shape=(8, 8, 1), num_classes=3, exits=exits))
    save_model(tmp_path / "model", model)
    loaded = load_model(tmp_path / "model")
    assert loaded.taps == model.taps
    images = draw_images(8, 8, 1)
    for one, other in zip(run_flat(model, images), run_flat(loaded, images), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_description_says_what_is_there(tmp_path: Path, save: Save):
    model = save(tmp_path / "model")
    description = read_json(tmp_path / "model" / "model.json")
    assert description == {
        "architecture": SMALL_CNN.model_dump(mode="json"),
        "exits": ["block_1"],
        "heads": {},
        "input_shape": [8, 8, 1],
        "num_classes": 3,
        "parameters": model.count_parameters(),
        "macs": model.macs(),
    }


def test_heads_are_kept(tmp_path: Path):
    exits, heads = ("block_1",), {"block_1": HeadParams(filters=3, grid=2)}
    model = build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=3, exits=exits, heads=heads)
    save_model(tmp_path / "model", model)
    loaded = load_model(tmp_path / "model")
    assert loaded.network.get_layer("exit_0_conv").filters == 3
    assert loaded.macs() == model.macs()


def test_the_same_weights_are_the_same_bytes(tmp_path: Path, save: Save):
    save(tmp_path / "first")
    save(tmp_path / "second")
    assert content(tmp_path / "first") == content(tmp_path / "second")
    assert set(content(tmp_path / "first")) == FILES


def test_another_process_writes_the_same_bytes(tmp_path: Path, save: Save, run_warm: RunWarm):
    save(tmp_path / "first")
    assert run_warm(tmp_path, LOAD_AND_SAVE).returncode == 0
    assert content(tmp_path / "first") == content(tmp_path / "second")


def test_saving_replaces_what_was_there(tmp_path: Path, save: Save):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale.txt").write_text("old", encoding="utf-8")
    save(tmp_path / "model")
    assert set(content(tmp_path / "model")) == FILES


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(name: str, tmp_path: Path, save: Save):
    save(tmp_path / "model")
    (tmp_path / "model" / name).unlink()
    with pytest.raises(ModelError, match=rf"holds no {name}; run the stage that writes it"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_damaged_file_is_named(name: str, tmp_path: Path, save: Save):
    save(tmp_path / "model")
    file = tmp_path / "model" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ModelError, match=rf"{name} is damaged .*; run the stage that writes it"):
        load_model(tmp_path / "model")
