"""Answers as float16."""

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.learn.targets.precision import to_float16


def test_numbers_within_float16_are_kept():
    logits, features = to_float16(
        [np.array([[0.0, -65_504.0]], np.float32), np.array([[0.1]], np.float32)], ["hidden"]
    )
    assert logits.dtype == features.dtype == np.float16
    np.testing.assert_array_equal(logits, [[0, -65_504]])
    np.testing.assert_allclose(features, [[0.1]], rtol=1e-3)


def test_what_all_logits_of_an_image_share_costs_no_digits():
    """Logits 0.01 apart, a thousand above 0, where float16 knows only multiples of a half."""
    spread = np.array([[0.0, -0.01, -3.0], [-0.02, 0.0, -1.0]], np.float32)
    (logits,) = to_float16([spread + 1000], [])
    np.testing.assert_allclose(logits, spread, atol=1e-3)
    (masks,) = to_float16([np.stack([spread, spread - 7])[None] + 1000], [])
    np.testing.assert_allclose(masks[0, 1], spread - 7, atol=4e-3)  # positions keep their distance


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (65_505.0, "reach 65505; targets are stored as float16, which holds up to 65,504: name a"),
        (-1e6, r"reach 1e\+06; targets"),
        (np.nan, "are not all finite; look at its weights"),
        (-np.inf, "are not all finite; look at its weights"),
    ],
)
def test_features_beyond_float16_are_refused(bad: float, message: str):
    features = np.zeros((3, 2), np.float32)
    features[1, 1] = bad
    with pytest.raises(TeacherError, match=f"the teacher's features of block_2 {message}"):
        to_float16([np.zeros((3, 2), np.float32), features], ["block_2"])
