"""Clustering: few values in every kernel, zeros kept, interruptions without a trace."""

import numpy as np
import pytest

from kdtasks.compress.passes.cluster import Cluster


def test_kernels_share_few_values_and_keep_their_zeros(
    build_network, make_context, draw_images, outputs, chain_outputs
):
    model = build_network("cnn_flatten")
    names = [layer.name for layer in model.network.layers]
    sparse = model.network.get_layer("block_2_1_conv")
    [kernel] = sparse.get_weights()
    kernel[::2] = 0
    sparse.set_weights([kernel])
    few = model.network.get_layer("exit_1_logits")
    bias = few.get_weights()[1]
    sign = np.sign(few.get_weights()[0])
    sign[:3] = 0
    few.set_weights([sign, bias])  # three values: nothing to share
    clustered = Cluster(clusters=6, epochs=2).apply(model, make_context(model))
    assert [layer.name for layer in clustered.network.layers] == names
    for layer in clustered.network.layers:
        if type(layer).__name__ in ("Conv2D", "Dense"):
            assert len(np.unique(layer.get_weights()[0])) <= 6, layer.name
    [found] = clustered.network.get_layer("block_2_1_conv").get_weights()
    assert not found[::2].any()
    trained = clustered.network.get_layer("exit_1_logits").get_weights()[0]
    assert not trained[sign == 0].any()
    for value in (-1.0, 1.0):
        [shared] = np.unique(trained[sign == value])
        assert shared != value
    images = draw_images(clustered)
    for flat, chained in zip(
        outputs(clustered, images), chain_outputs(clustered, images), strict=True
    ):
        np.testing.assert_allclose(chained, flat, atol=1e-5 * max(1, np.abs(flat).max()))


def test_an_interrupted_clustering_ends_with_the_same_bits(
    build_network, make_context, interrupted, tmp_path
):
    from kdtasks.learn.training.checkpoint import Checkpoint

    path = tmp_path / "cluster.npz"

    def run(**checkpoints):
        model = build_network("cnn_small")
        context = make_context(model, **checkpoints)
        return Cluster(clusters=4, epochs=2).apply(model, context).network

    expected = run().get_weights()
    with pytest.raises(KeyboardInterrupt):
        run(cluster=interrupted(path, epoch=1))
    resumed = run(cluster=Checkpoint(path, settings="same")).get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(expected, resumed, strict=True))
