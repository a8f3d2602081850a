"""Training for int8: every kernel is rounded, the network stays itself, interruptions show not."""

import numpy as np
import pytest

from kdtasks.compress.passes.qat import Qat, _imitate_int8
from kdtasks.core.errors import CompressionError


@pytest.mark.parametrize(
    "name", ["cnn_flatten", "resnet8", "resnet", "mobilenet", "two_branch", "unet"]
)
def test_int8_is_imitated_in_every_kernel(name, build_network, draw_images, outputs):
    from kdtasks.core.backend import tf
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    model = build_network(name)
    images = draw_images(model, 32)
    expected = outputs(model, images)
    kernels = {
        variable.name.split(":")[0]
        for variable in model.network.trainable_variables
        if len(variable.shape) > 1
    }
    statistics = {v.name: v.numpy() for v in model.network.weights if "moving" in v.name}
    wrapped = _imitate_int8(model.network)
    rounded = {
        variable.name.removeprefix("quant_").removesuffix("_min:0")
        for variable in wrapped.weights
        if variable.name.endswith("kernel_min:0")
    }
    assert rounded == kernels
    # Two looks set the ranges; the statistics that they moved are put back.
    for _ in range(2):
        wrapped(tf.cast(images, tf.float32), training=True)
    for variable in wrapped.weights:
        if variable.name in statistics:
            variable.assign(statistics[variable.name])
    found = outputs(MultiExitModel(wrapped, taps=model.taps), images)
    for one, other in zip(expected, found, strict=True):
        assert not np.array_equal(one, other)
        assert np.abs(one - other).max() < 0.25 * np.abs(one).max()


@pytest.mark.parametrize("name", ["cnn_flatten", "resnet8"])
def test_exits_may_look_on_while_int8_is_imitated(name, build_network, draw_images):
    from kdtasks.core.backend import tf
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    model = build_network(name)
    assert model.num_exits > 1
    images = tf.cast(draw_images(model, 4), tf.float32)
    wrapped = MultiExitModel(_imitate_int8(model.network), taps=model.taps)
    logits, _ = wrapped.tapped((), exit_gradient=0.0)(images)
    for one, other in zip(logits, wrapped.logits(images), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_layer_that_cannot_be_rounded_is_named(make_context):
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    image = keras.Input((4, 4, 1), name="image")
    tensor = keras.layers.ELU(name="bend")(keras.layers.Conv2D(2, 3, name="conv")(image))
    network = keras.Model(image, keras.layers.Flatten(name="flat")(tensor))
    model = MultiExitModel(network)
    with pytest.raises(CompressionError, match="layer 'bend' is a ELU, which tfmot cannot train"):
        Qat().apply(model, make_context(model))


def test_a_lone_batch_normalisation_is_named(make_context):
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    image = keras.Input((4, 4, 1), name="image")
    tensor = keras.layers.MaxPooling2D(name="pool")(image)
    tensor = keras.layers.BatchNormalization(name="alone")(tensor)
    network = keras.Model(image, keras.layers.Flatten(name="flat")(tensor))
    model = MultiExitModel(network)
    with pytest.raises(CompressionError, match=r"tfmot cannot train this network .*Layer alone:"):
        Qat().apply(model, make_context(model))


def test_an_interrupted_training_ends_with_the_same_bits_zeros_and_equal_weights(
    build_network, make_context, interrupted, tmp_path
):
    from kdtasks.learn.training.checkpoint import Checkpoint

    path = tmp_path / "qat.npz"
    kernel = np.array([0.0, 0.5, -0.25])[np.arange(9 * 5).reshape(3, 3, 1, 5) % 3]

    def run(**checkpoints):
        model = build_network("cnn_small")  # with dropout
        model.network.get_layer("block_1_1_conv").set_weights([kernel])
        return Qat(epochs=2).apply(model, make_context(model, **checkpoints)).network

    network = run()
    with pytest.raises(KeyboardInterrupt):
        run(qat=interrupted(path, epoch=1))
    resumed = run(qat=Checkpoint(path, settings="same"))
    for one, other in zip(network.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    [trained] = network.get_layer("block_1_1_conv").get_weights()
    assert not trained[kernel == 0].any()
    for value in (0.5, -0.25):
        [shared] = np.unique(trained[kernel == value])
        assert shared != value
