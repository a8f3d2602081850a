"""Backbones of keras.applications: their weights, their scaling of pixels, their widths."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from kdtasks.core.backend import keras, seed_everything, tf
from kdtasks.core.errors import ModelError
from kdtasks.learn.networks import architectures
from kdtasks.learn.networks.build import BuiltModel, build
from kdtasks.learn.networks.efficientnet_lite import EfficientNetLite0
from kdtasks.learn.networks.keras_applications import KerasApplication
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.networks.saved import load_model, save_model

SHAPE, CLASSES = (32, 32, 3), 4
PREFIX = "keras_applications/"
Run = Callable[[MultiExitModel, np.ndarray], list[np.ndarray]]


def application(name: str, **settings: Any) -> KerasApplication:
    return KerasApplication.model_validate({"name": f"keras_applications/{name}", **settings})


def built(name: str, *, shape: Any = SHAPE, exits: Any = (), **settings: Any) -> BuiltModel:
    return build(
        application(name, **settings),
        input_shape=shape,
        num_classes=CLASSES,
        exits=exits,
    )


def published(name: str, **settings: Any) -> Any:
    """The network as Keras builds it, with weights that show when one is lost."""
    make = getattr(keras.applications, name)
    network = make(include_top=False, weights=None, input_shape=SHAPE, **settings)
    draw = np.random.default_rng(0)
    for variable in network.trainable_weights:
        if len(variable.shape) == 1:
            variable.assign(variable * draw.uniform(0.8, 1.2, variable.shape))
    if name == "EfficientNetB0":  # what the published files hold here
        mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        layer = next(each for each in network.layers if "normalization" in each.name)
        layer.set_weights([mean, deviation**2, layer.get_weights()[2]])
    return network


@pytest.mark.parametrize(
    ("name", "settings", "module"),
    [
        ("MobileNetV2", {"alpha": 0.35}, "mobilenet_v2"),
        ("MobileNetV3Small", {"alpha": 0.75}, "mobilenet_v3"),
        pytest.param("EfficientNetB0", {}, "efficientnet", marks=pytest.mark.slow),
        pytest.param("EfficientNetV2B0", {}, "efficientnet_v2", marks=pytest.mark.slow),
        pytest.param("ResNet50", {}, "resnet", marks=pytest.mark.slow),
        pytest.param("DenseNet121", {}, "densenet", marks=pytest.mark.slow),
    ],
)
def test_weights_of_a_file_give_the_features_that_keras_gives(
    name, settings, module, tmp_path: Path, draw_images: Callable[..., np.ndarray]
):
    seed_everything(1)
    network = published(name, **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        network.save_weights("notop.h5")
    pixels = draw_images(*SHAPE)
    prepared = getattr(keras.applications, module).preprocess_input(pixels.copy())
    expected = network(prepared).numpy().mean((1, 2))
    architecture = application(name, weights="notop.h5", width=settings.get("alpha", 1.0))
    model = build(architecture, input_shape=SHAPE, num_classes=CLASSES)
    trained = architecture.load_weights(model.network, tmp_path)
    features = model.tapped(["top_average"]).network(pixels)[1].numpy()
    assert np.abs(features - expected).max() < 1e-4 * np.abs(expected).max()
    with_weights = {layer.name for layer in model.network.layers if layer.weights}
    assert with_weights - trained == {"exit_0_logits"}
    assert not {"TFOpLambda", "Functional"} & {type(one).__name__ for one in model.network.layers}


def test_exits_and_the_way_to_disk(
    tmp_path: Path, run_flat: Run, run_segments: Run, draw_images: Callable[..., np.ndarray]
):
    model = built("MobileNetV3Small", width=0.35, exits=("multiply_1",))
    pixels = draw_images(*SHAPE)
    flat = run_flat(model, pixels)
    for one, other in zip(flat, run_segments(model, pixels), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    save_model(tmp_path / "saved", model)
    loaded = load_model(tmp_path / "saved")
    names = [[layer.name for layer in each.network.layers] for each in (model, loaded)]
    assert names[0] == names[1]  # they do not count what this process built before
    for one, other in zip(flat, run_flat(loaded, pixels), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_width_makes_a_mobile_net_smaller_and_no_other():
    whole, half = (built("MobileNet", width=width).count_parameters() for width in (1.0, 0.5))
    assert half < 0.35 * whole
    with pytest.raises(ValidationError, match=r"width is 0\.5, which ResNet50 does not have; set"):
        application("ResNet50", width=0.5)


def test_efficientnet_lite_has_no_gates_and_a_width(tmp_path, run_flat, run_segments, draw_images):
    half, whole = (
        build(EfficientNetLite0(width=width), input_shape=SHAPE, num_classes=CLASSES, exits=exits)
        for width, exits in ((0.5, ("block2b_add",)), (1.0, ()))
    )
    assert half.count_parameters() < 0.35 * whole.count_parameters()
    kinds = {type(layer).__name__ for layer in whole.network.layers}
    assert not kinds & {"Multiply", "Activation", "Normalization", "TFOpLambda"}
    # Its authors list 4.7 million weights for a thousand classes, statistics not counted.
    trained = sum(int(np.prod(each.shape)) for each in whole.network.trainable_variables)
    assert round((trained + 1281 * (1000 - CLASSES)) / 1e6, 1) == 4.7
    pixels = draw_images(*SHAPE)
    for one, other in zip(run_flat(half, pixels), run_segments(half, pixels), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    with pytest.raises(ModelError, match="efficientnet_lite0 cannot be built for images of 8×8×3"):
        build(EfficientNetLite0(), input_shape=(8, 8, 3), num_classes=CLASSES)


def test_every_name_is_known_to_keras_and_to_params():
    names = [name for name in architectures.names() if name.startswith(PREFIX)]
    assert len(names) == 15
    for name in names:
        assert hasattr(keras.applications, name.removeprefix(PREFIX))
        assert architectures[name] is KerasApplication
        KerasApplication.model_validate({"name": name}).scale(keras.Input(SHAPE))


def test_images_that_are_too_small_or_grey_are_refused_in_words(tmp_path: Path):
    with pytest.raises(
        ModelError, match=r"MobileNetV2 cannot be built for images of 8×8×3 .*to 32"
    ):
        built("MobileNetV2", shape=(8, 8, 3))
    grey = application("MobileNetV2", width=0.35, weights="imagenet")
    model = build(grey, input_shape=(32, 32, 1), num_classes=CLASSES)
    with pytest.raises(
        ModelError, match=r"are for three channels, the images have 1; set data\.chan"
    ):
        grey.load_weights(model.network, tmp_path)


@pytest.fixture(scope="module")
def mobile() -> BuiltModel:
    return built("MobileNetV2", width=0.35)


def begin(model: BuiltModel, folder: Path, weights: str) -> set[str]:
    architecture = application("MobileNetV2", width=0.35, weights=weights)
    return architecture.load_weights(model.network, folder)


def test_weights_of_another_network_are_refused_with_the_file_to_give(mobile, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        published("MobileNetV2", alpha=0.5).save_weights("wide.h5")
        keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten()]).save("zip.keras")
        Path("broken.h5").write_bytes(Path("wide.h5").read_bytes()[:2000])
    for name in ("wide.h5", "broken.h5"):
        message = rf"weights in .*{name} are not those of MobileNetV2 without its top .*no_top\.h5"
        with pytest.raises(ModelError, match=message):
            begin(mobile, tmp_path, name)
    with pytest.raises(ModelError, match=r"zip\.keras is no HDF5 file, whatever its name says"):
        begin(mobile, tmp_path, "zip.keras")
    with pytest.raises(ModelError, match=r"none\.h5 is not there; put it into .*which DVC watches"):
        begin(mobile, tmp_path, "none.h5")


def test_keras_own_weights_come_from_its_cache(mobile, tmp_path, monkeypatch):
    network = published("MobileNetV2", alpha=0.35)
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        network.save_weights("cached.h5")
    monkeypatch.setattr(
        "tf_keras.src.utils.data_utils.get_file",
        lambda *_, **__: str(tmp_path / "cached.h5"),
    )
    begin(mobile, tmp_path, "imagenet")
    one, other = (each.get_layer("Conv1").get_weights()[0] for each in (mobile.network, network))
    np.testing.assert_array_equal(one, other)


def test_without_internet_a_sentence_says_what_to_do(mobile, tmp_path, monkeypatch):
    def fail(*_: Any, **__: Any) -> str:
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- no route")

    monkeypatch.setattr("tf_keras.src.utils.data_utils.get_file", fail)
    message = r"does not get the weights of MobileNetV2 \(URL fetch failure on .*without internet"
    with pytest.raises(ModelError, match=message):
        begin(mobile, tmp_path, "imagenet")


def test_random_weights_are_left_as_they_are(mobile, tmp_path):
    before = mobile.network.get_weights()
    architecture = application("MobileNetV2", width=0.35)
    assert architecture.load_weights(mobile.network, tmp_path) == set()
    for one, other in zip(before, mobile.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, tf.constant(other))
