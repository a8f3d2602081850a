"""Every pass on the beginnings of published backbones: it works, or names what it cannot follow."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kdtasks.compress.convert import convert
from kdtasks.compress.passes.cluster import Cluster
from kdtasks.compress.passes.magnitude import Magnitude
from kdtasks.compress.passes.qat import Qat
from kdtasks.compress.pruning.channels import Channels, choose_channels
from kdtasks.compress.pruning.importance import importance
from kdtasks.compress.pruning.removal import mask_channels, remove_channels
from kdtasks.core.backend import keras, seed_everything, tf
from kdtasks.core.errors import CompressionError
from kdtasks.edge.segments import Segments
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.keras_applications import KerasApplication
from kdtasks.learn.networks.multi_exit import MultiExitModel

SHAPE = (32, 32, 3)
MOBILE = ("MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large")
# Where each is cut, behind one of every kind of its blocks, and the pass that cannot serve it.
CUTS = {
    "MobileNet": "conv_pw_2_relu",
    "MobileNetV2": "block_2_add",
    "MobileNetV3Small": "expanded_conv_4/Add",
    "MobileNetV3Large": "expanded_conv_4/Add",
    "EfficientNetB0": "block2b_add",
    "EfficientNetV2B0": "block4b_add",
    "ResNet50": "conv2_block2_out",
    "ResNet50V2": "conv2_block2_out",
    "DenseNet121": "conv2_block2_concat",
}
GATED = ("MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetV2B0")


def application(name: str, **settings: Any) -> KerasApplication:
    return KerasApplication.model_validate({"name": f"keras_applications/{name}", **settings})


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, *SHAPE), np.uint8)


QUICK = ("MobileNetV2", "MobileNetV3Small", "EfficientNetB0")
PARAMS = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in CUTS]


@pytest.fixture(scope="module", params=PARAMS)
def backbone(request: pytest.FixtureRequest, randomise: Any) -> tuple[str, MultiExitModel]:
    name = request.param
    seed_everything(0)
    architecture = application(name, width=0.35 if name in MOBILE else 1.0)
    network = build(architecture, input_shape=SHAPE, num_classes=3).network
    tensor = keras.layers.GlobalAveragePooling2D(name="top")(network.get_layer(CUTS[name]).output)
    cut = keras.Model(network.inputs, keras.layers.Dense(3, name="answer")(tensor), name=name)
    fresh = keras.models.clone_model(cut)  # layers of one graph alone
    model = MultiExitModel(fresh)
    randomise(model, seed=1)
    return name, model


@pytest.fixture
def context() -> Any:
    """What passes train with, without a training: it is the networks that are looked at."""

    def run(model: MultiExitModel, **_: Any) -> None:
        for layer in model.network.layers:
            if hasattr(layer, "pruning_step"):  # the last look at which weights are the smallest
                layer.pruning_step.assign(6)
                layer.pruning_obj.conditional_mask_update()

    fine_tuning = SimpleNamespace(run=run, count_steps=lambda epochs: 10)
    return SimpleNamespace(fine_tuning=fine_tuning)


def test_filters_that_are_removed_were_worth_nothing_once_masked(backbone, images):
    _, model = backbone
    channels = Channels(model.network)
    scores = importance(model, channels, rank="l1", examples=None)  # type: ignore[arg-type]
    removed = choose_channels(channels, scores, 0.3)
    smaller = remove_channels(model, channels, removed)
    assert smaller.count_parameters() < 0.85 * model.count_parameters()
    assert smaller.macs()[-1] < model.macs()[-1]
    weights, pixels = model.network.get_weights(), tf.constant(images, tf.float32)
    mask_channels(model.network, channels, removed)
    [expected], [found] = model.logits(pixels), smaller.logits(pixels)
    model.network.set_weights(weights)
    assert np.abs(expected - found).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("item", [Magnitude(sparsity=0.5), Cluster(clusters=8)])
def test_passes_on_kernels_leave_the_network_as_it_is(item, backbone, context):
    _, model = backbone
    found = item.apply(model.rebuilt(model.network), context)  # passes use up what they are given
    names = [[layer.name for layer in each.network.layers] for each in (model, found)]
    assert names[0] == names[1]
    kernel = next(layer for layer in found.network.layers if type(layer).__name__ == "Conv2D")
    values = kernel.get_weights()[0]
    assert (values == 0).mean() >= 0.49 if item.name == "magnitude" else len(np.unique(values)) <= 8


def test_training_for_int8_serves_it_or_names_the_layer(backbone, context):
    name, model = backbone[0], backbone[1].rebuilt(backbone[1].network)
    if name in GATED:
        with pytest.raises(
            CompressionError, match=r"layer '\w+' is a Multiply, which tfmot cannot"
        ):
            Qat().apply(model, context)
    elif name in ("ResNet50V2", "DenseNet121"):  # normalisation that follows no convolution
        with pytest.raises(CompressionError, match="tfmot cannot train this network for int8"):
            Qat().apply(model, context)
    else:
        found = Qat().apply(model, context)
        for one, other in zip(model.network.weights, found.network.weights, strict=True):
            assert one.name == other.name


@pytest.mark.slow
@pytest.mark.parametrize("backbone", QUICK, indirect=True)  # the others have no other layers
@pytest.mark.parametrize("number_format", ["float32", "int8"])
def test_litert_computes_it(number_format, backbone, images):
    _, model = backbone
    content = convert(model, number_format=number_format, representative=images)
    assert Segments(content)
