"""Logits, probabilities, and the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kdtasks.learn.teachers.outputs import are_probabilities, to_logits

ROWS = arrays.arrays(np.float32, (5, 4), elements=st.floats(-30, 30, width=32))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@given(ROWS)
def test_the_softmax_of_log_p_is_p(rows):
    probabilities = softmax(rows)
    assert are_probabilities(probabilities)
    np.testing.assert_allclose(softmax(to_logits(probabilities)), probabilities, rtol=1e-4)


def test_a_probability_of_zero_has_a_finite_logit():
    logits = to_logits(np.array([[1.0, 0.0]]))
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, [[0.0, -87.33654]], rtol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([[0.25, 0.75], [1.0, 0.0]], True),
        ([[0.25, 0.751]], True),  # float16's precision
        ([[0.25, 0.75], [0.5, 0.6]], False),  # one row is enough
        ([[-0.5, 1.5]], False),
        ([[3.0, 4.0]], False),
        ([[np.nan, 1.0]], False),
        ([[[0.5, 0.5], [0.1, 0.9]]], True),  # one row a pixel
    ],
)
def test_rows_that_add_up_to_one_are_probabilities(outputs, expected):
    assert are_probabilities(np.array(outputs)) is expected
