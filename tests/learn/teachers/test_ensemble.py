"""The mean of several teachers' probabilities."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.learn.teachers.ensemble import mean_logits


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
