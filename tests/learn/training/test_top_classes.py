"""Answers by their likeliest classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.learn.training.examples import PackedLogits, index_type, pack_top_k


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return shares


def test_packing_by_hand():
    # Probabilities 0.5, 0.1, 0.3, 0.1: of the two others each has a mean of 0.1.
    logits = np.log([[0.5, 0.1, 0.3, 0.1]]) + 7
    values, kept = pack_top_k(logits, 2)
    assert kept.tolist() == [[0, 2]]
    assert (values.dtype, kept.dtype) == (np.float16, np.uint8)
    np.testing.assert_allclose(np.exp(values.astype(float)), [[0.5, 0.3, 0.1]], rtol=2e-3)
    unpacked = PackedLogits(values, kept, 4)[:]
    np.testing.assert_allclose(softmax(unpacked), [[0.5, 0.1, 0.3, 0.1]], rtol=2e-3)


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.data())
def test_kept_classes_are_near_and_the_rest_adds_up(seed: int, classes: int, data: st.DataObject):
    top = data.draw(st.integers(1, classes - 1))
    logits = np.random.default_rng(seed).normal(0, 5, (3, 4, classes)).astype(np.float32)
    packed = PackedLogits(*pack_top_k(logits, top), classes)
    assert packed[:].shape == logits.shape
    found, expected = softmax(packed[:]), softmax(logits)
    np.testing.assert_allclose(found.sum(axis=-1), 1.0)
    np.testing.assert_array_equal(found.argmax(axis=-1), expected.argmax(axis=-1))
    kept = packed.kept.astype(np.int64)
    np.testing.assert_allclose(
        np.take_along_axis(found, kept, -1), np.take_along_axis(expected, kept, -1), rtol=0.05
    )
    if top == classes - 1:
        np.testing.assert_allclose(found, expected, rtol=0.05)


def test_numbers_without_bounds_stay_finite():
    values, kept = pack_top_k(np.array([[1e6, 0.0, -1e6], [0.0, 0.0, 0.0]]), 1)
    assert np.isfinite(values).all()
    np.testing.assert_allclose(
        softmax(PackedLogits(values, kept, 3)[:]),
        [[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]],
        atol=1e-3,
    )


def test_it_reads_like_an_array_but_holds_less():
    logits = np.random.default_rng(0).normal(size=(2, 5, 8, 8, 21))
    packed = PackedLogits(*pack_top_k(logits, 2), 21)
    assert packed.nbytes == 2 * 5 * 8 * 8 * (3 * 2 + 2)
    views, rows = np.array([[0, 1], [1, 1]]), np.array([[4, 0], [2, 3]])
    np.testing.assert_array_equal(packed[views, rows], packed[:][views, rows])
    assert packed[views, rows].shape == (2, 2, 8, 8, 21)


@pytest.mark.parametrize(("classes", "dtype"), [(2, np.uint8), (256, np.uint8), (257, np.uint16)])
def test_classes_are_numbered_in_few_bytes(classes: int, dtype: type):
    assert index_type(classes) == dtype
