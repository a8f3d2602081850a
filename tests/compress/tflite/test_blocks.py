"""Kernels over blocks of pixels: the same sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtasks.compress.tflite.space_to_depth import gains_by_blocks, kernel_over_blocks, pair_up


def test_three_taps_on_pairs_worked_by_hand():
    """Output 0 of pair i looks at the pixels 2i − 1, 2i, 2i + 1: one of pair i − 1, two of i."""
    assert pair_up(3, 1) == (3, [1, 2])


def test_three_taps_of_stride_two_worked_by_hand():
    """The padding is behind alone, so output i looks at the pixels 2i, 2i + 1, 2i + 2."""
    assert pair_up(3, 2) == (2, [0])


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    stride=st.sampled_from([1, 2]),
    channels=st.integers(1, 3),
    filters=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_a_spread_kernel_gives_the_same_sums(height, width, stride, channels, filters, seed):
    from kdtasks.core.backend import tf

    draw = np.random.default_rng(seed)
    image = draw.integers(-9, 10, (1, 8, 6, channels)).astype(np.float32)
    kernel = draw.integers(-9, 10, (filters, height, width, channels)).astype(np.float32)
    expected = tf.nn.conv2d(image, kernel.transpose(1, 2, 3, 0), stride, "SAME")
    spread = kernel_over_blocks(kernel, (stride, stride))
    blocks = tf.nn.space_to_depth(image, 2)
    found = tf.nn.conv2d(blocks, spread.transpose(1, 2, 3, 0), 1, "SAME")
    if stride == 1:
        found = tf.nn.depth_to_space(found, 2)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("weights", "stride", "gains"),
    [
        ((16, 3, 3, 3), 1, True),  # 4 positions' 16 filters fill one kernel of 64
        ((64, 3, 3, 3), 1, False),  # they were full
        ((64, 5, 5, 3), 1, True),  # but 5×5 taps become 3×3
        ((64, 3, 3, 3), 2, True),  # and 3×3 taps 2×2
        ((16, 3, 3, 17), 1, True),  # the 68 channels of a block need a second kernel: 4 / 2
        ((64, 3, 3, 17), 1, False),
        ((16, 1, 1, 3), 1, True),
    ],
)
def test_what_gains(weights, stride, gains):
    assert gains_by_blocks(weights, stride) is gains
