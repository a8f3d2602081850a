"""Logits, probabilities, and the way back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kdtasks.learn.teachers.outputs import are_probabilities, mean_logits, to_logits

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


def probabilities(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_two_members_by_hand():
    # softmax(ln 3, 0) = (3/4, 1/4); softmax(0, ln 9) = (1/10, 9/10): their mean (17/40, 23/40).
    first, second = np.array([[math.log(3), 0.0]]), np.array([[0.0, math.log(9)]])
    logits = mean_logits([first, second])
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, [[math.log(17 / 40), math.log(23 / 40)]], rtol=1e-6)


def test_a_sure_member_does_not_decide_alone():
    """The mean of the logits would be for class 0."""
    sure, others = np.array([[30.0, 0.0]]), np.array([[0.0, 2.0]])
    assert mean_logits([sure, others, others]).argmax() == 1
    assert np.mean([sure, others, others], axis=0).argmax() == 0


@given(
    st.lists(
        st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1, max_size=4
    )
)
def test_its_softmax_is_the_mean_of_the_members_whatever_their_logits(rows: list[list[float]]):
    members = [np.array([row], np.float32) for row in rows]
    logits = mean_logits(members)
    assert np.isfinite(logits).all()
    expected = np.mean([probabilities(member) for member in members], axis=0)
    np.testing.assert_allclose(np.exp(logits.astype(np.float64)), expected, rtol=1e-2, atol=1e-9)


def test_pixels_are_averaged_each():
    members = np.random.default_rng(0).normal(size=(3, 2, 4, 4, 5)).astype(np.float32)
    logits = mean_logits(list(members))
    assert logits.shape == (2, 4, 4, 5)
    expected = probabilities(members).mean(axis=0)
    np.testing.assert_allclose(np.exp(logits), expected, rtol=1e-5)


def test_one_member_is_itself():
    member = np.array([[1.0, 2.0, 4.0]], np.float32)
    np.testing.assert_allclose(
        probabilities(mean_logits([member])), probabilities(member), rtol=1e-6
    )
