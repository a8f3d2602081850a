"""Whole filters removed: what stays computes what it did, and the right ones go."""

from typing import Any

import numpy as np
import pytest

from kdtasks.compress.passes.filters import Filters
from kdtasks.core.errors import CompressionError

UNUSED: Any = None  # what these tests need no value for
NETWORKS = [
    *("cnn_flatten", "cnn_average", "resnet8", "resnet"),
    *("mobilenet", "two_branch", "alexnet", "unet", "composite"),
]


def l1(model, channels):
    from kdtasks.compress.pruning.importance import importance

    return importance(model, channels, rank="l1", examples=UNUSED)


@pytest.mark.parametrize("ratio", [0.4, 0.95])
@pytest.mark.parametrize("name", NETWORKS)
def test_removing_silent_channels_changes_nothing(
    name, ratio, build_network, draw_images, outputs, chain_outputs
):
    from kdtasks.compress.pruning.channels import Channels, choose_channels
    from kdtasks.compress.pruning.removal import mask_channels, remove_channels

    model = build_network(name)
    images = draw_images(model)
    before = outputs(model, images)
    channels = Channels(model.network)
    removed = choose_channels(channels, l1(model, channels), ratio)
    assert removed
    assert not removed & channels.fixed
    mask_channels(model.network, channels, removed)
    silent = outputs(model, images)
    assert np.abs(silent[-1] - before[-1]).max() > 1e-2  # they had something to say

    smaller = remove_channels(model, channels, removed)
    for expected, got in zip(silent, outputs(smaller, images), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5 * max(1, np.abs(expected).max()))
    for expected, got in zip(silent, chain_outputs(smaller, images), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5 * max(1, np.abs(expected).max()))
    names = [layer.name for layer in model.network.layers]
    assert [layer.name for layer in smaller.network.layers] == names
    assert smaller.taps == model.taps
    assert smaller.macs()[-1] < model.macs()[-1]
    assert smaller.count_parameters() < model.count_parameters()


