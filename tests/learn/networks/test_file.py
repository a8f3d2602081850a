"""Networks of the user's own: layers of a file, flat, with exits anywhere, of any width."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from kdtasks.core.backend import keras, keras_3, seed_everything, tf
from kdtasks.core.errors import ModelError
from kdtasks.core.files import read_json, write_json
from kdtasks.learn.networks.build import BuiltModel, build
from kdtasks.learn.networks.file import File
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.networks.saved import load_model, save_model

SHAPE, CLASSES = (8, 8, 3), 4
Run = Callable[[MultiExitModel, np.ndarray], list[np.ndarray]]


def residual(*, activation: str | None = "softmax", classes: int = CLASSES) -> Any:
    """A network with a sum, squeeze-and-excitation and arithmetic of TensorFlow's."""
    layers = keras.layers
    image = keras.Input(SHAPE)
    stem = layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(image)
    inner = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(stem)
    inner = layers.BatchNormalization(name="norm")(inner)
    gate = layers.GlobalAveragePooling2D(name="squeeze")(inner)
    gate = layers.Reshape((1, 1, 8), name="reshape")(gate)
    gate = layers.Conv2D(8, 1, name="excite")(gate)
    inner = inner * (tf.nn.relu6(gate + 3.0) / 6.0)
    tensor = layers.Add(name="sum")([stem, inner])
    tensor = layers.MaxPooling2D(name="pool")(tensor)
    tensor = layers.Conv2D(12, 3, activation="relu", name="last")(tensor)
    tensor = layers.GlobalAveragePooling2D(name="average")(tensor)
    return keras.Model(image, layers.Dense(classes, activation=activation, name="answer")(tensor))


def nested() -> Any:
    """A network inside a network, as transfer learning has it."""
    inside = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Rescaling(1 / 127.5, offset=-1.0),
            keras.layers.Conv2D(5, 3, activation="relu", name="inside"),
        ],
        name="base",
    )
    image = keras.Input(SHAPE)
    tensor = keras.layers.GlobalAveragePooling2D(name="average")(inside(image))
    return keras.Model(image, keras.layers.Dense(CLASSES, name="answer")(tensor))


def save(network: Any, path: Path) -> Any:
    if path.suffix == ".h5":
        with pytest.warns(UserWarning, match="HDF5"):
            network.save(path)
    else:
        network.save(path)
    return network


def built(folder: Path, *, shape: Any = SHAPE, exits: Any = (), **settings: Any) -> BuiltModel:
    architecture = File(path="own.keras", **settings)
    layers = architecture.read_layers(folder)
    model = build(architecture, input_shape=shape, num_classes=CLASSES, exits=exits, layers=layers)
    architecture.load_weights(model.network, folder)
    return model


@pytest.fixture
def pixels(draw_images: Callable[..., np.ndarray]) -> np.ndarray:
    return draw_images(*SHAPE)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_its_weights_give_the_logits_of_the_network_that_was_saved(ending, tmp_path, pixels):
    network = save(residual(), tmp_path / f"own.{ending}")
    (tmp_path / f"own.{ending}").rename(tmp_path / "own.keras")  # the bytes say what it is
    model = built(tmp_path, weights="file")
    answers = tf.nn.softmax(model.logits(pixels)[-1]).numpy()
    np.testing.assert_allclose(answers, network(pixels / 255).numpy(), rtol=1e-5, atol=1e-6)
    assert not {"TFOpLambda", "Functional"} & {type(each).__name__ for each in model.network.layers}


def test_a_network_inside_is_flattened_and_keeps_its_own_scaling(tmp_path, pixels):
    network = save(nested(), tmp_path / "own.keras")
    model = built(tmp_path, weights="file")
    np.testing.assert_allclose(
        model.logits(pixels)[-1].numpy(), network(pixels).numpy(), rtol=1e-4, atol=1e-5
    )
    assert [layer.name for layer in model.network.layers if layer.weights] == ["inside", "answer"]


