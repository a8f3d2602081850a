"""Magnitude pruning: the sparsity asked for, in every kernel, however training was interrupted."""

import numpy as np
import pytest

from kdtasks.params.compression import MagnitudeParams


def kernels(model):
    return {
        layer.name: layer.get_weights()[0]
        for layer in model.network.layers
        if type(layer).__name__ in ("Conv2D", "Dense")
    }


# 65 steps grow for 39, which looks every 20 do not divide; 5 steps are fewer than one look's.
@pytest.mark.parametrize(("sparsity", "epochs"), [(0.8, 13), (0.35, 1)])
def test_every_kernel_is_as_sparse_as_asked(
    sparsity, epochs, build_network, make_fine_tuning, pictures, outputs, chain_outputs
):
    from kdtasks.compression.magnitude import prune_magnitudes

    model = build_network("cnn_flatten")
    names = [layer.name for layer in model.network.layers]
    pruned = prune_magnitudes(
        model, MagnitudeParams(sparsity=sparsity, epochs=epochs), make_fine_tuning(model)
    )
    for name, kernel in kernels(pruned).items():
        zeros = np.count_nonzero(kernel == 0)
        assert zeros == pytest.approx(sparsity * kernel.size, abs=1), name
    assert [layer.name for layer in pruned.network.layers] == names
    assert pruned.taps == model.taps
    images = pictures(pruned)
    for flat, chained in zip(outputs(pruned, images), chain_outputs(pruned, images), strict=True):
        np.testing.assert_allclose(chained, flat, atol=1e-5 * max(1, np.abs(flat).max()))


def test_an_interrupted_pruning_ends_with_the_same_bits(build_network, make_fine_tuning, tmp_path):
    from kdtasks.compression.magnitude import prune_magnitudes
    from kdtasks.training.checkpoint import Checkpoint

    class Interrupted(Checkpoint):
        def save(self, progress):
            super().save(progress)
            if progress.epoch == 5:
                raise KeyboardInterrupt

    params = MagnitudeParams(sparsity=0.5, epochs=9)
    path = tmp_path / "magnitude.npz"

    def prune(**checkpoints):
        model = build_network("cnn_average")
        return prune_magnitudes(model, params, make_fine_tuning(model, **checkpoints))

    expected = prune().network.get_weights()
    with pytest.raises(KeyboardInterrupt):
        prune(magnitude=Interrupted(path, settings="same"))
    assert path.is_file()
    resumed = prune(magnitude=Checkpoint(path, settings="same")).network.get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(expected, resumed, strict=True))