@pytest.mark.parametrize("ratio", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_keeps_its_share_and_at_least_one_filter(name, ratio, build_network):
    from kdtasks.compress.pruning.channels import Channels, choose_channels

    model = build_network(name)
    channels = Channels(model.network)
    removed = choose_channels(channels, l1(model, channels), ratio)
    for layer_name in channels.producers:
        made = channels.produced_by(layer_name)
        gone = int(np.isin(made, sorted(removed)).sum())
        if channels.fixed.intersection(made.tolist()):
            assert gone == 0
        elif name == "composite" and layer_name == "over":
            # Tied to two layers, of 4 and 2 filters, each of which keeps its own share.
            assert gone == sum(min(int(ratio * size), size - 1) for size in (4, 2))
        else:
            assert gone == min(int(ratio * len(made)), len(made) - 1)


@pytest.fixture
def pair():
    """Give a function that ranks 1×1 filters, given their kernels [inputs, filters]."""
    from kdtasks.compress.pruning.channels import Channels, choose_channels
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    def rank(*kernels, ratio):
        image = keras.Input((2, 2, len(kernels[0])))
        branches = []
        for index, kernel in enumerate(kernels):
            layer = keras.layers.Conv2D(len(kernel[0]), 1, use_bias=False, name=f"conv_{index}")
            branches.append(layer(image))
            layer.set_weights([np.array(kernel, np.float32)[None, None]])
        tensor = keras.layers.Add()(branches) if len(branches) > 1 else branches[0]
        network = keras.Model(image, keras.layers.Conv2D(1, 1)(tensor))
        channels = Channels(network)
        first = int(channels.produced_by("conv_0").min())
        scores = l1(MultiExitModel(network), channels)
        return {number - first for number in choose_channels(channels, scores, ratio)}

    return rank


def test_the_smallest_l1_norms_go_first(pair):
    # Norms 4, 3, 0.5, 3: a large negative weight counts, and of equals the first goes.
    kernel = [[1.0, -3.0, 0.25, 1.5], [3.0, 0.0, -0.25, 1.5]]
    assert pair(kernel, ratio=0.25) == {2}
    assert pair(kernel, ratio=0.5) == {1, 2}
    assert pair(kernel, ratio=0.99) == {1, 2, 3}


def test_tied_layers_have_an_equal_say(pair):
    # Relative norms 0.4, 0.8, 1.8 and 1.2, 0.3, 1.5: together 1.6, 1.1, 3.3, though the first
    # layer's weights are a hundred times larger.
    assert pair([[200.0, 400.0, 900.0]], [[4.0, 1.0, 5.0]], ratio=0.4) == {1}


def test_a_layer_of_zeros_is_ranked_without_a_warning(pair):
    assert pair([[0.0, 0.0, 0.0, 0.0]], ratio=0.5) == {0, 1}


@pytest.fixture
def chain():
    """Channels of 2, 4 and 3 filters and the logits', and their numbers by layer."""
    from kdtasks.compress.pruning.channels import Channels
    from kdtasks.core.backend import keras

    image = keras.Input((2, 2, 1))
    tensor = keras.layers.Conv2D(2, 1, name="a")(image)
    tensor = keras.layers.Conv2D(4, 1, name="b")(tensor)
    tensor = keras.layers.Conv2D(3, 1, name="c")(tensor)
    channels = Channels(keras.Model(image, keras.layers.Conv2D(1, 1, name="logits")(tensor)))
    return channels, {name: channels.produced_by(name).tolist() for name in "abc"}


def test_all_layers_compete_where_asked(chain):
    from kdtasks.compress.pruning.channels import choose_channels

    channels, numbers = chain
    order = [*numbers["a"], *numbers["b"], *numbers["c"]]
    scores = dict(zip(order, [5, 6, 1, 2, 3, 4, 7, 8, 9], strict=True))
    # Four of nine go; the last of a layer stays though others score higher.
    removed = choose_channels(channels, scores, 0.5, together=True)
    assert removed == {*numbers["b"][:3], numbers["a"][0]}
    assert len(choose_channels(channels, scores, 0.99, together=True)) == 6


def test_single_layers_have_shares_of_their_own(chain):
    from kdtasks.compress.pruning.channels import choose_channels

    channels, numbers = chain
    scores = {number: float(number) for number in [n for layer in numbers.values() for n in layer]}
    removed = choose_channels(channels, scores, 0.5, ratios={"b": 0.0, "c": 0.7})
    assert removed == {numbers["a"][0], *numbers["c"][:2]}
    # Those with a share of their own do not compete: one of the five others.
    together = choose_channels(channels, scores, 0.3, ratios={"b": 0.75}, together=True)
    assert together == {numbers["a"][0], *numbers["b"][:3]}
    with pytest.raises(CompressionError, match=r"names 'bb', which has .*: a, b, c; did you mean"):
        choose_channels(channels, scores, 0.5, ratios={"bb": 0.1})


def test_layers_that_were_not_ranked_stay_whole(chain):
    from kdtasks.compress.pruning.channels import choose_channels

    channels, numbers = chain
    scores = dict.fromkeys(numbers["b"], 1.0)
    assert choose_channels(channels, scores, 0.5) == set(numbers["b"][:2])


def test_filters_fine_tunes_what_is_left(build_network, make_context, capsys):
    model = build_network("cnn_average")
    item = Filters(ratio=0.5, epochs=2)
    smaller = item.apply(model, make_context(model))
    sizes = [smaller.network.get_layer(f"block_{n}_1_conv").filters for n in (1, 2)]
    assert sizes == [2, 3]
    printed = capsys.readouterr().out
    assert f"{model.count_parameters():,} to {smaller.count_parameters():,} parameters" in printed


def test_a_share_of_the_compute_is_searched_for(build_network, make_context):
    model = build_network("cnn_flatten")
    item = Filters(rank="taylor", scope="global", target={"macs": 0.6}, epochs=1)
    smaller = item.apply(model, make_context(model))
    assert 0.4 < smaller.macs()[-1] / model.macs()[-1] <= 0.6
