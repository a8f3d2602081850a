import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdtasks.edge.scores import max_probability, softmax


def test_golden_values():
    # e^0 : e^ln 3 is 1 : 3; at temperature ½ the odds are squared, 1 : 9.
    logits = np.array([0.0, np.log(3.0)])
    np.testing.assert_allclose(softmax(logits), [0.25, 0.75], rtol=1e-12)
    np.testing.assert_allclose(softmax(logits, 0.5), [0.1, 0.9], rtol=1e-12)
    assert max_probability(logits, 0.5) == pytest.approx(0.9)


def test_one_temperature_an_exit():
    logits = np.log(np.array([[[1.0, 3.0], [1.0, 3.0]]]))
    np.testing.assert_allclose(max_probability(logits, [1.0, 0.5]), [[0.75, 0.9]])


def test_huge_logits_are_safe():
    np.testing.assert_array_equal(softmax([1e5, 0.0, -1e5]), [1.0, 0.0, 0.0])
    assert max_probability([3e38, 3e38], 0.05) == 0.5


@given(
    arrays(np.float32, (5, 4), elements=st.floats(-50, 50, width=32)),
    st.floats(0.05, 100.0),
)
def test_score_is_the_largest_probability_to_the_last_bit(logits, temperature):
    probabilities = softmax(logits, temperature)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(max_probability(logits, temperature), probabilities.max(axis=1))
    # The device scores one picture at a time and must come to the same bits.
    alone = [softmax(row, temperature)[row.argmax()] for row in logits]
    np.testing.assert_array_equal(max_probability(logits, temperature), alone)