def test_random_weights_follow_the_seed_and_not_the_file(tmp_path):
    save(residual(), tmp_path / "own.keras")

    def kernel(seed: int) -> np.ndarray:
        seed_everything(seed)
        return built(tmp_path).network.get_layer("stem").get_weights()[0]

    np.testing.assert_array_equal(kernel(1), kernel(1))
    assert np.abs(kernel(1) - kernel(2)).max() > 0.01


@pytest.mark.parametrize("exits", [("stem",), ("depthwise", "pool"), ("excite", "last")])
def test_exits_may_stand_anywhere_and_the_segments_say_the_same(
    exits, tmp_path, pixels, run_flat: Run, run_segments: Run
):
    save(residual(), tmp_path / "own.keras")
    model = built(tmp_path, exits=exits, weights="file")
    assert model.num_exits == 1 + len(exits)
    for one, other in zip(run_flat(model, pixels), run_segments(model, pixels), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    # What is open after a tap: its own output, and the stem that the sum still needs.
    assert model.taps[0] == {"stem": ("stem",), "depthwise": ("depthwise", "stem")}.get(
        exits[0], model.taps[0]
    )


def test_a_saved_one_is_built_without_the_file_and_looked_into_again(tmp_path, pixels):
    save(residual(), tmp_path / "own.keras")
    model = built(tmp_path, exits=("pool",))
    (tmp_path / "own.keras").unlink()
    save_model(tmp_path / "saved", model)
    loaded = load_model(tmp_path / "saved")
    for one, other in zip(model.logits(pixels), loaded.logits(pixels), strict=True):
        np.testing.assert_array_equal(one, other)
    description = read_json(tmp_path / "saved" / "model.json")
    description["layers"]["network"]["config"]["layers"][1]["class_name"] = "Lambda"
    write_json(tmp_path / "saved" / "model.json", description)
    with pytest.raises(ModelError, match=r"own\.keras holds the class 'Lambda', which might run"):
        load_model(tmp_path / "saved")


def test_one_number_scales_everything_but_the_answer(tmp_path):
    save(residual(), tmp_path / "own.keras")
    network = built(tmp_path, width=0.5).network
    shapes = {
        layer.name: tuple(layer.weights[0].shape) for layer in network.layers if layer.weights
    }
    assert shapes == {
        "stem": (3, 3, 3, 4),
        "depthwise": (3, 3, 4, 1),
        "norm": (4,),
        "excite": (1, 1, 4, 4),
        "last": (3, 3, 4, 6),
        "answer_logits": (6, 4),
    }


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: keras.layers.Conv2D(8, 3, groups=2, name="wide"), "convolves in 2 groups"),
        (lambda: keras.layers.Reshape((16, 8, 4), name="wide"), r"reshapes to \(16, 8, 4\)"),
        (lambda: keras.layers.GroupNormalization(4, name="wide"), "is a GroupNormalization"),
    ],
)
def test_what_cannot_be_scaled_is_named(layer, message, tmp_path):
    image = keras.Input(SHAPE)
    tensor = layer()(keras.layers.Conv2D(8, 1)(image))
    tensor = keras.layers.GlobalAveragePooling2D()(tensor)
    save(keras.Model(image, keras.layers.Dense(CLASSES)(tensor)), tmp_path / "own.keras")
    assert built(tmp_path).num_exits == 1
    with pytest.raises(ModelError, match=f"the layer 'wide' {message}, which cannot be scaled"):
        built(tmp_path, width=0.5)


def test_a_head_is_put_on_the_features_that_are_named(tmp_path):
    save(residual(classes=1000), tmp_path / "own.keras")
    with pytest.raises(ModelError, match="'answer_logits' has 1000 outputs, the dataset 4 classes"):
        built(tmp_path)
    model = built(tmp_path, features="last")
    assert model.network.outputs[0].shape == (None, CLASSES)
    assert {"top_average", "exit_0_logits"} <= {layer.name for layer in model.network.layers}
    with pytest.raises(ModelError, match="has no layer 'lost'; its layers: stem, depthwise"):
        built(tmp_path, features="lost")


