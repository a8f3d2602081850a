"""Answers as float16."""

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.learn.targets import to_float16


def test_numbers_within_float16_are_kept():
    logits, features = to_float16(
        [np.array([[65_504.0, -65_504.0]], np.float32), np.array([[0.1]], np.float32)], ["hidden"]
    )
    assert logits.dtype == features.dtype == np.float16
    np.testing.assert_array_equal(logits, [[65_504, -65_504]])
    np.testing.assert_allclose(features, [[0.1]], rtol=1e-3)


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
