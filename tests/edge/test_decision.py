"""Rules of exits: quick ones are those of the exact score, ties and rounding included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.edge.classifier import ExitRule, Softmax
from kdtasks.edge.scores import ALWAYS, NEVER, SCORES, max_probability, softmax
from kdtasks.edge.segments import TensorSpec, decoder


def rule(
    threshold, *, score="max_probability", temperature=1.0, scale=0.0, dtype="float32", classes=3
):
    spec = TensorSpec((1, classes), np.dtype(dtype), scale, -7)
    return ExitRule(SCORES[score], temperature, threshold, spec)


@given(
    numbers=st.lists(st.integers(-128, 127), min_size=2, max_size=12),
    dtype=st.sampled_from(["int8", "int16"]),
    scale=st.floats(1e-4, 4.0),
    temperature=st.floats(0.05, 20.0),
    steps=st.integers(-2, 2),
)
def test_a_threshold_at_or_next_to_a_score_parts_as_the_exact_score_does(
    numbers, dtype, scale, temperature, steps
):
    scale = float(np.float32(scale))  # what a file can hold
    stored = np.array(numbers, dtype)
    if dtype == "int16":
        stored *= np.int16(250)
    decoded = (stored.astype(np.float32) - np.float32(-7)) * np.float32(scale)
    exact = float(max_probability(decoded, temperature))
    threshold = exact
    for _ in range(abs(steps)):
        threshold = float(np.nextafter(threshold, np.inf if steps > 0 else -np.inf))
    decides = rule(
        threshold, temperature=temperature, scale=scale, dtype=dtype, classes=len(numbers)
    )
    assert decides(stored) is (exact >= threshold)


@given(
    logits=st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=8),
    threshold=st.floats(0.0, 1.0),
)
def test_floats_are_decided_as_they_are(logits, threshold):
    stored = np.array(logits, np.float32)
    decides = rule(threshold, classes=len(logits))
    assert decides(stored) is bool(max_probability(stored) >= threshold)


def test_worked_by_hand():
    # softmax of (ln 3, 0) at temperature 1 is (3/4, 1/4), at 0.5 (9/10, 1/10)
    logits = np.log(np.array([3, 1], np.float32))
    assert rule(0.74)(logits)
    assert not rule(0.76)(logits)
    assert rule(0.89, temperature=0.5)(logits)
    assert not rule(0.91, temperature=0.5)(logits)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("classes", [3, 100])
def test_every_score_can_be_compared(score, classes):
    logits = np.random.default_rng(0).normal(size=classes).astype(np.float32)
    exact = float(SCORES[score](logits, 1.5))
    for threshold in (exact - 0.01, exact, exact + 0.01, ALWAYS, NEVER):
        decides = rule(threshold, score=score, temperature=1.5, classes=classes)
        assert decides(logits) is (exact >= threshold)


@given(
    numbers=st.lists(st.integers(-128, 127), min_size=2, max_size=40),
    dtype=st.sampled_from(["int8", "uint8", "int16", "float32"]),
    temperature=st.floats(0.05, 20.0),
)
def test_probabilities_are_those_of_softmax_to_the_last_bit(numbers, dtype, temperature):
    stored = np.array(numbers).astype(dtype)
    spec = TensorSpec((1, len(numbers)), stored.dtype, 0.0 if dtype == "float32" else 0.173, -7)
    found = Softmax(temperature, spec)(stored, int(stored.argmax()))
    expected = softmax(decoder(spec)(stored), temperature)
    assert found.tobytes() == expected.tobytes()
