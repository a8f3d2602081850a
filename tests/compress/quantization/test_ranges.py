"""Ranges by percentile and by mean squared error."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.compress.number_formats.builtin import Int8
from kdtasks.compress.quantization.quantizer import quantize
from kdtasks.compress.quantization.ranges import least_error_range, percentile_range
from kdtasks.compress.quantization.trace import Trace

EDGES = np.linspace(-1, 3, 5)


def test_percentile_cuts_as_many_below_as_above():
    counts = np.array([10, 80, 0, 10])
    assert percentile_range(counts, EDGES, 100) == (-1, 3)
    assert percentile_range(counts, EDGES, 79) == (0, 1)  # a little over a tenth on either side
    assert percentile_range(counts, EDGES, 90) == (-1, 3)


def test_zero_stays_in_the_range():
    assert percentile_range(np.array([0, 0, 0, 5]), EDGES, 60) == (0, 3)


def test_an_outlier_is_clipped_where_steps_cost_more():
    """Of n values a range s costs n (s / 255)² / 12 + (1 − s)²: least at 1 / (1 + n / 780,300)."""
    edges = np.linspace(0, 1, 2049)
    outlier = np.zeros(2048, np.int64)
    outlier[:200], outlier[-1] = 5000, 1  # a million and one
    assert least_error_range(outlier, edges)[1] == pytest.approx(1 / (1 + 1e6 / 780_300), abs=0.05)
    assert least_error_range(np.full(2048, 7), edges)[1] == pytest.approx(1, abs=0.02)


@given(st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any), st.floats(50.1, 100))
def test_ranges_hold_zero_and_stay_inside(counts: list[int], percentile: float):
    found = np.array(counts)
    for low, high in (
        percentile_range(found, EDGES, percentile),
        least_error_range(found, EDGES),
    ):
        assert -1 <= low <= 0 <= high <= 3


def test_files_take_the_ranges_and_the_image_keeps_its_own(wide: Any):
    plain, clipped = (
        Trace(quantize(wide.calibrated, settings, wide.images)).graphs["segment_0"]
        for settings in (Int8(), Int8(ranges="percentile", percentile=95.0))
    )
    image = plain.inputs["image"]
    assert plain.tensors[image].scale == clipped.tensors[image].scale == 1
    for before, after in zip(plain.operators, clipped.operators, strict=True):
        broad, narrow = (
            graph.tensors[operator.outputs[0]].scale
            for graph, operator in ((plain, before), (clipped, after))
        )
        assert broad
        assert narrow
        assert narrow < broad


@pytest.mark.parametrize("name", ["cnn_average", "cnn_flatten", "unet"])
@pytest.mark.parametrize("ranges", ["percentile", "mse"])
def test_segments_fit_together(name: str, ranges: Any, build_network: Any, draw_images: Any):
    """A feature has one range, given and taken: `convert` opens the file as a device does."""
    from kdtasks.compress.convert import convert

    model = build_network(name)
    settings = Int8(ranges=ranges, percentile=99.0)
    images = draw_images(model, 4)
    assert convert(model, number_format="int8", representative=images, settings=settings)