def test_a_wrong_exit_is_told_with_the_layers(tmp_path):
    save(residual(), tmp_path / "own.keras")
    with pytest.raises(ModelError, match=r"student\.exits: file has no block 'pol'.*mean 'pool'"):
        built(tmp_path, exits=("pol",))


def two_inputs() -> Any:
    images = [keras.Input(SHAPE), keras.Input(SHAPE)]
    tensor = keras.layers.Flatten()(keras.layers.Add()(images))
    return keras.Model(images, keras.layers.Dense(CLASSES)(tensor))


def shared() -> Any:
    image, layer = keras.Input(SHAPE), keras.layers.Conv2D(3, 1, name="twice")
    tensor = keras.layers.Flatten()(layer(layer(image)))
    return keras.Model(image, keras.layers.Dense(CLASSES)(tensor))


def adapted() -> Any:
    image = keras.Input(SHAPE)
    tensor = keras.layers.Flatten()(keras.layers.Normalization(name="learned")(image))
    return keras.Model(image, keras.layers.Dense(CLASSES)(tensor))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: residual(activation="sigmoid"),
            "last layer 'answer' ends in sigmoid; let it give",
        ),
        (two_inputs, r"own\.keras has 2 inputs and 1 outputs"),
        (shared, "the layer 'twice' stands in two places"),
        (adapted, "the layer 'learned' has learned its mean from images; give a Rescaling"),
    ],
)
def test_a_network_that_does_not_serve_is_refused(make, message, tmp_path):
    save(make(), tmp_path / "own.keras")
    with pytest.raises(ModelError, match=message):
        built(tmp_path)


def test_images_of_another_size_are_refused_with_both(tmp_path):
    save(residual(), tmp_path / "own.keras")
    with pytest.raises(ModelError, match="takes images of 8×8×3, the dataset has 16×8×1; set data"):
        built(tmp_path, shape=(16, 8, 1))


def test_a_normalization_with_numbers_becomes_a_layer_without_weights(tmp_path, pixels):
    image = keras.Input(SHAPE)
    tensor = keras.layers.Normalization(mean=[90.0, 100.0, 110.0], variance=[4.0, 9.0, 16.0])(image)
    network = keras.Model(
        image, keras.layers.Dense(CLASSES)(keras.layers.GlobalAveragePooling2D()(tensor))
    )
    save(network, tmp_path / "own.keras")
    model = built(tmp_path, weights="file")  # it begins with a layer that scales, so takes bytes
    np.testing.assert_allclose(
        model.logits(pixels)[0].numpy(), network(pixels).numpy(), rtol=1e-4, atol=1e-4
    )


def test_files_that_hold_no_network_of_tf_keras_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"own\.keras is not there; put it into .*, which DVC wat"):
        built(tmp_path)
    (tmp_path / "own.keras").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ModelError, match=r"own\.keras is no \.keras or HDF5 file, whatever"):
        built(tmp_path)
    library = keras_3()
    library.Sequential([library.Input(SHAPE), library.layers.Flatten()]).save(
        tmp_path / "own.keras"
    )
    with pytest.raises(ModelError, match=r"was written by Keras 3\..*`import tf_keras as keras`"):
        built(tmp_path)


@pytest.mark.parametrize("path", ["/somewhere/own.keras", "../own.keras"])
def test_a_file_that_dvc_does_not_watch_is_refused(path):
    with pytest.raises(ValidationError, match="put the file into the folder that DVC watches"):
        File(path=path)


def test_weights_of_the_whole_width_do_not_serve_another():
    with pytest.raises(ValidationError, match=r"weights is file and width 0\.5; weights are of"):
        File(path="own.keras", width=0.5, weights="file")
