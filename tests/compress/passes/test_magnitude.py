"""Magnitude pruning: the sparsity asked for, in every kernel, however training was interrupted."""

import numpy as np
import pytest

from kdtasks.compress.passes.magnitude import Magnitude, _schedule
from kdtasks.core.errors import CompressionError


def kernels(model):
    return {
        layer.name: layer.get_weights()[0]
        for layer in model.network.layers
        if type(layer).__name__ in ("Conv2D", "Dense")
    }


# 65 steps grow for 39, which looks every 20 do not divide; 5 steps are fewer than one look's.
@pytest.mark.parametrize(("sparsity", "epochs"), [(0.8, 13), (0.35, 1)])
def test_every_kernel_is_as_sparse_as_asked(
    sparsity, epochs, build_network, make_context, draw_images, outputs, chain_outputs
):
    model = build_network("cnn_flatten")
    names = [layer.name for layer in model.network.layers]
    pruned = Magnitude(sparsity=sparsity, epochs=epochs).apply(model, make_context(model))
    for name, kernel in kernels(pruned).items():
        zeros = np.count_nonzero(kernel == 0)
        assert zeros == pytest.approx(sparsity * kernel.size, abs=1), name
    assert [layer.name for layer in pruned.network.layers] == names
    assert pruned.taps == model.taps
    images = draw_images(pruned)
    for flat, chained in zip(outputs(pruned, images), chain_outputs(pruned, images), strict=True):
        np.testing.assert_allclose(chained, flat, atol=1e-5 * max(1, np.abs(flat).max()))


def test_an_interrupted_pruning_ends_with_the_same_bits(
    build_network, make_context, interrupted, tmp_path
):
    from kdtasks.learn.training.checkpoint import Checkpoint

    item = Magnitude(sparsity=0.5, epochs=9)
    path = tmp_path / "magnitude.npz"

    def prune(**checkpoints):
        model = build_network("cnn_small")
        return item.apply(model, make_context(model, **checkpoints))

    expected = prune().network.get_weights()
    with pytest.raises(KeyboardInterrupt):
        prune(magnitude=interrupted(path, epoch=5))
    assert path.is_file()
    resumed = prune(magnitude=Checkpoint(path, settings="same")).network.get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(expected, resumed, strict=True))


def test_two_of_four_zeroes_half_of_every_four_neighbours(build_network, make_context):
    item = Magnitude(sparsity=0.5, pattern="two_of_four", epochs=1)
    model = build_network("cnn_flatten")
    pruned = item.apply(model, make_context(model))
    checked = 0
    for kernel in kernels(pruned).values():
        for channels in np.moveaxis(kernel, -2, -1).reshape(-1, kernel.shape[-2]):
            groups = channels[: len(channels) // 4 * 4].reshape(-1, 4)
            assert ((groups == 0).sum(axis=1) >= 2).all()
            checked += len(groups)
    assert checked > 50
    item.check(pruned)


@pytest.mark.parametrize(
    ("params", "steps", "expected"),
    [
        # 100 steps: from 10 to 60, looks every 20 that end at 50.
        ({"begin": 0.1, "end": 0.6, "frequency": 20}, 100, (10, 50, 20)),
        ({"begin": 0.0, "end": 1.0, "frequency": 7}, 3, (0, 3, 3)),
        ({"begin": 0.5, "end": 0.6, "frequency": 20}, 5, (2, 3, 1)),
    ],
)
@pytest.mark.parametrize("schedule", ["polynomial", "constant"])
def test_schedules_are_shares_of_all_steps(schedule, params, steps, expected):
    from kdtasks.core.backend import pruning

    found = _schedule(pruning(), Magnitude(schedule=schedule, **params), steps)
    assert (found.begin_step, found.end_step, found.frequency) == expected
    kind = "PolynomialDecay" if schedule == "polynomial" else "ConstantSparsity"
    assert type(found).__name__ == kind


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"begin": 0.7}, "begin is 0.7, end 0.6; begin must come first"),
        ({"pattern": "two_of_four"}, "zeroes half of the weights, sparsity is 0.8"),
    ],
)
def test_impossible_settings_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        Magnitude(**params)


@pytest.mark.parametrize("pattern", ["any", "two_of_four"])
def test_zeros_that_grew_back_are_an_error(pattern, build_network):
    model = build_network("resnet8")
    item = Magnitude(sparsity=0.5, pattern=pattern)
    with pytest.raises(CompressionError, match=r"layer '\w+' has 0\.0% zeros.* left 50\.0%"):
        item.check(model)
