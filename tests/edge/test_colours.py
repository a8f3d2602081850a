import dataclasses
import itertools

import numpy as np
import pytest

from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.segmenter import class_colours, spaced_colours


@pytest.fixture
def manifest(make_bundle):
    return read_manifest(make_bundle(class_names=["roof", "road"]))


def of_classes(**classes):
    return {"data": {"source": {"classes": classes}}}


def test_colours_of_the_masks_are_kept(manifest):
    # As params name them, in any order.
    named = dataclasses.replace(manifest, parameters=of_classes(road="#6EC1E4", roof="#3c1098"))
    found = class_colours(named)
    assert found.dtype == np.uint8
    assert found.tolist() == [[0x3C, 0x10, 0x98], [0x6E, 0xC1, 0xE4]]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"data": {"source": {"name": "mnist-5k"}}},
        of_classes(roof=0, road=1),
        of_classes(roof="#3C1098"),
    ],
)
def test_others_get_fixed_ones(manifest, parameters):
    found = class_colours(dataclasses.replace(manifest, parameters=parameters))
    assert found.tolist() == spaced_colours(2).tolist()


def test_fixed_colours_are_far_apart_and_do_not_depend_on_their_number():
    many = spaced_colours(21).astype(int)
    assert spaced_colours(5).tolist() == many[:5].tolist()
    assert spaced_colours(0).shape == (0, 3)
    # The largest difference of a channel, of any two.
    distances = [np.abs(left - right).max() for left, right in itertools.combinations(many, 2)]
    assert min(distances) >= 35
