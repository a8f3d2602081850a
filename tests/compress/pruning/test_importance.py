"""Scores of filters: scales by hand, Taylor's criterion against a finite difference."""

import numpy as np
import pytest

from kdtasks.core.errors import CompressionError


def score(model, rank, examples=None, ignore_label=None):
    from kdtasks.compress.pruning.channels import Channels
    from kdtasks.compress.pruning.importance import importance

    channels = Channels(model.network)
    scores = importance(model, channels, rank=rank, examples=examples, ignore_label=ignore_label)
    return lambda name: np.array(
        [scores.get(n, np.nan) for n in channels.produced_by(name).tolist()]
    )


def test_scales_are_relative_to_their_layer(build_network):
    model = build_network("cnn_flatten")
    norm = model.network.get_layer("block_1_1_norm")
    norm.gamma.assign([0.5, -1.5, 1.0, 0.0, 2.0])
    scores = score(model, "batch_norm_scale")
    np.testing.assert_allclose(scores("block_1_1_conv"), [0.5, 1.5, 1.0, 0.0, 2.0])
    assert np.isnan(scores("dense_1")).all()  # without batch normalisation


def test_networks_without_scales_are_refused(build_network):
    with pytest.raises(CompressionError, match=r"of the layers block_1_1_conv, .* is followed"):
        score(build_network("cnn_average"), "batch_norm_scale")


@pytest.mark.parametrize(
    ("name", "layer_name"),
    [("cnn_average", "block_1_1_conv"), ("composite", "up"), ("unet_plain", "up_2_0_conv")],
)
def test_taylor_is_the_slope_of_the_loss(name, layer_name, build_network, make_fine_tuning):
    from kdtasks.core.backend import tf
    from kdtasks.learn.losses.labels.cross_entropy import CrossEntropy
    from kdtasks.learn.training.examples import TrainingExamples

    model = build_network(name)
    fine_tuning = make_fine_tuning(model)
    whole, ignore_label = fine_tuning.examples, fine_tuning.ignore_label
    examples = TrainingExamples(whole.images[:, :64], whole.labels[:, :64])  # one batch
    layer = model.network.get_layer(layer_name)
    found = score(model, "taylor", examples, ignore_label)(layer.name)
    images = tf.cast(examples.images[0], tf.float32)

    def loss():
        exits = model.logits(images)
        labels = examples.labels[0]
        return sum(
            float(CrossEntropy()(logits, labels, ignore_label=ignore_label)) for logits in exits
        )

    slopes = []
    kernel = layer.kernel.numpy()
    axis = 2 if name == "composite" else 3  # a transposed convolution has its filters third
    for index in range(kernel.shape[axis]):
        chosen = np.arange(kernel.shape[axis]) == index
        step = np.where(chosen if axis == 3 else chosen[:, None], 0.01, 0.0)
        layer.kernel.assign(kernel * (1 + step))
        above = loss()
        layer.kernel.assign(kernel * (1 - step))
        slopes.append((above - loss()) / 0.02)
    expected = np.square(slopes)
    np.testing.assert_allclose(found, expected / expected.mean(), rtol=0.05, atol=0.01)


def test_tied_layers_share_a_score(build_network):
    scores = score(build_network("composite"), "l1")
    over = scores("over")
    np.testing.assert_array_equal(over, [*scores("left"), *scores("right")])
