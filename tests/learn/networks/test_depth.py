"""Each network says which of its settings are its depth."""

import pytest

from kdtasks.learn.networks import architectures


@pytest.mark.parametrize(
    ("network", "layers", "expected"),
    [
        ({"name": "cnn", "filters": [4, 8]}, 1, {"convolutions": 2}),
        ({"name": "cnn", "filters": [4, 8], "convolutions": 3}, -1, {"convolutions": 2}),
        ({"name": "cnn", "filters": [4, 8]}, -1, {"convolutions": 1}),
        ({"name": "unet", "filters": [4, 8, 16]}, -1, {"filters": (4, 8)}),
        ({"name": "unet", "filters": [4, 8]}, 2, {"filters": (4, 8, 8, 8)}),
        # each run of equal blocks; the one that halves stays
        (
            {"name": "resnet", "filters": [16, 16, 32], "strides": [1, 1, 2]},
            -1,
            {"filters": (16, 32), "strides": (1, 2)},
        ),
        (
            {"name": "mobilenet", "filters": [24, 24, 48], "strides": [2, 2, 1]},
            1,
            {"filters": (24, 24, 24, 24, 48, 48), "strides": (2, 1, 2, 1, 1, 1)},
        ),
        (
            {"name": "two_branch", "trunk": [8, 9], "coarse": [6], "fine": [5, 5, 5]},
            -1,
            {"trunk": (8,), "coarse": (6,), "fine": (5, 5), "merged": ()},
        ),
    ],
)
def test_layers_join_or_leave(network, layers, expected):
    kind = architectures[network["name"]]
    deepened = kind.model_validate(network).deepened(layers)
    assert expected.items() <= deepened.model_dump().items()


def test_a_network_of_one_depth_says_so():
    network = architectures["resnet8"](name="resnet8")
    with pytest.raises(ValueError, match=r"resnet8 has one depth; set search\.student\.depths"):
        network.deepened(1)


def test_what_is_deep_is_a_setting():
    for kind in architectures:
        assert set(kind.deep) <= set(kind.model_fields)
